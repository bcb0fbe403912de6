"""Looking up movies of the catalog: by MovieID, by title, and those similar to another."""

from collections.abc import Sequence

import numpy as np

from nextreel.data.ids import Id, encode_id
from nextreel.data.timeline import Timeline
from nextreel.ranking.likes_by_movie import LikesByMovie
from nextreel.ranking.similar_movies import SimilarMovies
from nextreel.ranking.title_search import TitleSearch
from nextreel.serving.inference.catalog import Catalog
from nextreel.serving.inference.movie_cards import MovieCard, ScoredMovie
from nextreel.serving.inference.snapshot import Snapshot
from nextreel.serving.inference.store_follower import StoreFollower


class MovieLookup:
    """Looks up movies in the catalog as the store has it now; safe to share between threads.

    Every method raises StoreError if the store can't be read.
    """

    def __init__(self, follower: StoreFollower) -> None:
        self._follower = follower
        self._title_search: tuple[Catalog, TitleSearch] | None = None
        self._likes: LikesByMovie | None = None

    def find(self, movie_id: Id) -> MovieCard | None:
        """Return the movie with this MovieID, None if the catalog has none."""
        catalog = self._follower.catch_up().catalog
        index = int(catalog.find_listed(np.array([encode_id(movie_id)]))[0])
        return None if index < 0 else catalog.cards[index]

    def search(self, text: str, limit: int = 20) -> list[ScoredMovie]:
        """Return movies whose titles match the text, best first, each with a score from 0 to 1."""
        snapshot = self._follower.catch_up()
        catalog = snapshot.catalog
        matches = self._search_of(snapshot).find(text, limit)
        indices = catalog.find(np.array([match.movie_id for match in matches], dtype=np.int64))
        return _scored_movies(catalog, indices.tolist(), [match.score for match in matches])

    def most_rated(self, limit: int = 20) -> list[tuple[MovieCard, int]]:
        """Return the movies with the most ratings and the number of these, the most rated movie first.

        Ratings that arrived since the snapshot's last merge into its sorted base don't count yet.
        """
        snapshot = self._follower.catch_up()
        catalog, totals = snapshot.catalog, snapshot.base.totals
        by_total = np.argsort(-totals, kind="stable")
        listed = by_total[~catalog.is_deleted[by_total]][:limit].tolist()
        return [(catalog.cards[index], int(totals[index])) for index in listed]

    def similar(self, movie_id: Id, timestamp: int, k: int = 10) -> list[ScoredMovie] | None:
        """Return the k movies most similar to this one as of a timestamp, best first; None if it isn't in the catalog.

        Interactions that arrived since the snapshot's last merge into its sorted base don't count yet.
        """
        snapshot = self._follower.catch_up()
        catalog = snapshot.catalog
        movie = int(catalog.find_listed(np.array([encode_id(movie_id)]))[0])
        if movie < 0:
            return None
        likes = self._likes_of(snapshot.base.timeline)
        similar_movies = SimilarMovies(likes, catalog.similarity, snapshot.listed_from)
        indices, scores = similar_movies.find(movie, timestamp, k)
        return _scored_movies(catalog, indices.tolist(), scores.tolist())

    def _likes_of(self, timeline: Timeline) -> LikesByMovie:
        """Return the index of a timeline's likes; it is rebuilt only if the timeline has changed."""
        likes = self._likes
        if likes is None or likes.timeline is not timeline:
            likes = self._likes = LikesByMovie.of(timeline)
        return likes

    def _search_of(self, snapshot: Snapshot) -> TitleSearch:
        """Return the title index of the snapshot's catalog; it is rebuilt only if the catalog has changed."""
        catalog, cached = snapshot.catalog, self._title_search
        if cached is not None and cached[0] is catalog:
            return cached[1]
        totals = snapshot.base.totals
        popularity = np.pad(totals, (0, len(catalog) - len(totals)))
        search = TitleSearch.of(catalog.listed, popularity[~catalog.is_deleted])
        self._title_search = catalog, search
        return search


def _scored_movies(catalog: Catalog, indices: Sequence[int], scores: Sequence[float]) -> list[ScoredMovie]:
    cards = catalog.cards
    return [{**cards[index], "score": score} for index, score in zip(indices, scores, strict=True)]
