"""Recommendations of one version of the model, from the interactions and movies that the store holds now.

The result of a query equals that of `Predictor.recommend` with the same model and the store's interactions as its data
set; interactions with later timestamps than the query's change nothing. The HTTP API and the page both use the engine
and have no access to the model itself.
"""

import math
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from nextreel.arrays import BoolArray, Int32Array
from nextreel.data.dataset import Dataset
from nextreel.data.ids import Id, encode_id
from nextreel.data.rating_scale import RatingScale
from nextreel.data.schema import MOVIE_ID
from nextreel.data.timeline import Histories
from nextreel.data.times import format_timestamp, parse_timestamp
from nextreel.errors import QueryError
from nextreel.models.base import Recommender
from nextreel.prediction.own_history import HistoryReader
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import load_mapped
from nextreel.ranking.cold_start_movies import ColdStartMovies
from nextreel.ranking.explanations import explain
from nextreel.ranking.joint_lists import rank_jointly
from nextreel.ranking.ranker import Ranker, Ranking
from nextreel.ranking.reranking import CANDIDATES, rerank
from nextreel.serving.inference.catalog import Catalog
from nextreel.serving.inference.known_rows import KnownRows
from nextreel.serving.inference.list_requests import (
    JointRequest,
    JointResult,
    RecommendationRequest,
    RecommendationResult,
)
from nextreel.serving.inference.movie_cards import ReasonShown, ranked_movies, strongest_reasons
from nextreel.serving.inference.movie_lookup import MovieLookup
from nextreel.serving.inference.snapshot import Snapshot, UnsortedInteractions
from nextreel.serving.inference.store_follower import StoreFollower
from nextreel.serving.inference.user_histories import UserHistories
from nextreel.serving.storage.data_lineage import require_lineage
from nextreel.serving.storage.store import NewInteraction, Store
from nextreel.serving.storage.stored_versions import StoredVersion
from nextreel.stopping import stop_if_unwanted

CACHE_BYTES = 192 * 2**20
"""What each engine may keep of the histories that its model was asked about lately. The transformer needs about 150 KB
for a history of 100 ratings."""
OVERLAP_SECONDS = 60
"""Longest time for which a query that began before an erasure may still run."""


@dataclass(frozen=True)
class ModelFacts:
    """What a response says about the model that made the recommendations."""

    name: str
    version: str
    trained_at: str
    """When the model was fitted and saved, ISO 8601, UTC."""
    data_until: str
    """Time of the latest interaction that the model was fitted on, ISO 8601, UTC."""


