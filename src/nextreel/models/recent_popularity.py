"""How popular movies were lately: log(1 + n) for a movie with n interactions in the 30 days before the query's day.

People who come back after a while watch what became popular meanwhile, which their history doesn't say. Days are those
of UTC and count as a whole, so that all queries of one day share their counts, and none sees its own day.
"""

import numpy as np

from nextreel.arrays import Float32Array, Int32Array, Int64Array
from nextreel.data.timeline import Histories, Timeline
from nextreel.data.times import DAY

RECENT_DAYS = 30
"""Number of days before the query's day whose interactions are counted."""
MOST_KEPT = 2**22
"""Number of counts that are kept for other queries of the same days, 16 MiB."""


class RecentPopularity:
    """Counts interactions, which the constructor gets in order of time; safe to share between threads.

    Parameters
    ----------
    days : int32[n_interactions]
        Day of each interaction, counted from 1970; ascending.
    movies : int32[n_interactions]
        Movie index of each interaction.
    n_movies : int
        Number of movies in the catalog.
    """

    def __init__(self, days: Int32Array, movies: Int32Array, n_movies: int) -> None:
        self.days, self.movies, self._n_movies = days, movies, n_movies
        self._by_day: dict[int, Float32Array] = {}

    @classmethod
    def of(cls, timeline: Timeline, n_movies: int) -> "RecentPopularity":
        """Count the interactions of a timeline."""
        timestamps, movies = timeline.by_time
        return cls((timestamps // DAY).astype(np.int32), movies.astype(np.int32), n_movies)

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        """Return what `at` does: histories change nothing in it."""
        return self.at(timestamps)

    def at(self, timestamps: Int64Array) -> Float32Array:
        """Return float32[n_queries, n_movies] for queries at these timestamps, int64[n_queries] in POSIX seconds."""
        days, query = np.unique(timestamps // DAY, return_inverse=True)
        by_day = [self._count_before(day) for day in days.tolist()]
        return np.stack(by_day)[query] if by_day else np.zeros((0, self._n_movies), dtype=np.float32)

    def _count_before(self, day: int) -> Float32Array:
        counts = self._by_day.get(day)
        if counts is None:
            first, stop = np.searchsorted(self.days, [day - RECENT_DAYS, day])
            n = np.bincount(self.movies[first:stop], minlength=self._n_movies)
            counts = np.log1p(n.astype(np.float32))
            if len(self._by_day) >= MOST_KEPT // max(1, self._n_movies):
                self._by_day = {}
            self._by_day[day] = counts
        return counts
