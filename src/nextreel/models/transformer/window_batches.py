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
from nextreel.data.timeline import Histories
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
class Batch:
    """B windows of events with their queries, padded to T events and Q queries in each window."""

    movies: Tensor
    """int64[B, T]: index of the movie of each of the T events in each of the B windows."""
    ratings: Tensor
    """int64[B, T]: number of each event's rating, 2 * stars - 1, so 0 to 9."""
    pauses: Tensor
    """int64[B, T]: bucket of the time since the previous event; 0 for the first event of a window."""
    gaps: Tensor
    """int64[B, Q]: bucket of the time from the last event that the query sees to the query."""
    weeks: Tensor
    """int64[B, Q]: calendar week of the query, counted from 1970."""
    counts: Tensor
    """int64[B, Q, 3]: buckets of the number of events in the query's history: in all, in its last session, and in its
    last second; the latter two are counted within the window."""
    relations: Tensor
    """int64[B, T + Q, T]: relation of each row, first the events and then the queries, to each event. It numbers
    the pairs (bucket of the time, bucket of the distance) between the two, queries after events; N_RELATIONS
    marks an event that the row must not see."""
    query_places: Tensor
    """int64[at least n_queries]: place of each query among the B * Q, one window after the other; then padding, which
    is 0."""
    query_index: Int64Array
    """int64[n_queries]: for each query of `query_places`, its number in the order in which the queries were given."""

    def to(self, device: torch.device) -> Self:
        return tensors_to(self, device)


def tensors_to(record: R, device: torch.device) -> R:
    """Return a dataclass with its tensors on a device; all else in it stays."""
    tensors = {name: value for name, value in vars(record).items() if isinstance(value, Tensor)}
    return replace(record, **{name: tensor.to(device) for name, tensor in tensors.items()})


