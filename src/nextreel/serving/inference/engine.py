"""The one place that answers: a fitted model over what the store knows now.

An answer equals `Predictor.recommend` with the same model and the store's rows as its dataset, whatever was stored
later than the query's moment. The HTTP API and the page ask here; neither knows a model.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import polars as pl

from nextreel.arrays import BoolArray, Int64Array
from nextreel.data.timeline import NEVER, Histories
from nextreel.data.times import format_timestamp, parse_timestamp
from nextreel.errors import QueryError
from nextreel.models.base import Recommender
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import load
from nextreel.ranking.cold_start_movies import ColdStartMovies
from nextreel.ranking.explanations import explain
from nextreel.ranking.filters import Filters
from nextreel.ranking.ranker import Ranker
from nextreel.ranking.reranking import CANDIDATES, rerank
from nextreel.ranking.similar_movies import SimilarMovies
from nextreel.ranking.title_search import TitleSearch
from nextreel.serving.inference.catalog import Catalog
from nextreel.serving.inference.movie_cards import Card, list_movies, show_reasons, show_rows
from nextreel.serving.inference.snapshot import Rows, Snapshot
from nextreel.serving.inference.store_follower import StoreFollower
from nextreel.serving.storage.model_versions import Version
from nextreel.serving.storage.store import NewInteraction, Outcome, Store

REPLAYED = 100
"""A movie that was watched next has a rank in the list of that moment, up to this one."""

NO_FILTERS = Filters()


@dataclass(frozen=True)
class RecommendationRequest:
    """A question: what should this person watch next, as of this moment?"""

    user_id: int
    timestamp: int
    """POSIX seconds, UTC."""
    k: int = 10
    exclude_seen: bool = True
    filters: Filters = NO_FILTERS
    diversity: float = 0.0
    """Strength of maximal marginal relevance, 0 to 1."""
    calibration: float = 0.0
    """Strength of genre calibration, 0 to 1."""
    explain: bool = False
    history: tuple[NewInteraction, ...] | None = None
    """A guest's ratings, which stand in place of what the store knows."""


@dataclass(frozen=True)
class RecommendationResult:
    """The list for one request."""

    request: RecommendationRequest
    movies: list[dict[str, Any]]
    """Best first: movie_id, title, genres, year, score, and reasons if asked for (movie_id, title, rating, timestamp,
    contribution; the strongest first, whatever the sign)."""
    history_length: int
    """Ratings strictly before the moment, on which the list is based."""
    fallback: str | None
    """"popularity", where the model has nothing personal to say."""
    fallback_reason: str | None
    shortfall: str | None
    """Why there are fewer than k movies, where there are."""
    learned_from_later: bool
    """Whether the model's weights were learned from ratings later than the moment too."""


