"""Interactions as a timeline: what was known about each user before any moment.

The rule for equal timestamps, stated here and used everywhere: a history as of t holds the rows with
Timestamp < t, never those at t. Rows of one user in one second keep the order of their file.

A movie that a user rated more than once is several events, and the later one wins: a history as of t
holds, for each movie, only the last rating before t. The earlier rating is dropped when the later one
has happened and not before, so a rating still to come never changes the past.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from nextreel.arrays import BoolArray, Float32Array, Int32Array, Int64Array, find_sorted
from nextreel.data.schema import POSITIVE

NEVER = np.iinfo(np.int64).max
FEW = 4
"""Queries up to which a search of each slice is quicker than a step for all of them at once."""


@dataclass(frozen=True)
class Timeline:
    """Interactions sorted by (user, Timestamp, original row): 16 bytes a row."""

    movies: Int32Array
    """int32[n_interactions]: index of the movie in the catalog."""
    ratings: Float32Array
    """float32[n_interactions]: stars, 0.5 to 5."""
    timestamps: Int64Array
    """int64[n_interactions]: POSIX seconds, UTC; ascending within a user."""
    user_ids: Int64Array
    """int64[n_users]: UserID of each user index, ascending."""
    offsets: Int64Array
    """int64[n_users + 1]: user u's rows are offsets[u] to offsets[u + 1]."""
    positive_rating: float = POSITIVE
    """Rating from which on an interaction is a positive: the data set's own rule of what counts as liked."""

    @classmethod
    def from_rows(
        cls,
        users: npt.NDArray[np.integer],
        movies: npt.NDArray[np.integer],
        ratings: npt.NDArray[np.floating],
        timestamps: Int64Array,
        user_ids: Int64Array,
    ) -> Self:
        """Sort rows given in any order; `users` and `movies` are indices, not ids."""
        order = np.lexsort((timestamps, users))
        counts = np.bincount(users, minlength=len(user_ids))
        return cls(
            movies=movies[order].astype(np.int32),
            ratings=ratings[order].astype(np.float32),
            timestamps=timestamps[order].astype(np.int64),
            user_ids=user_ids,
            offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        )

    def __len__(self) -> int:
        return len(self.movies)

    @property
    def n_users(self) -> int:
        """Users, with or without interactions."""
        return len(self.user_ids)

    @cached_property
    def users(self) -> Int32Array:
        """int32[n_interactions]: index of each row's user."""
        return np.repeat(np.arange(self.n_users, dtype=np.int32), np.diff(self.offsets))

    @cached_property
    def superseded_at(self) -> Int64Array | None:
        """int64[n_interactions]: when the user rated the same movie again; None if nobody ever did."""
        order = np.lexsort((self.movies, self.users))
        again = (self.users[order][1:] == self.users[order][:-1]) & (
            self.movies[order][1:] == self.movies[order][:-1]
        )
        if not again.any():
            return None
        superseded = np.full(len(self), NEVER, dtype=np.int64)
        superseded[order[:-1][again]] = self.timestamps[order[1:][again]]
        return superseded

    def is_positive(self, rows: slice | npt.NDArray[np.integer] = slice(None)) -> BoolArray:
        """bool[n_rows]: whether the rating in each of these rows, or of all, is a positive."""
        positive: BoolArray = self.ratings[rows] >= self.positive_rating
        return positive

    def keep(self, kept: BoolArray) -> Self:
        """The timeline with some rows alone: those marked in bool[n_interactions]. Every user stays."""
        return replace(
            self,
            movies=self.movies[kept],
            ratings=self.ratings[kept],
            timestamps=self.timestamps[kept],
            offsets=np.append(0, np.cumsum(kept))[self.offsets],
        )

    def renumber(self, movies: Int32Array) -> Self:
        """The same with other numbers for the movies, int32[n_movies]; rows of those numbered -1 are left out."""
        numbers = movies[self.movies]
        return replace(self, movies=numbers).keep(numbers >= 0)

    def as_of(self, user_ids: Int64Array, timestamps: Int64Array) -> "Histories":
        """The history of each (user, moment): slices found by binary search, nothing is copied.

        Parameters
        ----------
        user_ids : int64[n_queries]
            UserIDs; one who isn't here has an empty history.
        timestamps : int64[n_queries]
            Moments, POSIX seconds.
        """
        users = find_sorted(self.user_ids, user_ids)
        known = users >= 0
        rows = np.where(known, users, 0)
        starts = np.where(known, self.offsets[rows], 0)
        stops = np.where(known, self.offsets[np.minimum(rows + 1, self.n_users)], 0)
        return Histories(self, user_ids, starts, self._first_row_at(starts, stops, timestamps), timestamps)

    def _first_row_at(self, starts: Int64Array, stops: Int64Array, timestamps: Int64Array) -> Int64Array:
        """First row in [start, stop) whose Timestamp is >= at, for all queries at once."""
        if len(timestamps) <= FEW:
            slices = [self.timestamps[start:stop] for start, stop in zip(starts, stops, strict=True)]
            within = [np.searchsorted(rows, moment) for rows, moment in zip(slices, timestamps, strict=True)]
            return starts + np.array(within, dtype=np.int64)
        low, high = starts.copy(), stops.copy()
        while (open_ := low < high).any():
            middle = (low + high) // 2
            earlier = open_ & (self.timestamps[np.where(open_, middle, 0)] < timestamps)
            low = np.where(earlier, middle + 1, low)
            high = np.where(open_ & ~earlier, middle, high)
        return low


