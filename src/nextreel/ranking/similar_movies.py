"""Movies like this one, as of a moment: liked by the same people more often than chance would have it.

    similarity(i, j) = (n(i and j) - e(i, j) + s c(i, j)) / (sqrt(n(i) n(j)) + s)

n counts users who had liked a movie by then, or both. e is what n(i and j) would be if the users who liked i had drawn
all that they liked from what everybody liked: without it, any movie resembles the most popular ones and those that
the diligent have seen. Where few users stand behind a pair, s draws it towards c, which knows the catalog alone: the
cosine of the two movies' genres, falling with the years between them. So a movie that nobody has rated has neighbours
too. The cosine that this starts from is that of item-based filtering (Sarwar et al., WWW 2001).
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
"""s, in users."""
ALIKE_BY_CATALOG = 0.1
"""c of two movies with the same genres and the same year; movies that seem alike reach 0.1 to 0.3."""
YEARS_APART = 10
"""Years over which c falls to 1 / e."""


@dataclass(frozen=True)
class SimilarMovies:
    """What it takes to find a movie's neighbours at any moment; `of` makes it of a dataset."""

    timeline: Timeline
    directions: Float32Array
    """float32[n_movies, n_genres]: unit vectors of the movies' genres."""
    years: Float32Array
    """float32[n_movies]; NaN where it isn't known."""
    released_at: Int64Array
    """int64[n_movies]: POSIX seconds; a movie that isn't out yet is nobody's neighbour."""

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        """Neighbours within the dataset's catalog, by its interactions."""
        years = dataset.movies["Year"].cast(pl.Float32).to_numpy()
        directions = unit_rows(share_genres(dataset.movies))
        return cls(dataset.timeline, directions, years, find_released_at(dataset))

    def find(
        self, movie: int, timestamp: int, k: int = 10, allowed: BoolArray | None = None
    ) -> tuple[Int32Array, Float32Array]:
        """The k movies most like a movie, by what was known strictly before a moment.

        Parameters
        ----------
        movie : int
            Index in the catalog.
        timestamp : int
            POSIX seconds.
        allowed : bool[n_movies] | None
            Narrows the catalog.

        Returns
        -------
        Indices int32[n] and similarities float32[n], most similar first, of equal ones the more liked. n is less
        than k where fewer movies are out and allowed.
        """
        if not 0 <= movie < len(self.years):
            raise QueryError(f"movie {movie} is outside the catalog of {number_of(len(self.years), 'movie')}")
        similarity, likes = self._compare(movie, timestamp)
        candidate = self.released_at <= timestamp
        candidate[movie] = False
        if allowed is not None:
            candidate &= allowed
        among = np.flatnonzero(candidate)
        best = among[np.lexsort((-likes[among], -similarity[among]))[:k]]
        return best.astype(np.int32), similarity[best]

    def _compare(self, movie: int, timestamp: int) -> tuple[Float32Array, Int64Array]:
        """float32[n_movies], the similarity to each, and int64[n_movies], how many like it."""
        user, liked = self._likes_before(timestamp)
        likes = np.bincount(liked, minlength=len(self.years))
        likers = np.zeros(self.timeline.n_users, dtype=np.bool_)
        likers[user[liked == movie]] = True
        together = np.bincount(liked[likers[user]], minlength=len(self.years))
        expected = together.sum() * likes / max(1, likes.sum())
        years_apart = np.abs(self.years - self.years[movie])
        alike = self.directions @ self.directions[movie] * np.nan_to_num(np.exp(-years_apart / YEARS_APART))
        support = np.sqrt(likes * likes[movie]) + SHRINKAGE
        similarity = (together - expected + SHRINKAGE * ALIKE_BY_CATALOG * alike) / support
        return similarity.astype(np.float32), likes

    def _likes_before(self, timestamp: int) -> tuple[Int32Array, Int32Array]:
        """Each like that stands at a moment: the user's index and the movie's."""
        timeline = self.timeline
        stands = (timeline.timestamps < timestamp) & timeline.is_positive()
        if timeline.superseded_at is not None:
            stands &= timeline.superseded_at >= timestamp
        return timeline.users[stands], timeline.movies[stands]