class Engine:
    """One version of the model over the store; safe to share by threads."""

    def __init__(self, predictor: Predictor, version: Version, store: Store, log: StoreFollower) -> None:
        self._predictor, self.version, self._store, self._log = predictor, version, store, log
        self._model: tuple[Catalog, Recommender] | None = None
        self._titles: tuple[Catalog, TitleSearch] | None = None
        self._learned_until = parse_timestamp(version.data_until)

    @classmethod
    def open(cls, version: Version, store: Store, beside: Self | None = None) -> Self:
        """Load a version; what another engine on this store holds in memory is shared where the catalog is the same.

        Raises ArtifactError for a damaged model, StoreError if the store can't be read.
        """
        return cls.of(load(version.path), version, store, beside)

    @classmethod
    def of(cls, predictor: Predictor, version: Version, store: Store, beside: Self | None = None) -> Self:
        """As `open`, with a model that is loaded."""
        catalog = Catalog.of(predictor.dataset)
        if beside is not None and Catalog.of(beside._predictor.dataset).movies.equals(catalog.movies):
            return cls(predictor, version, store, beside._log)
        return cls(predictor, version, store, StoreFollower(store, catalog))

    @property
    def model_facts(self) -> dict[str, Any]:
        """What an answer says of the model: name, version, trained_at, data_until (ISO 8601)."""
        version = self.version
        return {
            "name": version.model,
            "version": version.name,
            "trained_at": version.created_at,
            "data_until": version.data_until,
        }

    @property
    def catalog(self) -> Catalog:
        """The movies as of the last answer: cards, genres, movies (frame)."""
        return self._log.last_snapshot.catalog

    @property
    def log(self) -> StoreFollower:
        """What this process holds of the store."""
        return self._log

    def recommend(self, requests: Sequence[RecommendationRequest]) -> list[RecommendationResult]:
        """Answers in the order of the requests; QueryError for a genre or a guest's movie that doesn't exist."""
        known = self._log.catch_up()
        groups: dict[object, list[int]] = defaultdict(list)
        for i, each in enumerate(requests):
            guest = i if each.history is not None else None
            groups[guest, each.k, each.exclude_seen, each.diversity, each.calibration].append(i)
        answers: dict[int, RecommendationResult] = {}
        for positions in groups.values():
            asked = [requests[i] for i in positions]
            answers.update(zip(positions, self._answer(known, asked), strict=True))
        return [answers[i] for i in range(len(requests))]

    def remember(self, rows: Sequence[NewInteraction], idempotency_key: str | None = None) -> list[Outcome]:
        """Store ratings, durable on return; QueryError, and nothing stored, if a movie isn't in the catalog."""
        wanted = np.array([row.movie_id for row in rows], dtype=np.int64)
        if (self.catalog.find(wanted) < 0).any():
            outside = wanted[self._log.catch_up().catalog.find(wanted) < 0]
            if len(outside):
                raise QueryError(f"movie {outside[0]} isn't in the catalog: POST /v1/movies adds it")
        return self._store.add(rows, idempotency_key)

    def add_movie(self, movie_id: int, title: str, genres: Sequence[str]) -> bool:
        """Add a movie, recommendable at once; False if the catalog has this MovieID already."""
        if self.movie(movie_id) is not None:
            return False
        added = self._store.add_movie(movie_id, title, genres)
        self._log.catch_up()
        return added

    def movie(self, movie_id: int) -> Card | None:
        """movie_id, title, genres, year; None for one that isn't in the catalog."""
        catalog = self._log.catch_up().catalog
        index = int(catalog.find(np.array([movie_id]))[0])
        return None if index < 0 else catalog.cards[index]

    def search(self, text: str, limit: int = 20) -> list[Card]:
        """Movies whose title is like the text, best first, with a score from 0 to 1."""
        known = self._log.catch_up()
        made = self._titles
        if made is None or made[0] is not known.catalog:
            popular = np.pad(known.bulk.totals, (0, len(known.catalog) - len(known.bulk.totals)))
            made = self._titles = known.catalog, TitleSearch.of(known.catalog.movies, popular)
        found = made[1].find(text, limit)
        index = known.catalog.find(np.array([match.movie_id for match in found], dtype=np.int64))
        cards = known.catalog.cards
        return [{**cards[i], "score": match.score} for i, match in zip(index.tolist(), found, strict=True)]

    def similar(self, movie_id: int, timestamp: int, k: int = 10) -> list[Card] | None:
        """Movies like this one as of a moment, best first with a score; None if it isn't in the catalog.

        What came since the log was folded last doesn't count yet.
        """
        known = self._log.catch_up()
        catalog = known.catalog
        movie = int(catalog.find(np.array([movie_id]))[0])
        if movie < 0:
            return None
        years = catalog.movies["Year"].cast(pl.Float32).to_numpy()
        neighbours = SimilarMovies(known.bulk.timeline, catalog.genre_directions, years, known.released_at)
        movies, scores = neighbours.find(movie, timestamp, k)
        cards = catalog.cards
        return [
            {**cards[i], "score": score} for i, score in zip(movies.tolist(), scores.tolist(), strict=True)
        ]

    def history(self, user_id: int, as_of: int | None = None) -> list[dict[str, Any]]:
        """Ratings that stood before a moment, latest first: movie_id, title, genres, year, rating, timestamp."""
        known = self._log.catch_up()
        until = NEVER if as_of is None else as_of
        histories = known.histories(np.array([user_id]), np.array([until]))
        return show_rows(histories, histories.rows()[1][::-1], known.catalog.cards)

    def rated_next(self, user_id: int, timestamp: int, limit: int = 10) -> list[dict[str, Any]]:
        """What the person rated from this moment on, first things first; rows as `history` has them."""
        known = self._log.catch_up()
        user = np.array([user_id])
        before = known.histories(user, np.array([timestamp]))
        everything = known.histories(user, np.array([NEVER]))
        first = everything.starts[0] + before.lengths[0]
        return show_rows(everything, np.arange(first, everything.stops[0])[:limit], known.catalog.cards)

    def replay(self, user_id: int, latest: int = 200) -> list[dict[str, Any]]:
        """For each of the person's latest ratings: which rank the movie had in the list of just before.

        Rows as `history` has them, oldest first, with `rank` from 1, None beyond REPLAYED or if it was seen by then.
        """
        known = self._log.catch_up()
        everything = known.histories(np.array([user_id]), np.array([NEVER]))
        row = np.arange(everything.starts[0], everything.stops[0])[-latest:]
        if not len(row):
            return []
        timeline = everything.timeline
        timestamps = timeline.timestamps[row]
        users = np.full(len(row), user_id)
        ranking = self._ranker(known).rank(
            known.histories(users, timestamps), timestamps, min(REPLAYED, len(known.catalog))
        )
        hit = (ranking.movies == timeline.movies[row][:, None]) & ~np.isneginf(ranking.scores)
        ranks = np.where(hit.any(axis=1), hit.argmax(axis=1) + 1, 0).tolist()
        shown = show_rows(everything, row, known.catalog.cards)
        return [{**each, "rank": rank or None} for each, rank in zip(shown, ranks, strict=True)]

    def find_people(self, count: int = 20) -> list[dict[str, Any]]:
        """Some people to look at, spread from short to long histories: user_id, ratings, first, latest (seconds)."""
        timeline = self._log.catch_up().bulk.timeline
        lengths = np.diff(timeline.offsets)
        by_length = np.argsort(lengths, kind="stable")[np.count_nonzero(lengths == 0) :]
        if not len(by_length):
            return []
        chosen = by_length[np.unique(np.linspace(0, len(by_length) - 1, count).astype(np.int64))]
        return [
            {
                "user_id": int(timeline.user_ids[user]),
                "ratings": int(lengths[user]),
                "first": int(timeline.timestamps[timeline.offsets[user]]),
                "latest": int(timeline.timestamps[timeline.offsets[user + 1] - 1]),
            }
            for user in chosen
        ]

    def span(self, user_id: int) -> dict[str, Any] | None:
        """A person's number of ratings and the seconds of the first and the latest; None for one who has none."""
        everything = self._log.catch_up().histories(np.array([user_id]), np.array([NEVER]))
        if not everything.lengths[0]:
            return None
        times = everything.timeline.timestamps[everything.starts[0] : everything.stops[0]]
        return {"user_id": user_id, "ratings": len(times), "first": int(times[0]), "latest": int(times[-1])}

    def erase(self, user_id: int) -> int:
        """Forget a person everywhere; the number of ratings removed."""
        removed = self._store.erase_user(user_id)
        self._log.catch_up()
        return removed

    def export(self, user_id: int) -> dict[str, Any]:
        """All that the store keeps about a person, ready for JSON."""
        return self._store.export_user(user_id)

    def _ranker(self, known: Snapshot) -> Ranker:
        made = self._model
        if made is None or made[0] is not known.catalog:
            made = self._model = known.catalog, self._extend_to(known.catalog)
        return Ranker(made[1], known.popularity, known.released_at)

    def _extend_to(self, catalog: Catalog) -> Recommender:
        """The model itself or, once the catalog has grown, with scores for the added movies alone.

        Movies of the model's own catalog keep its scores, also those that it has learned nothing of: an answer
        doesn't change because some other movie was added.
        """
        if len(catalog) == catalog.n_learned:
            return self._predictor.model
        return self._newcomers.for_catalog(catalog.movies, only_added=True)

    @cached_property
    def _newcomers(self) -> ColdStartMovies:
        return ColdStartMovies.wrap(self._predictor.model, self._predictor.dataset)

    def _answer(self, known: Snapshot, asked: Sequence[RecommendationRequest]) -> list[RecommendationResult]:
        """Answers to requests that differ in user, moment, filters and explain alone."""
        first, n_movies = asked[0], len(known.catalog)
        timestamps = np.array([each.timestamp for each in asked], dtype=np.int64)
        histories = _histories(known, asked, timestamps)
        ranker = self._ranker(known)
        k, varied = min(first.k, n_movies), first.diversity > 0 or first.calibration > 0
        candidates = min(max(k, CANDIDATES), n_movies) if varied else k
        ranking = ranker.rank(
            histories, timestamps, candidates, first.exclude_seen, _allowed(known.catalog, asked)
        )
        if varied:
            shares = known.catalog.genre_shares
            ranking = rerank(ranking, shares, histories, k, first.diversity, first.calibration)
        lists = list_movies(ranking, known.catalog.cards)
        answers = [
            self._describe(each, movies, length, personal)
            for each, movies, length, personal in zip(
                asked, lists, histories.lengths.tolist(), ranking.personal.tolist(), strict=True
            )
        ]
        for i, each in enumerate(asked):
            if each.explain:
                movies = ranking.movies[i, : len(lists[i])].astype(np.int64)
                reasons = explain(ranker.model, histories[i : i + 1], timestamps[i : i + 1], movies)
                for movie, why in zip(lists[i], reasons, strict=True):
                    movie["reasons"] = show_reasons(why, histories, known.catalog.cards)
        return answers

    def _describe(
        self, asked: RecommendationRequest, movies: list[dict[str, Any]], length: int, personal: bool
    ) -> RecommendationResult:
        fallback = reason = shortfall = None
        if not personal:
            fallback = "popularity"
            reason = (
                f"none of the {length} movies rated before that moment is one that the model has learned"
                if length
                else f"nothing is known of user {asked.user_id} before {format_timestamp(asked.timestamp)}"
            )
        if len(movies) < asked.k:
            shortfall = (
                f"only {len(movies)} of the catalog's {len(self.catalog)} movies were out by then, not seen yet "
                "and allowed by the filters"
            )
        later = asked.timestamp <= self._learned_until and not self._predictor.model.uses_only_past
        return RecommendationResult(asked, movies, length, fallback, reason, shortfall, later)