def pack_windows(
    events: Events,
    starts: Int64Array,
    stops: Int64Array,
    window_of: Int64Array,
    cuts: Int64Array,
    timestamps: Int64Array,
    n_earlier: Int64Array,
    shape: tuple[int, int, int] = (1, 1, 1),
) -> Batch:
    """Pack windows of events and the queries about them into padded tensors.

    Parameters
    ----------
    events : Events
        The events that the windows are cut from.
    starts, stops : int64[B]
        Window w holds the events starts[w] to stops[w] - 1.
    window_of : int64[n_queries]
        The window of each query; every window has at least one query.
    cuts : int64[n_queries]
        A query sees only those events of its window that come before this position in `events`.
    timestamps : int64[n_queries]
        Timestamps of the queries, POSIX seconds.
    n_earlier : int64[B]
        Number of the user's events before the window.
    shape : (int, int, int)
        Minimum of T, of Q, and of the length of `query_places`, to which a batch is padded.
    """
    movies, ratings, event_timestamps = events
    by_window = np.argsort(window_of, kind="stable")  # [n_queries]
    n_queries = np.bincount(window_of, minlength=len(starts))  # [B]
    first_query = np.cumsum(n_queries) - n_queries  # [B]: position in by_window
    query_slots = np.arange(max(shape[1], int(n_queries.max())))  # [Q]
    query_places = np.flatnonzero(query_slots < n_queries[:, None])  # [n_queries]

    # Padding repeats the last event and the last query of a window.
    rows = starts[:, None] + np.arange(max(shape[0], int((stops - starts).max())))
    rows = np.minimum(rows, np.maximum(stops - 1, starts)[:, None])  # [B, T]
    query = by_window[first_query[:, None] + np.minimum(query_slots, n_queries[:, None] - 1)]  # [B, Q]

    event_time, query_time = event_timestamps[rows], timestamps[query]  # [B, T], [B, Q]
    n_seen = cuts[query] - starts[:, None]  # [B, Q]: number of events of the window before the cut
    last_seen = np.take_along_axis(event_time, np.maximum(n_seen - 1, 0), 1)  # [B, Q]
    return Batch(
        movies=torch.from_numpy(movies[rows].astype(np.int64)),
        ratings=torch.from_numpy((2 * ratings[rows]).astype(np.int64) - 1),
        pauses=_time_bucket(torch.from_numpy(np.diff(event_time, axis=1, prepend=event_time[:, :1]))).long(),
        gaps=_time_bucket(torch.from_numpy(query_time - last_seen)).long(),
        weeks=torch.from_numpy(query_time // WEEK),
        counts=_count(event_time, n_seen, n_earlier),
        relations=_relate(event_time, query_time, n_seen),
        query_places=torch.from_numpy(np.pad(query_places, (0, max(0, shape[2] - len(query_places))))),
        query_index=by_window,
    )


def batch_queries(
    histories: Histories, timestamps: Int64Array, window: int, shape: tuple[int, int, int] = (1, 1, 1)
) -> Batch:
    """Pack queries with the latest `window` events of their histories; queries with the same history share a window.

    Parameters
    ----------
    histories : Histories
        n_queries histories, none of them empty.
    timestamps : int64[n_queries]
        Timestamps of the queries, POSIX seconds.
    window : int
        Maximum number of events in a window.
    shape : (int, int, int)
        As in `pack_windows`.
    """
    timeline = histories.timeline
    # One number for the start and the stop of a history: of rows of two numbers, distinct ones are found much slower.
    slices = histories.starts * (len(timeline) + 1) + histories.stops
    _, first_query, window_of = np.unique(slices, return_index=True, return_inverse=True)
    windows = np.arange(len(first_query))
    window_of_event, row = histories[first_query].last(window).rows()
    starts = np.searchsorted(window_of_event, windows)
    stops = np.searchsorted(window_of_event, windows, side="right")
    events = timeline.movies[row], timeline.stars[row], timeline.timestamps[row]
    n_earlier = histories[first_query].lengths - (stops - starts)
    return pack_windows(events, starts, stops, window_of, stops[window_of], timestamps, n_earlier, shape)


def _count(event_time: Int64Array, n_seen: Int64Array, n_earlier: Int64Array) -> Tensor:
    """Return `Batch.counts`, int64[B, Q, 3], from the timestamps of events.

    `n_seen` is the number of events of its window that each query sees, `n_earlier` that of events before the window.
    """
    pause, place = np.diff(event_time, axis=1, prepend=event_time[:, :1]), np.arange(event_time.shape[1])
    counts = [n_earlier[:, None] + n_seen]
    for longest in (SESSION_PAUSE, 0):
        first = np.maximum.accumulate(
            np.where(pause > longest, place, 0), axis=1
        )  # of those without such a pause
        counts.append(n_seen - np.take_along_axis(first, np.maximum(n_seen - 1, 0), 1))
    return _number_bucket(torch.from_numpy(np.stack(counts, 2))).clamp(max=N_COUNTS - 1).long()


def _relate(event_time: Int64Array, query_time: Int64Array, n_seen: Int64Array) -> Tensor:
    """Return `Batch.relations`, int64[B, T + Q, T], from the timestamps of events and queries.

    `n_seen` is the number of events of its window that each query sees.
    """
    n_windows, n_events = event_time.shape
    row_time = torch.from_numpy(np.concatenate([event_time, query_time], 1))  # [B, T + Q]
    # An event sees itself and the events before it, so event t sees t + 1 of them.
    n_seen_by_event = np.broadcast_to(np.arange(1, n_events + 1), (n_windows, n_events))
    n_seen_by_row = torch.from_numpy(np.concatenate([n_seen_by_event, n_seen], 1).ravel())

    # Computed in place, in float32: the largest tensor of a batch, and bucket numbers are small integers.
    relations = _time_bucket(row_time[:, :, None] - torch.from_numpy(event_time)[:, None, :])
    relations.mul_(N_DISTANCES)
    relations += _distance_buckets(n_events).index_select(0, n_seen_by_row).view_as(relations)
    relations[:, n_events:] += N_TIMES * N_DISTANCES
    return relations.clamp_(max=N_RELATIONS).long()


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
