"""Movies similar to a given one, as of a time: liked by the same users more often than chance explains.

    similarity(i, j) = (n(i and j) - e(i, j) + s c(i, j)) / (sqrt(n(i) n(j)) + s)

n counts the users who liked a movie, or both, before the time. e is the value of n(i and j) to expect if the users who
liked i had drawn everything they liked from what all users liked. Without e, every movie would resemble the most
popular ones and those that very active users have seen. s shrinks the similarity of pairs with few users towards c,
which only uses the catalog: the cosine of the two movies' genres, which falls with the years between them. So even a
movie without ratings has similar movies. The cosine that the formula starts from is that of item-based filtering
(Sarwar et al., WWW 2001).
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl

from nextreel.arrays import BoolArray, Float32Array, Int32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Timeline
from nextreel.errors import QueryError
from nextreel.ranking.genres import share_genres, unit_rows
from nextreel.ranking.ranker import find_released_at
from nextreel.wording import number_of

SHRINKAGE = 50
"""s in the module's formula: a pair with about this many likes is judged half by them and half by the catalog."""
CATALOG_SIMILARITY = 0.1
"""Similarity by catalog data alone (c in the module's formula) of two movies with the same genres and year.

For comparison, movies that are similar by the users who like them reach 0.1 to 0.3.
"""
YEAR_SCALE = 10
"""Number of years between two movies at which their similarity by catalog data has fallen to 1 / e."""


@dataclass(frozen=True)
class SimilarMovies:
    """An index of interactions and catalog that finds similar movies as of any time; `of` builds it."""

    timeline: Timeline
    genre_vectors: Float32Array
    """float32[n_movies, n_genres]: the genres of each movie as a unit vector."""
    years: Float32Array
    """float32[n_movies]: year of each movie, NaN if unknown."""
    released_at: Int64Array
    """int64[n_movies]: when each movie came out, POSIX seconds; movies that aren't out yet are never returned."""

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        """Build the index from a dataset's catalog and interactions."""
        years = dataset.movies["Year"].cast(pl.Float32).to_numpy()
        genre_vectors = unit_rows(share_genres(dataset.movies))
        released_at = find_released_at(dataset.timeline, dataset.movies)
        return cls(dataset.timeline, genre_vectors, years, released_at)

    def find(
        self, movie: int, timestamp: int, k: int = 10, allowed: BoolArray | None = None
    ) -> tuple[Int32Array, Float32Array]:
        """Return the k movies most similar to a movie, by interactions strictly before a timestamp.

        Parameters
        ----------
        movie : int
            Index in the catalog.
        timestamp : int
            POSIX seconds.
        k : int
            Number of movies to return.
        allowed : bool[n_movies] | None
            The movies that may be returned; None allows all.

        Returns
        -------
        Indices int32[n] and similarities float32[n], most similar first; of equally similar movies, the one liked by
        more users comes first. n is less than k if fewer movies are out and allowed.

        Raises
        ------
        QueryError
            The movie isn't in the catalog.
        """
        if not 0 <= movie < len(self.years):
            raise QueryError(f"movie {movie} is outside the catalog of {number_of(len(self.years), 'movie')}")
        similarity, likes = self._compare(movie, timestamp)
        candidate = self.released_at <= timestamp
        candidate[movie] = False
        if allowed is not None:
            candidate &= allowed
        candidates = np.flatnonzero(candidate)
        best = candidates[np.lexsort((-likes[candidates], -similarity[candidates]))[:k]]
        return best.astype(np.int32), similarity[best]

    def _compare(self, movie: int, timestamp: int) -> tuple[Float32Array, Int64Array]:
        """Return each movie's similarity to `movie`, float32[n_movies], and number of likes, int64[n_movies]."""
        user, liked = self._likes_before(timestamp)
        likes = np.bincount(liked, minlength=len(self.years))
        likes_movie = np.zeros(self.timeline.n_users, dtype=np.bool_)
        likes_movie[user[liked == movie]] = True
        together = np.bincount(liked[likes_movie[user]], minlength=len(self.years))
        expected = together.sum() * likes / max(1, likes.sum())
        years_apart = np.abs(self.years - self.years[movie])
        by_catalog = self.genre_vectors @ self.genre_vectors[movie]
        by_catalog = by_catalog * np.nan_to_num(np.exp(-years_apart / YEAR_SCALE))
        support = np.sqrt(likes * likes[movie]) + SHRINKAGE
        similarity = (together - expected + SHRINKAGE * CATALOG_SIMILARITY * by_catalog) / support
        return similarity.astype(np.float32), likes

    def _likes_before(self, timestamp: int) -> tuple[Int32Array, Int32Array]:
        """Return user index and movie index of each like before a timestamp that no rating had replaced by then."""
        timeline = self.timeline
        stands = (timeline.timestamps < timestamp) & timeline.is_positive()
        if timeline.superseded_at is not None:
            stands &= timeline.superseded_at >= timestamp
        return timeline.users[stands], timeline.movies[stands]
