"""How many users had rated a movie as of a timestamp: its popularity in the past."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from nextreel.arrays import Int32Array, Int64Array
from nextreel.data.timeline import Timeline


def count_raters(
    timeline: Timeline, movies: Int64Array, timestamps: Int64Array
) -> tuple[Int64Array, Int64Array]:
    """Count, as of each query's timestamp, the users who had rated its movie and those who had rated any movie.

    Parameters
    ----------
    timeline : Timeline
        Interactions of all users.
    movies : int64[n_queries]
        Index of one movie per query.
    timestamps : int64[n_queries]
        POSIX seconds.

    Returns
    -------
    int64[n_queries], int64[n_queries]
        Users who had rated the query's movie, and users who had rated any movie, strictly before the timestamp.
    """
    raters, users = RaterCounts.of(timeline).count(movies[:, None].astype(np.int32), timestamps)
    return raters[:, 0], users


@dataclass(frozen=True)
class RaterCounts:
    """An index of first ratings, which answers how many users had rated a movie as of any timestamp."""

    first_ratings: Int64Array
    """int64[n_pairs]: for each (user, movie) pair, the `_sort_key` of its first rating; sorted."""
    first_activity: Int64Array
    """int64[n_users]: timestamp of each active user's first interaction; sorted."""

    @classmethod
    def of(cls, timeline: Timeline) -> Self:
        """Create the index from the interactions of a timeline."""
        order = np.lexsort((timeline.timestamps, timeline.movies, timeline.users))
        movies, users = timeline.movies[order], timeline.users[order]
        again = np.append(False, (movies[1:] == movies[:-1]) & (users[1:] == users[:-1]))
        first_ratings = _sort_key(movies[~again], timeline.timestamps[order][~again])
        active = timeline.offsets[:-1] < timeline.offsets[1:]
        first_activity = timeline.timestamps[timeline.offsets[:-1][active]]
        return cls(np.sort(first_ratings), np.sort(first_activity))

    def count(self, movies: Int32Array, timestamps: Int64Array) -> tuple[Int64Array, Int64Array]:
        """Count the raters of k movies per query, and of any movie, as of the query's timestamp.

        Parameters
        ----------
        movies : int32[n_queries, k]
            Indices of movies.
        timestamps : int64[n_queries]
            POSIX seconds.

        Returns
        -------
        int64[n_queries, k], int64[n_queries]
            Users who had rated each movie, and users who had rated any movie, strictly before the timestamp.
        """
        start_of_movie = np.searchsorted(self.first_ratings, _sort_key(movies, np.zeros(1, dtype=np.int64)))
        end = np.searchsorted(self.first_ratings, _sort_key(movies, timestamps[:, None]))
        return end - start_of_movie, np.searchsorted(self.first_activity, timestamps)


def _sort_key(movies: Int32Array, timestamps: Int64Array) -> Int64Array:
    """Return int64 keys that sort by movie (upper 32 bits), then by timestamp (lower 32 bits)."""
    return (movies.astype(np.int64) << 32) | timestamps
