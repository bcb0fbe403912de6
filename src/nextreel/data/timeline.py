"""Interactions sorted by user and time, and the users' histories as of any timestamp.

Equal timestamps: a history as of t holds the rows with Timestamp < t, never those at t. This rule, `strict`, holds
everywhere in the package unless a caller asks for the other one, `file-order`: then rows at t that stand before the
query in the file are in its history too. Rows of one user in the same second keep the order of their file, so either
history is one slice of the timeline.

Repeated ratings: when a user rates a movie again, the new rating supersedes the earlier one. A history holds,
for each movie, only the last of its ratings. A rating is superseded only in histories that hold the later one, so that
a later rating never changes an earlier history.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple, Self, get_args

import numpy as np
import numpy.typing as npt

from nextreel.arrays import (
    BoolArray,
    Float32Array,
    Int32Array,
    Int64Array,
    concatenate_ranges,
    find_sorted,
    stable_order,
)
from nextreel.data.rating_scale import STARS, RatingScale
from nextreel.errors import ConfigError

Ties = Literal["strict", "file-order"]
"""Which rows of a query's own second are in its history: none, or those that stand before the query in the file."""
NEVER = np.iinfo(np.int64).max
"""Timestamp that stands for "never": it is later than any other."""
USERS_AT_ONCE = 20_000
"""Number of users whose repeated ratings are looked for at a time, to bound the memory."""
FEW_QUERIES = 4
"""Highest number of queries for which one binary search per history is faster than a vectorised search for all."""


class InteractionsByTime(NamedTuple):
    """Interactions in order of time; those of the same second are in the order of their timeline."""

    timestamps: Int64Array
    """int64[n_interactions]: POSIX seconds, ascending."""
    movies: Int32Array
    """int32[n_interactions]: index of the rated movie."""