def _histories(known: Snapshot, asked: Sequence[RecommendationRequest], timestamps: Int64Array) -> Histories:
    users = np.array([each.user_id for each in asked], dtype=np.int64)
    if asked[0].history is None:
        return known.histories(users, timestamps)
    return (
        _guest_rows(asked[0].history, asked[0].user_id, known.catalog).to_timeline().as_of(users, timestamps)
    )


def _guest_rows(history: Sequence[NewInteraction], user_id: int, catalog: Catalog) -> Rows:
    wanted = np.array([row.movie_id for row in history], dtype=np.int64)
    movies = catalog.find(wanted)
    if (movies < 0).any():
        raise QueryError(f"movie {wanted[movies < 0][0]} isn't in the catalog")
    return Rows(
        np.full(len(history), user_id),
        movies.astype(np.int32),
        np.array([row.rating for row in history], dtype=np.float32),
        np.array([row.timestamp for row in history], dtype=np.int64),
    )


def _allowed(catalog: Catalog, asked: Sequence[RecommendationRequest]) -> BoolArray | None:
    """bool[n_queries, n_movies], or None if no request filters anything."""
    passed = {each: each.allowed(catalog.movies) for each in {each.filters for each in asked}}
    if all(allowed is None for allowed in passed.values()):
        return None
    everything = np.ones(len(catalog), dtype=np.bool_)
    rows = (passed[each.filters] for each in asked)
    return np.stack([everything if row is None else row for row in rows])