class Engine:
    """Answers requests with one version of the model and the store's interactions; safe to share between threads."""

    def __init__(self, predictor: Predictor, version: StoredVersion, follower: StoreFollower) -> None:
        self.version, self.follower = version, follower
        self.model_facts = ModelFacts(version.model, version.name, version.created_at, version.data_until)
        self.movies = MovieLookup(follower)
        self.format = predictor.dataset.format
        self._predictor = predictor
        self.fitted_until = parse_timestamp(version.data_until)
        self._extended_model: tuple[Catalog, Recommender] | None = None
        self._history_reader: tuple[Catalog, HistoryReader] | None = None
        self._last_erasure, self._erased_at = follower.last_snapshot.position.erasure, -math.inf
        predictor.model.cache_histories(CACHE_BYTES)

    @classmethod
    def open(cls, version: StoredVersion, store: Store, sibling: Self | None = None) -> Self:
        """Load a version of the model.

        The new engine shares the snapshot of its `sibling`, another engine on the same store, if the models of both
        have the same catalog.

        Raises
        ------
        ArtifactError
            The saved model is damaged, or was fitted on other data than the store holds.
        StoreError
            The store can't be read.
        """
        predictor, manifest = load_mapped(version.path)
        require_lineage(store, version.path, lambda: predictor.dataset)
        dataset = predictor.dataset
        store.learn_movies(dataset.movies[MOVIE_ID])
        if sibling is not None and _has_same_movies(sibling._predictor.dataset, dataset):
            return cls(predictor, version, sibling.follower)
        known = KnownRows.find(store, dataset, manifest)
        return cls(predictor, version, StoreFollower(store, Catalog.of(dataset), dataset.scale, known))

    @property
    def scale(self) -> RatingScale:
        """What the ratings mean: their lowest and highest value, and from where on one counts as liked."""
        return self._predictor.dataset.scale

    @property
    def histories(self) -> UserHistories:
        """The ratings in the store by user; replays of them rank movies with this engine's model."""
        # Made on demand: as an attribute it would refer back to the engine, and since the server excludes the objects
        # of its start from garbage collection (gc.freeze), an engine in such a cycle would never be freed.
        return UserHistories(self.follower, self._ranker_for)

    def forget_erased(self) -> None:
        """Catch up if somebody was erased, and forget what the model computed from histories.

        So no process holds an erased user until its next query. Raises StoreError if the store can't be read.
        """
        self.follower.forget_erased()
        last_erasure, now = self.follower.last_snapshot.position.erasure, time.monotonic()
        if last_erasure != self._last_erasure:
            self._last_erasure, self._erased_at = last_erasure, now
        # A query that began before the erasure may have brought the user's history back.
        if now - self._erased_at < OVERLAP_SECONDS:
            self._predictor.model.cache_histories(CACHE_BYTES)

    def history_reader(self) -> tuple[HistoryReader, Catalog]:
        """Return the reader of people's own histories for the catalog as it is now, and this catalog.

        Raises StoreError if the store can't be read.
        """
        catalog, cached = self.follower.catch_up().catalog, self._history_reader
        if cached is None or cached[0] is not catalog:
            links = self._predictor.dataset.links
            cached = self._history_reader = (
                catalog,
                HistoryReader.of_catalog(catalog.listed, links, self.scale),
            )
        return cached[1], cached[0]

    def recommend(self, requests: Sequence[RecommendationRequest]) -> list[RecommendationResult]:
        """Return the recommendation list of each request, in the same order.

        Raises
        ------
        QueryError
            A filter names a genre that no movie has, or a guest's movie isn't in the catalog.
        StoreError
            The store can't be read.
        """
        snapshot = self.follower.catch_up()
        results: dict[int, RecommendationResult] = {}
        for positions in _group(requests):
            stop_if_unwanted()
            batch = [requests[i] for i in positions]
            results.update(zip(positions, self._recommend_batch(snapshot, batch), strict=True))
        return [results[i] for i in range(len(requests))]

    def recommend_together(self, request: JointRequest) -> JointResult:
        """Return the joint list of several people.

        Raises
        ------
        QueryError
            There are too many people, or a guest's movie isn't in the catalog.
        StoreError
            The store can't be read.
        """
        snapshot = self.follower.catch_up()
        ranker, catalog = self._ranker_for(snapshot), snapshot.catalog
        histories = _find_joint_histories(snapshot, request)
        k = min(request.k, len(catalog))
        ranking = rank_jointly(ranker, histories, k, request.rule, request.exclude_seen)
        by_person = [
            _find_reasons(ranker, catalog, histories, person, ranking.movies)
            for person in range(len(histories) if request.explain else 0)
        ]
        movies: list[int] = ranking.movies.tolist()
        scores: list[float] = ranking.scores.tolist()
        return JointResult(
            request,
            [{**catalog.cards[movie], "score": score} for movie, score in zip(movies, scores, strict=True)],
            ranking.percentiles.T.tolist(),
            [list(of_movie) for of_movie in zip(*by_person, strict=True)] if request.explain else None,
            histories.lengths.tolist(),
            ranking.personal.tolist(),
        )

    def _recommend_batch(
        self, snapshot: Snapshot, batch: Sequence[RecommendationRequest]
    ) -> list[RecommendationResult]:
        """Return the results of requests that `_group` puts into one group."""
        ranker, catalog = self._ranker_for(snapshot), snapshot.catalog
        histories = _find_histories(snapshot, batch)
        ranking = _rank(ranker, catalog, histories, batch)
        lists = ranked_movies(ranking, catalog.cards)
        reasons = [
            _find_reasons(ranker, catalog, histories, i, ranking.movies[i, : len(movies)])
            if request.explain
            else None
            for i, (request, movies) in enumerate(zip(batch, lists, strict=True))
        ]
        lengths, is_personal = histories.lengths.tolist(), ranking.personal.tolist()
        return [
            RecommendationResult(
                request,
                movies,
                reasons_of_movies,
                history_length,
                fallback=None if personal else "popularity",
                fallback_reason=None if personal else _explain_fallback(request, history_length),
                shortfall=None
                if len(movies) >= request.k
                else _explain_shortfall(len(movies), len(catalog.listed)),
                learned_from_later=self._learned_from_later(request.timestamp),
                last_erasure=snapshot.position.erasure,
            )
            for request, movies, reasons_of_movies, history_length, personal in zip(
                batch, lists, reasons, lengths, is_personal, strict=True
            )
        ]

    def _learned_from_later(self, timestamp: int) -> bool:
        return timestamp <= self.fitted_until and not self._predictor.model.uses_only_past

    def _ranker_for(self, snapshot: Snapshot) -> Ranker:
        cached = self._extended_model
        if cached is None or cached[0] is not snapshot.catalog:
            cached = self._extended_model = snapshot.catalog, self._extend_to(snapshot.catalog)
        return Ranker(cached[1], snapshot.popularity, snapshot.listed_from)

    def _extend_to(self, catalog: Catalog) -> Recommender:
        """Return the model itself or, if the catalog has grown, a model that also scores the added movies.

        All movies of the model's own catalog keep their scores, even those without interactions: adding a movie
        doesn't change the score of any other.
        """
        if len(catalog) == catalog.n_learned:
            return self._predictor.model
        return self._cold_start_movies.for_catalog(catalog.movies, only_added=True)

    @cached_property
    def _cold_start_movies(self) -> ColdStartMovies:
        return ColdStartMovies.wrap(self._predictor.model, self._predictor.dataset)