@dataclass(frozen=True)
class Histories:
    """The histories of a batch of queries, as slices of a timeline."""

    timeline: Timeline
    user_ids: Int64Array
    """int64[n_queries]: whose history it is."""
    starts: Int64Array
    """int64[n_queries]: first row of each history."""
    stops: Int64Array
    """int64[n_queries]: one past the last row."""
    as_of: Int64Array
    """int64[n_queries]: the moment each history was cut at; all its rows are earlier."""

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, queries: slice | npt.NDArray[np.integer] | BoolArray) -> Self:
        return replace(
            self,
            user_ids=self.user_ids[queries],
            starts=self.starts[queries],
            stops=self.stops[queries],
            as_of=self.as_of[queries],
        )

    @property
    def lengths(self) -> Int64Array:
        """int64[n_queries]: rows in each history."""
        return self.stops - self.starts

    def keep(self, query: Int64Array, row: Int64Array) -> Self:
        """The histories with some of their rows alone, copied to a timeline of their own.

        Parameters
        ----------
        query, row : int64[n_rows] each
            The rows to keep and whose history each is in, as `rows` gives them: in ascending order of the query.
        """
        timeline = self.timeline
        offsets = np.append(0, np.cumsum(np.bincount(query, minlength=len(self))))
        kept = replace(
            timeline,
            movies=timeline.movies[row],
            ratings=timeline.ratings[row],
            timestamps=timeline.timestamps[row],
            user_ids=np.arange(len(self)),
            offsets=offsets,
        )
        return replace(self, timeline=kept, starts=offsets[:-1], stops=offsets[1:])

    def last(self, n: int) -> Self:
        """The same histories, each cut to its n latest rows."""
        return replace(self, starts=np.maximum(self.starts, self.stops - n))

    def rows(self) -> tuple[Int64Array, Int64Array]:
        """All rows of all histories: (query, row), each int64[n_rows], oldest first within a query.

        `row` indexes the timeline's arrays. Ratings that the user had replaced by then are left out.
        """
        lengths = self.lengths
        query = np.repeat(np.arange(len(self), dtype=np.int64), lengths)
        ends = np.cumsum(lengths)
        row = np.arange(ends[-1] if len(ends) else 0, dtype=np.int64)
        row += np.repeat(self.starts - (ends - lengths), lengths)
        superseded_at = self.timeline.superseded_at
        if superseded_at is None:
            return query, row
        stands = superseded_at[row] >= self.as_of[query]
        return query[stands], row[stands]


@dataclass(frozen=True)
class _Raters:
    """How many users had rated a movie, and how many users there were, before any moment."""

    keys: Int64Array
    """int64[n]: movie and second of each user's first rating of each movie, ascending."""
    arrivals: Int64Array
    """int64[n_users]: second of each user's first rating, ascending."""

    @classmethod
    def of(cls, timeline: Timeline) -> Self:
        order = np.lexsort((timeline.timestamps, timeline.movies, timeline.users))
        movies, users = timeline.movies[order], timeline.users[order]
        again = np.append(False, (movies[1:] == movies[:-1]) & (users[1:] == users[:-1]))
        keys = _key(movies[~again], timeline.timestamps[order][~again])
        active = timeline.offsets[:-1] < timeline.offsets[1:]
        return cls(np.sort(keys), np.sort(timeline.timestamps[timeline.offsets[:-1][active]]))

    def count(self, movies: Int32Array, timestamps: Int64Array) -> tuple[Int64Array, Int64Array]:
        """(int64[n, k] users who had rated each movie, int64[n] users there were), strictly before `timestamps`."""
        first = np.searchsorted(self.keys, _key(movies, np.zeros(1, dtype=np.int64)))
        raters = np.searchsorted(self.keys, _key(movies, timestamps[:, None])) - first
        return raters, np.searchsorted(self.arrivals, timestamps)


def count_raters(
    timeline: Timeline, movies: Int64Array, timestamps: Int64Array
) -> tuple[Int64Array, Int64Array]:
    """(users who had rated each query's movie, users there were) strictly before its timestamp, int64[n_queries]."""
    raters, users = _Raters.of(timeline).count(movies[:, None].astype(np.int32), timestamps)
    return raters[:, 0], users


def _key(movies: Int32Array, seconds: Int64Array) -> Int64Array:
    """One number that orders by movie, then by second; seconds have 32 bits (LATEST_TIMESTAMP)."""
    return (movies.astype(np.int64) << 32) | seconds
