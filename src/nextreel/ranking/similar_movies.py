"""Movies similar to a given one, as of a time: liked by the same users more often than chance explains.

    similarity(i, j) = (n(i and j) - e(i, j) + s c(i, j)) / (sqrt(n(i) n(j)) + s)

n counts the users who liked a movie, or both, before the time. e is the value of n(i and j) to expect if the users who
liked i had drawn everything they liked from what all users liked. Without e, every movie would resemble the most
popular ones and those that very active users have seen. s shrinks the similarity of pairs with few users towards c,
a tenth of their similarity by the catalog alone (see `catalog_similarity`). So even a movie without ratings has similar
movies. The cosine that the formula starts from is that of item-based filtering (Sarwar et al., WWW 2001).

Of a movie that very many users like, only one user in x is asked, so that it is compared as quickly as others. With the
number m of those asked who like both, the similarity is

    (m(i and j) - e(i, j) / x) / (sqrt(n(i) n(j)) / x + s) + s c(i, j) / (sqrt(n(i) n(j)) + s)

which is the formula above if x is 1. If m were scaled up by x instead, the like of a single user among those asked
would make a rare movie similar. Those asked are evenly spread over time, because the latest users like other movies
than the first ones.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from nextreel.arrays import BoolArray, Float32Array, Int32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.errors import QueryError
from nextreel.ranking.catalog_similarity import CatalogSimilarity
from nextreel.ranking.likes_by_movie import LikesByMovie
from nextreel.ranking.ranker import find_released_at
from nextreel.wording import number_of

SHRINKAGE = 50
"""s in the module's formula: a pair with about this many likes is judged half by them and half by the catalog."""
CATALOG_SIMILARITY = 0.1
"""Similarity by catalog data alone (c in the module's formula) of two movies with the same genres and year.

For comparison, movies that are similar by the users who like them reach 0.1 to 0.3.
"""
MOST_LIKERS = 2000
"""Maximum number of users who like the movie whose other likes are counted. On MovieLens-1M expanded to 31 million
ratings, lists for the movies with the most likes (10,000 to 25,000) keep 99.4 % of the similarity that they have when
all users are counted."""


@dataclass(frozen=True)
class SimilarMovies:
    """An index of interactions and catalog that finds similar movies as of any time; `of` builds it."""

    likes: LikesByMovie
    """The interactions."""
    catalog: CatalogSimilarity
    """How alike the movies are by the catalog alone."""
    released_at: Int64Array
    """int64[n_movies]: when each movie came out, POSIX seconds; movies that aren't out yet are never returned."""

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        """Build the index from a dataset's catalog and interactions."""
        return cls(
            LikesByMovie.of(dataset.timeline),
            CatalogSimilarity.of(dataset.movies),
            find_released_at(dataset.timeline, dataset.movies),
        )

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
        if not 0 <= movie < len(self.catalog):
            raise QueryError(
                f"movie {movie} is outside the catalog of {number_of(len(self.catalog), 'movie')}"
            )
        similarity, likes = self._compare(movie, timestamp)
        candidate = self.released_at <= timestamp
        candidate[movie] = False
        if allowed is not None:
            candidate &= allowed
        if k < len(similarity):
            similarity = np.where(candidate, similarity, np.float32(-np.inf))
            candidate &= similarity >= np.partition(similarity, -k)[-k]
        candidates = np.flatnonzero(candidate)
        best = candidates[np.lexsort((-likes[candidates], -similarity[candidates]))[:k]]
        return best.astype(np.int32), similarity[best]

    def _compare(self, movie: int, timestamp: int) -> tuple[Float32Array, Int64Array]:
        """Return each movie's similarity to `movie`, float32[n_movies], and number of likes, int64[n_movies]."""
        likes = self.likes.count(timestamp, len(self.catalog))
        likers = self.likes.find_likers(movie, timestamp)
        n_asked = min(len(likers), MOST_LIKERS)
        asked = likers[np.arange(n_asked) * len(likers) // max(1, n_asked)]
        timeline = self.likes.timeline
        _, row = timeline.as_of(asked, np.full(n_asked, timestamp)).rows()
        liked = timeline.movies[row[timeline.is_positive(row)]]
        share = np.float32(n_asked / max(1, len(likers)))  # 1 / x in the formula
        together = np.bincount(liked, minlength=len(self.catalog)).astype(np.float32)
        n_likes = likes.astype(np.float32)
        expected = n_likes * np.float32(len(liked) / max(1, likes.sum()))
        support = np.sqrt(n_likes * n_likes[movie])
        similarity = (together - expected) / (share * support + SHRINKAGE)
        similarity += self.catalog.compare(movie) * (SHRINKAGE * CATALOG_SIMILARITY) / (support + SHRINKAGE)
        return similarity, likes
