"""Windows of events, and the queries about them, as padded tensors.

A window is a run of consecutive events of one user. All queries about a window share it, and each sees only the events
before its own cut. The shapes are B windows, at most T events in a window, and at most Q queries about a window.
"""

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Self, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nextreel.arrays import Float32Array, Int64Array
from nextreel.data.times import WEEK

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

N_TIMES = 64
"""Number of buckets for a duration: one for 0 seconds, then `TIMES_PER_DOUBLING` for each doubling, up to 2^31 seconds
(68 years)."""
TIMES_PER_DOUBLING = 2
"""Number of buckets for each doubling of a duration. Relative precision is what matters: a minute more or less means
much after two minutes and nothing after two years."""
N_DISTANCES = 32
"""Number of buckets for the number of events between two rows of a window; the last begins at 512 events."""
N_COUNTS = 40
"""Number of buckets for the number of events in a part of a history; the last begins at 3,251 events."""
SMALL_NUMBERS = 16
"""Numbers of events below this have a bucket each, because the latest events say the most about the next one."""
NUMBERS_PER_DOUBLING = 3
"""Number of buckets for each doubling of a number of events from `SMALL_NUMBERS` on."""
SESSION_PAUSE = 1800
"""Longest pause between two events of a session, in seconds: half an hour, as is usual."""
N_RELATIONS = 2 * N_TIMES * N_DISTANCES
"""Number of relations (pairs of a time bucket and a distance bucket, apart for events and for queries) that have a
learned attention bias. The number N_RELATIONS itself stands for an event that a row must not see."""
NOT_VISIBLE = 1e6
"""Distance bucket of an event that a row must not see: larger than any relation's number, so that it is recognised
after the time bucket is added."""

R = TypeVar("R", bound="DataclassInstance")

Events = tuple[npt.NDArray[np.integer], Float32Array, Int64Array]
"""Movie indices, ratings in stars, and timestamps (POSIX seconds) of consecutive events, [n_events] each."""


@dataclass(frozen=True)
class EventRows:
    """Events of B windows, at most T of each, padded."""

    movies: Tensor
    """int64[B, T]: index of the movie of each event."""
    ratings: Tensor
    """int64[B, T]: number of each event's rating, 2 * stars - 1, so 0 to 9."""
    pauses: Tensor
    """int64[B, T]: bucket of the time since the previous event; 0 for the first event of a window."""

    def to(self, device: torch.device) -> Self:
        return tensors_to(self, device)


@dataclass(frozen=True)
class QueryRows:
    """Queries about B windows, at most Q about each, padded."""

    gaps: Tensor
    """int64[B, Q]: bucket of the time from the last event that the query sees to the query."""
    weeks: Tensor
    """int64[B, Q]: calendar week of the query, counted from 1970."""
    counts: Tensor
    """int64[B, Q, 3]: buckets of the number of events in the query's history: in all, in its last session, and in its
    last second; the latter two are counted within the window."""
    n_seen: Tensor
    """int64[B, Q]: number of events of its window that each query sees, the first ones."""
    places: Tensor
    """int64[at least n_queries]: place of each query among the B * Q, one window after the other; then padding, which
    is 0."""
    index: Int64Array
    """int64[n_queries]: for each query of `places`, its number in the order in which the queries were given."""

    def to(self, device: torch.device) -> Self:
        return tensors_to(self, device)


@dataclass(frozen=True)
class Batch:
    """B windows of at most T events, with at most Q queries about each."""

    events: EventRows
    queries: QueryRows
    relations: Tensor
    """int64[B, T + Q, T]: relation of each row, first the events and then the queries, to each event; see `relate`."""

    def to(self, device: torch.device) -> Self:
        return type(self)(self.events.to(device), self.queries.to(device), self.relations.to(device))


def tensors_to(record: R, device: torch.device) -> R:
    """Return a dataclass with its tensors on a device; all else in it stays."""
    tensors = {name: value for name, value in vars(record).items() if isinstance(value, Tensor)}
    return replace(record, **{name: tensor.to(device) for name, tensor in tensors.items()})


