"""The likes of every movie in order of time: who liked it before a timestamp is found without a pass over all rows.

A like before a timestamp counts unless its user had rated the movie again by then.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from nextreel.arrays import Int32Array, Int64Array, stable_order
from nextreel.data.timeline import NEVER, Timeline

CHECKPOINTS = 32
"""Number of timestamps for which the likes of every movie are counted beforehand, so that the count for another one has
to look only at the likes since then."""


@dataclass(frozen=True)
class LikesByMovie:
    """An index of a timeline's positives by movie; `of` builds it."""

    timeline: Timeline
    rows: Int32Array | Int64Array
    """int32[n_likes], or int64 in a timeline of 2^31 rows and more: rows of the timeline with a positive, sorted by
    movie, then by time."""
    bounds: Int64Array
    """int64[n_rated + 1]: the likes of movie i are rows[bounds[i]] to rows[bounds[i + 1] - 1]; n_rated is one more than
    the highest index of a movie with a like."""
    latest: Int64Array
    """int64[n_rated]: timestamp of each movie's latest like; of a movie without one, it has no meaning."""
    replaced: Int32Array | Int64Array
    """[n_replaced], of the type of `rows`: those of `rows` whose user rated the movie again later."""

    @classmethod
    def of(cls, timeline: Timeline) -> Self:
        """Sort the positives of a timeline."""
        liked = np.flatnonzero(timeline.is_positive())
        rows = liked[stable_order(timeline.movies[liked], timeline.timestamps[liked])]
        if len(timeline) <= np.iinfo(np.int32).max:
            rows = rows.astype(np.int32)
        bounds = np.append(0, np.cumsum(np.bincount(timeline.movies[rows]))).astype(np.int64)
        replaced = rows[timeline.is_superseded(rows, NEVER)]
        latest = timeline.timestamps[rows[bounds[1:] - 1]]
        return cls(timeline, rows, bounds, latest, replaced)

    def count(self, timestamp: int, n_movies: int) -> Int64Array:
        """Return how many users like each movie of a catalog as of a timestamp, int64[n_movies]."""
        timeline = self.timeline
        times, found = self._checkpoints
        checkpoint = int(np.searchsorted(times, timestamp, side="right"))
        low = (found[checkpoint - 1] if checkpoint else self.bounds[:-1]).copy()
        high = (found[checkpoint] if checkpoint < len(found) else self.bounds[1:]).copy()
        self._search(timestamp, low, high)
        counts = np.zeros(n_movies, dtype=np.int64)
        counts[: len(low)] = low - self.bounds[:-1]
        if len(self.replaced):
            ended = self.replaced[timeline.is_superseded(self.replaced, timestamp)]
            counts -= np.bincount(timeline.movies[ended], minlength=n_movies)
        return counts

    @cached_property
    def _checkpoints(self) -> tuple[Int64Array, list[Int32Array | Int64Array]]:
        """Timestamps between which there are about equally many likes, ascending, and for each of them the position in
        `rows` of every movie's first like that isn't earlier."""
        sample = np.sort(self.timeline.timestamps[self.rows[:: max(1, len(self.rows) // 100_000)]])
        places = np.arange(1, CHECKPOINTS if len(sample) else 1) * len(sample) // CHECKPOINTS
        times = np.unique(sample[places])
        found: list[Int32Array | Int64Array] = []
        low = self.bounds[:-1].copy()
        for timestamp in times.tolist():
            high = self.bounds[1:].copy()
            self._search(timestamp, low, high)
            found.append(low.astype(np.int32) if self.rows.dtype == np.int32 else low.copy())
        return times, found

    def _search(self, timestamp: int, low: Int32Array | Int64Array, high: Int32Array | Int64Array) -> None:
        """Set `low` to the position in `rows` of each movie's first like from `low` to `high` that isn't earlier.

        It becomes `high` where all of them are earlier. `high` is overwritten.
        """
        timeline = self.timeline
        is_over = self.latest < timestamp
        low[is_over] = high[is_over]
        # A binary search for all other movies together.
        while len(open_ := np.flatnonzero(low < high)):
            middle = low[open_] + (high[open_] - low[open_]) // 2
            is_earlier = timeline.timestamps[self.rows[middle]] < timestamp
            low[open_] = np.where(is_earlier, middle + 1, low[open_])
            high[open_] = np.where(is_earlier, high[open_], middle)

    def find_likers(self, movie: int, timestamp: int) -> Int64Array:
        """Return the UserIDs of the users who like a movie as of a timestamp, int64[n], in the order of their likes."""
        if movie >= len(self.bounds) - 1:
            return np.empty(0, dtype=np.int64)
        timeline = self.timeline
        rows = self.rows[self.bounds[movie] : self.bounds[movie + 1]]
        rows = rows[: np.searchsorted(timeline.timestamps[rows], timestamp)]
        if len(self.replaced):
            rows = rows[~timeline.is_superseded(rows, timestamp)]
        return timeline.user_ids[np.searchsorted(timeline.offsets, rows, side="right") - 1]