@dataclass(frozen=True)
class Timeline:
    """Interactions sorted by user, then by timestamp, then by their original order; each takes 16 bytes."""

    movies: Int32Array
    """int32[n_interactions]: index of the rated movie in the catalog."""
    ratings: Float32Array
    """float32[n_interactions]: the rating, on the scale of the data set."""
    timestamps: Int64Array
    """int64[n_interactions]: POSIX seconds, UTC; ascending within a user."""
    user_ids: Int64Array
    """int64[n_users]: UserID of each user index, ascending."""
    offsets: Int64Array
    """int64[n_users + 1]: the rows of user u are offsets[u] to offsets[u + 1] - 1."""
    scale: RatingScale = STARS
    """What the ratings mean: their lowest and highest value, and from where on one counts as liked."""

    @classmethod
    def from_rows(
        cls,
        users: npt.NDArray[np.integer],
        movies: npt.NDArray[np.integer],
        ratings: npt.NDArray[np.floating],
        timestamps: Int64Array,
        user_ids: Int64Array,
        scale: RatingScale = STARS,
    ) -> Self:
        """Create a timeline from rows given in any order.

        Parameters
        ----------
        users, movies : int[n_interactions] each
            Indices of the users and movies, not their ids.
        ratings : float[n_interactions]
            Ratings on the scale.
        timestamps : int64[n_interactions]
            POSIX seconds.
        user_ids : int64[n_users]
            UserID of each user index, ascending; users without rows are allowed.
        scale : RatingScale
            What the ratings mean.
        """
        order = stable_order(users, timestamps)
        counts = np.bincount(users, minlength=len(user_ids))
        return cls(
            movies=movies[order].astype(np.int32),
            ratings=ratings[order].astype(np.float32),
            timestamps=timestamps[order].astype(np.int64),
            user_ids=user_ids,
            offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            scale=scale,
        )

    def __len__(self) -> int:
        return len(self.movies)

    @property
    def n_users(self) -> int:
        """Number of users, with or without interactions."""
        return len(self.user_ids)

    @cached_property
    def users(self) -> Int32Array:
        """int32[n_interactions]: index of each row's user."""
        return np.repeat(np.arange(self.n_users, dtype=np.int32), np.diff(self.offsets))

    @cached_property
    def superseded_by(self) -> Int64Array | None:
        """int64[n_interactions]: the row in which the user rated the same movie again, n_interactions if there is none.

        None if no user rated a movie twice.
        """
        superseded: Int64Array | None = None
        for first_user in range(0, self.n_users, USERS_AT_ONCE):
            offsets = self.offsets[first_user : first_user + USERS_AT_ONCE + 1]
            users = np.repeat(np.arange(len(offsets) - 1, dtype=np.int32), np.diff(offsets))
            movies = self.movies[offsets[0] : offsets[-1]]
            order = stable_order(users, movies)
            users, movies = users[order], movies[order]
            again = np.flatnonzero((users[1:] == users[:-1]) & (movies[1:] == movies[:-1]))
            if not len(again):
                continue
            if superseded is None:
                superseded = np.full(len(self), len(self), dtype=np.int64)
            rows = offsets[0] + order
            superseded[rows[again]] = rows[again + 1]
        return superseded

    def is_superseded(self, rows: npt.NDArray[np.integer], timestamp: int) -> BoolArray:
        """Return bool[n_rows]: whether the user of each row rated its movie again before a timestamp."""
        superseded = np.zeros(len(rows), dtype=np.bool_)
        if self.superseded_by is not None:
            later = self.superseded_by[rows]
            again = np.flatnonzero(later < len(self))
            superseded[again] = self.timestamps[later[again]] < timestamp
        return superseded

    @cached_property
    def by_time(self) -> InteractionsByTime:
        """All interactions in order of time."""
        order = np.argsort(self.timestamps, kind="stable")
        return InteractionsByTime(self.timestamps[order], self.movies[order])

    def sorted_already(self, by_time: InteractionsByTime, superseded_by: Int64Array | None) -> Self:
        """Return this timeline with what `by_time` and `superseded_by` would compute, as it was computed before."""
        sorted_: Self = replace(self)
        vars(sorted_).update(by_time=by_time, superseded_by=superseded_by)
        return sorted_

    @property
    def positive_rating(self) -> float:
        """Lowest rating that makes an interaction a positive: what counts as liked in this data set."""
        return self.scale.liked_from

    @cached_property
    def stars(self) -> Float32Array:
        """float32[n_interactions]: the ratings as half stars, 0.5 to 5, for models that expect these."""
        return self.scale.to_stars(self.ratings)

    def is_positive(self, rows: slice | npt.NDArray[np.integer] = slice(None)) -> BoolArray:
        """Return bool[n_rows]: whether the rating in each of `rows`, by default in every row, is a positive."""
        positive: BoolArray = self.ratings[rows] >= self.positive_rating
        return positive

    def keep(self, kept: BoolArray) -> Self:
        """Return a timeline with only the rows marked in `kept`, bool[n_interactions]. No user is removed."""
        return replace(
            self,
            movies=self.movies[kept],
            ratings=self.ratings[kept],
            timestamps=self.timestamps[kept],
            offsets=np.append(0, np.cumsum(kept))[self.offsets],
        )

    def only_users_with_rows(self) -> Self:
        """Return a timeline of the same rows without the users that have none."""
        has_rows = np.diff(self.offsets) > 0
        if has_rows.all():
            return self
        offsets = np.append(self.offsets[:-1][has_rows], self.offsets[-1])
        fewer = replace(self, user_ids=self.user_ids[has_rows], offsets=offsets)
        return fewer.sorted_already(self.by_time, self.superseded_by)

    def without_users(self, user_ids: Int64Array) -> Self:
        """Return a timeline without these UserIDs and their rows."""
        stays = ~np.isin(self.user_ids, user_ids)
        kept = self.keep(np.repeat(stays, np.diff(self.offsets)))
        offsets = np.append(kept.offsets[:-1][stays], kept.offsets[-1])
        return replace(kept, user_ids=self.user_ids[stays], offsets=offsets)

    def renumber(self, movies: Int32Array) -> Self:
        """Return a timeline with other movie indices.

        Parameters
        ----------
        movies : int32[n_movies]
            The new index of each movie; rows of movies with the new index -1 are removed.
        """
        new_indices = movies[self.movies]
        return replace(self, movies=new_indices).keep(new_indices >= 0)

    def as_of(self, user_ids: Int64Array, timestamps: Int64Array, ties: Ties = "strict") -> "Histories":
        """Return each user's history as of a timestamp, as slices of this timeline; no row is copied.

        Parameters
        ----------
        user_ids : int64[n_queries]
            UserIDs; an unknown user has an empty history.
        timestamps : int64[n_queries]
            POSIX seconds.
        ties : Ties
            With "file-order", a history holds all rows of its own second, as of a query that comes after them;
            `Histories.without_last` takes away those that the query precedes.

        Raises
        ------
        ConfigError
            `ties` is neither strict nor file-order.
        """
        require_ties(ties)
        until = timestamps if ties == "strict" else timestamps + 1
        users = find_sorted(self.user_ids, user_ids)
        known = users >= 0
        rows = np.where(known, users, 0)
        starts = np.where(known, self.offsets[rows], 0)
        stops = np.where(known, self.offsets[np.minimum(rows + 1, self.n_users)], 0)
        ends = self._find_first_rows(starts, stops, until)
        return Histories(self, user_ids, starts, ends, until)

    def _find_first_rows(self, starts: Int64Array, stops: Int64Array, timestamps: Int64Array) -> Int64Array:
        """Return int64[n_queries]: the first row from start to stop - 1 that isn't before the timestamp, or stop."""
        if len(timestamps) <= FEW_QUERIES:
            slices = [self.timestamps[start:stop] for start, stop in zip(starts, stops, strict=True)]
            lengths = [np.searchsorted(rows, end) for rows, end in zip(slices, timestamps, strict=True)]
            return starts + np.array(lengths, dtype=np.int64)
        low, high = starts.copy(), stops.copy()
        # As of now, as a server is mostly asked, a whole history is before the timestamp.
        is_over = (low < high) & (self.timestamps[np.maximum(stops - 1, 0)] < timestamps)
        low[is_over] = stops[is_over]
        while (open_ := low < high).any():
            middle = (low + high) // 2
            earlier = open_ & (self.timestamps[np.where(open_, middle, 0)] < timestamps)
            low = np.where(earlier, middle + 1, low)
            high = np.where(open_ & ~earlier, middle, high)
        return low