@dataclass(frozen=True)
class WindowArrays:
    """The events of B windows as padded arrays, from which tensors are packed."""

    movies: npt.NDArray[np.integer]
    """int[B, T]: index of the movie of each event; padding repeats the last event of a window."""
    stars: Float32Array
    """float32[B, T]: rating of each event."""
    timestamps: Int64Array
    """int64[B, T]: time of each event, POSIX seconds."""

    @classmethod
    def of(cls, events: Events, starts: Int64Array, stops: Int64Array, n_rows: int = 1) -> Self:
        """Cut windows out of consecutive events: window w holds the events starts[w] to stops[w] - 1.

        T is at least `n_rows`.
        """
        rows = starts[:, None] + np.arange(max(n_rows, int((stops - starts).max())))
        rows = np.minimum(rows, np.maximum(stops - 1, starts)[:, None])  # [B, T]
        movies, stars, timestamps = events
        return cls(movies[rows], stars[rows], timestamps[rows])

    @property
    def n_seen(self) -> Int64Array:
        """int64[B, T]: number of events that each event sees, which are itself and those before it."""
        n_windows, n_events = self.timestamps.shape
        return np.tile(np.arange(1, n_events + 1), (n_windows, 1))

    def pack(self) -> EventRows:
        """Return the events as tensors."""
        return EventRows(
            movies=torch.from_numpy(self.movies.astype(np.int64)),
            ratings=torch.from_numpy((2 * self.stars).astype(np.int64) - 1),
            pauses=_time_bucket(torch.from_numpy(_find_pauses(self.timestamps))).long(),
        )