def _has_same_movies(one: Dataset, other: Dataset) -> bool:
    """Return whether engines of two data sets can share a snapshot."""
    return one.scale == other.scale and Catalog.of(one).movies.equals(Catalog.of(other).movies)


def _group(requests: Sequence[RecommendationRequest]) -> list[list[int]]:
    """Divide requests, given by position, into groups that differ only in user, timestamp, filters and explain.

    A request with a guest's history is a group of its own.
    """
    groups: dict[tuple[int | None, int, bool, float, float], list[int]] = defaultdict(list)
    for i, request in enumerate(requests):
        guest = None if request.history is None else i
        groups[guest, request.k, request.exclude_seen, request.diversity, request.calibration].append(i)
    return list(groups.values())


def _find_histories(snapshot: Snapshot, batch: Sequence[RecommendationRequest]) -> Histories:
    user_ids = np.array([encode_id(request.user_id) for request in batch], dtype=np.int64)
    timestamps = np.array([request.timestamp for request in batch], dtype=np.int64)
    guest_history = batch[0].history
    if guest_history is None:
        return snapshot.histories(user_ids, timestamps)
    interactions = _convert_guest_history(guest_history, batch[0].user_id, snapshot.catalog)
    return interactions.to_timeline(snapshot.scale).as_of(user_ids, timestamps)


def _find_joint_histories(snapshot: Snapshot, request: JointRequest) -> Histories:
    timestamps = np.full(len(request.people), request.timestamp)
    guests = [person for person in request.people if isinstance(person, tuple)]
    if not guests:
        user_ids = [encode_id(person) for person in request.people if not isinstance(person, tuple)]
        return snapshot.histories(np.array(user_ids, dtype=np.int64), timestamps)
    interactions = UnsortedInteractions.empty()
    for number, guest in enumerate(guests):
        interactions = interactions.extended_by(_convert_guest_history(guest, number, snapshot.catalog))
    return interactions.to_timeline(snapshot.scale).as_of(np.arange(len(guests)), timestamps)


def _convert_guest_history(
    history: Sequence[NewInteraction], user_id: Id, catalog: Catalog
) -> UnsortedInteractions:
    movie_ids = np.array([encode_id(interaction.movie_id) for interaction in history], dtype=np.int64)
    movies = catalog.find_listed(movie_ids)
    if (movies < 0).any():
        raise QueryError(f"movie {history[int(np.argmax(movies < 0))].movie_id} isn't in the catalog")
    return UnsortedInteractions(
        np.full(len(history), encode_id(user_id)),
        movies.astype(np.int32),
        np.array([interaction.rating for interaction in history], dtype=np.float32),
        np.array([interaction.timestamp for interaction in history], dtype=np.int64),
    )


def _rank(
    ranker: Ranker, catalog: Catalog, histories: Histories, batch: Sequence[RecommendationRequest]
) -> Ranking:
    """Rank movies for the requests in one group, and rerank them if these ask for diversity or calibration."""
    shared, n_movies = batch[0], len(catalog)
    k = min(shared.k, n_movies)
    reranks = shared.diversity > 0 or shared.calibration > 0
    n_candidates = min(max(k, CANDIDATES), n_movies) if reranks else k
    allowed = _find_allowed(catalog, batch)
    ranking = ranker.rank(histories, histories.as_of, n_candidates, shared.exclude_seen, allowed)
    if not reranks:
        return ranking
    return rerank(ranking, catalog.genre_shares, histories, k, shared.diversity, shared.calibration)


def _find_allowed(catalog: Catalog, batch: Sequence[RecommendationRequest]) -> BoolArray | None:
    """Return bool[n_queries, n_movies]: the movies that pass each request's filters; None if no request has filters."""
    by_filters = {filters: filters.allowed(catalog.movies) for filters in {r.filters for r in batch}}
    if all(allowed is None for allowed in by_filters.values()):
        return None
    all_movies = np.ones(len(catalog), dtype=np.bool_)
    rows = (by_filters[request.filters] for request in batch)
    return np.stack([all_movies if allowed is None else allowed for allowed in rows])


def _find_reasons(
    ranker: Ranker, catalog: Catalog, histories: Histories, query: int, movies: Int32Array
) -> list[list[ReasonShown]]:
    """For each of one query's `movies`, return the ratings of the history with the largest effect on its score."""
    history = histories[query : query + 1]
    contributions = explain(ranker.model, history, history.as_of, movies.astype(np.int64))
    return [strongest_reasons(of_movie, history, catalog.cards) for of_movie in contributions]


def _explain_fallback(request: RecommendationRequest, history_length: int) -> str:
    if history_length:
        return (
            f"none of the {history_length} movies rated before that moment is one that the model has learned"
        )
    return f"nothing is known of user {request.user_id} before {format_timestamp(request.timestamp)}"


def _explain_shortfall(n_listed: int, n_movies: int) -> str:
    return (
        f"only {n_listed} of the catalog's {n_movies} movies were out by then, not seen yet and allowed by the "
        "filters"
    )