@dataclass(frozen=True)
class Histories:
    """The histories of a batch of queries, as slices of one timeline."""

    timeline: Timeline
    user_ids: Int64Array
    """int64[n_queries]: UserID of the user of each history."""
    starts: Int64Array
    """int64[n_queries]: first row of each history."""
    stops: Int64Array
    """int64[n_queries]: one past the last row of each history."""
    as_of: Int64Array
    """int64[n_queries]: timestamp, POSIX seconds, to which all rows of each history are strictly earlier."""
    may_be_cached: bool = False
    """Whether a model may keep what it computes from these histories for later queries: from those of the users of a
    server's store, not from those of its guests."""

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
        """int64[n_queries]: number of rows in each history, superseded ratings included."""
        return self.stops - self.starts

    def keep(self, query: Int64Array, row: Int64Array) -> Self:
        """Return the histories with only the given rows, which are copied to a new timeline; they may not be cached.

        Parameters
        ----------
        query, row : int64[n_rows] each
            The rows to keep, a subset of what `rows` returns in the same order: for each row, the query whose history
            holds it, and its index in the timeline.
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
        # Where nobody rated a movie twice, no part of a history repeats one, and finding that out takes a sort.
        if timeline.superseded_by is None:
            vars(kept).update(superseded_by=None)
        return replace(self, timeline=kept, starts=offsets[:-1], stops=offsets[1:], may_be_cached=False)

    def last(self, n: int) -> Self:
        """Return the histories, each cut to its n latest rows."""
        return replace(self, starts=np.maximum(self.starts, self.stops - n))

    def without_last(self, n: Int64Array) -> Self:
        """Return the histories, each without its n latest rows, int64[n_queries], of which it has at least so many."""
        return replace(self, stops=self.stops - n)

    def rows(self) -> tuple[Int64Array, Int64Array]:
        """Return the rows of all histories, sorted by query, then by time.

        Ratings that another row of the history supersedes are left out.

        Returns
        -------
        query, row : int64[n_rows] each
            The query whose history holds the row, and the row's index in the timeline's arrays.
        """
        lengths = self.lengths
        query = np.repeat(np.arange(len(self), dtype=np.int64), lengths)
        row = concatenate_ranges(self.starts, lengths)
        superseded_by = self.timeline.superseded_by
        if superseded_by is None:
            return query, row
        is_current = superseded_by[row] >= self.stops[query]
        return query[is_current], row[is_current]


def require_ties(ties: str) -> None:
    """Raise ConfigError unless `ties` is a rule for equal timestamps, "strict" or "file-order"."""
    if ties not in get_args(Ties):
        raise ConfigError(f"ties is {ties!r}; expected strict or file-order")