@dataclass(frozen=True)
class QueryArrays:
    """The queries about B windows as padded arrays, from which tensors are packed."""

    timestamps: Int64Array
    """int64[B, Q]: time of each query, POSIX seconds; padding repeats the last query of a window."""
    n_seen: Int64Array
    """int64[B, Q]: number of events of its window that each query sees, the first ones."""
    lengths: Int64Array
    """int64[B, Q]: number of events in the whole history of each query, those before the window included."""
    places: Int64Array
    """int64[n_queries]: place of each query among the B * Q."""
    index: Int64Array
    """int64[n_queries]: as in `QueryRows`."""

    @classmethod
    def of(
        cls,
        window_of: Int64Array,
        timestamps: Int64Array,
        n_seen: Int64Array,
        lengths: Int64Array,
        n_rows: int = 1,
    ) -> Self:
        """Arrange queries by their windows; Q is at least `n_rows`.

        Parameters
        ----------
        window_of : int64[n_queries]
            The window of each query; every window has at least one query.
        timestamps, n_seen, lengths : int64[n_queries]
            As in the class.
        """
        by_window = np.argsort(window_of, kind="stable")  # [n_queries]
        n_queries = np.bincount(window_of)  # [B]
        first_query = np.cumsum(n_queries) - n_queries  # [B]: position in by_window
        slots = np.arange(max(n_rows, int(n_queries.max())))  # [Q]
        query = by_window[first_query[:, None] + np.minimum(slots, n_queries[:, None] - 1)]  # [B, Q]
        places = np.flatnonzero(slots < n_queries[:, None])
        return cls(timestamps[query], n_seen[query], lengths[query], places, by_window)

    def pack(self, event_time: Int64Array, n_places: int = 1) -> QueryRows:
        """Return the queries as tensors; `event_time`, int64[B, T], are the times of the events of their windows.

        `places` is padded to `n_places`.
        """
        window = np.arange(len(event_time))[:, None]
        last_seen = event_time[window, np.maximum(self.n_seen - 1, 0)]  # [B, Q]
        places = self.places
        if len(places) < n_places:
            places = np.pad(places, (0, n_places - len(places)))
        return QueryRows(
            gaps=_time_bucket(torch.from_numpy(self.timestamps - last_seen)).long(),
            weeks=torch.from_numpy(self.timestamps // WEEK),
            counts=self._count(event_time),
            n_seen=torch.from_numpy(self.n_seen),
            places=torch.from_numpy(places),
            index=self.index,
        )

    def _count(self, event_time: Int64Array) -> Tensor:
        """Return `QueryRows.counts`, int64[B, Q, 3]."""
        pause, place = _find_pauses(event_time), np.arange(event_time.shape[1])
        window, last = np.arange(len(event_time))[:, None], np.maximum(self.n_seen - 1, 0)
        counts = [self.lengths]
        for longest in (SESSION_PAUSE, 0):
            first = np.maximum.accumulate(
                np.where(pause > longest, place, 0), axis=1
            )  # of those without such a pause
            counts.append(self.n_seen - first[window, last])
        return _number_bucket(torch.from_numpy(np.stack(counts, 2))).clamp(max=N_COUNTS - 1).long()


def pack_batch(windows: WindowArrays, queries: QueryArrays, n_places: int = 1) -> Batch:
    """Return windows and the queries about them as tensors; `QueryRows.places` is padded to `n_places`."""
    event_time = windows.timestamps
    row_time = np.concatenate([event_time, queries.timestamps], 1)
    n_seen = np.concatenate([windows.n_seen, queries.n_seen], 1)
    relations = relate(event_time, row_time, n_seen, first_query=event_time.shape[1])
    return Batch(windows.pack(), queries.pack(event_time, n_places), relations)


def relate(event_time: Int64Array, row_time: Int64Array, n_seen: Int64Array, first_query: int) -> Tensor:
    """Return the relation of each row to each event of its window, int64[B, R, T].

    It numbers the pairs (bucket of the time, bucket of the distance) between the two, queries after events. N_RELATIONS
    marks an event that the row must not see.

    Parameters
    ----------
    event_time : int64[B, T]
    row_time : int64[B, R]
        Times of the rows, POSIX seconds.
    n_seen : int64[B, R]
        Number of events of its window that each row sees.
    first_query : int
        The rows from this one on are queries.
    """
    # Computed in place, in float32: the largest tensor of a batch, and bucket numbers are small integers.
    relations = _time_bucket(
        torch.from_numpy(row_time)[:, :, None] - torch.from_numpy(event_time)[:, None, :]
    )
    relations.mul_(N_DISTANCES)
    distances = _distance_buckets(event_time.shape[1])
    relations += distances.index_select(0, torch.from_numpy(n_seen.ravel())).view_as(relations)
    relations[:, first_query:] += N_TIMES * N_DISTANCES
    return relations.clamp_(max=N_RELATIONS).long()


def _find_pauses(event_time: Int64Array) -> Int64Array:
    """Return the time of each event since the previous one of its window, int64[B, T] seconds; 0 for the first one."""
    pauses = np.zeros_like(event_time)
    np.subtract(event_time[:, 1:], event_time[:, :-1], out=pauses[:, 1:])
    return pauses


def _time_bucket(seconds: Tensor) -> Tensor:
    """Return the number of each duration's bucket, as whole numbers in float32."""
    # Any minimum between 2^-0.5 and 1 second puts durations of 0 into bucket 0, and those of 1 second into bucket 1.
    logarithm = seconds.float().clamp_(min=0.8).log2_()
    return logarithm.mul_(TIMES_PER_DOUBLING).floor_().add_(1).clamp_(max=N_TIMES - 1)


def _number_bucket(n_events: Tensor) -> Tensor:
    """Return the bucket of each number of events, as whole numbers in float32; the last bucket is the caller's."""
    doublings = torch.log2(n_events.clamp(min=SMALL_NUMBERS) / SMALL_NUMBERS)
    large = SMALL_NUMBERS + (NUMBERS_PER_DOUBLING * doublings).floor()
    return torch.where(n_events < SMALL_NUMBERS, n_events, large)


@cache
def _distance_buckets(n_events: int) -> Tensor:
    """Return float32[n_events + 1, n_events]: at [i, j] the distance bucket from a row that sees i events to event j.

    NOT_VISIBLE stands where j is not among the first i events.
    """
    distance = torch.arange(n_events + 1)[:, None] - torch.arange(n_events)
    buckets = _number_bucket(distance).clamp(max=N_DISTANCES - 1)
    return torch.where(distance > 0, buckets, NOT_VISIBLE)
