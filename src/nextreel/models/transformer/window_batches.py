"""Windows of events as padded tensors, with the queries that are asked about them."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nextreel.arrays import Float32Array, Int64Array
from nextreel.data.timeline import Histories
from nextreel.data.times import WEEK

N_TIMES, N_DISTANCES = 64, 32


OUT_OF_SIGHT = 1e6


@dataclass(frozen=True)
class Batch:
    """Windows of events, each with questions, padded: B windows, T events, Q questions."""

    movies: Tensor
    """int64[B, T]."""
    ratings: Tensor
    """int64[B, T]: twice the stars, less one."""
    pauses: Tensor
    """int64[B, T]: bucket of the time since the event before."""
    gaps: Tensor
    """int64[B, Q]: bucket of the time from the last event in sight to the question."""
    weeks: Tensor
    """int64[B, Q]: calendar week of the question, counted from 1970."""
    relations: Tensor
    """int64[B, T + Q, T]: how a row stands to an event, an index into a layer's table; the last is "hidden"."""
    asked: Tensor
    """bool[B, Q]: False where there is only padding."""
    order: Int64Array
    """int64[n_questions]: which question each True of `asked` is."""


def pack(
    events: tuple[npt.NDArray[np.integer], Float32Array, Int64Array],
    starts: Int64Array,
    stops: Int64Array,
    window_of: Int64Array,
    cuts: Int64Array,
    timestamps: Int64Array,
) -> Batch:
    """Windows [start, stop) of the events (movies, ratings, times), and questions about them.

    A question of window w at a moment sees the events of w before row `cut`.
    """
    movies, ratings, times = events
    order = np.argsort(window_of, kind="stable")
    n_asked = np.bincount(window_of, minlength=len(starts))
    asked = np.arange(n_asked.max()) < n_asked[:, None]
    rows = starts[:, None] + np.arange(max(1, int((stops - starts).max())))
    rows = np.minimum(rows, np.maximum(stops - 1, starts)[:, None])
    n_events = rows.shape[1]
    first = np.cumsum(n_asked) - n_asked
    question = order[first[:, None] + np.minimum(np.arange(asked.shape[1]), n_asked[:, None] - 1)]
    cut, moment, seen = cuts[question] - starts[:, None], timestamps[question], times[rows]
    last = np.take_along_axis(seen, np.maximum(cut - 1, 0), 1)

    own_place = np.concatenate([np.broadcast_to(np.arange(1, n_events + 1), rows.shape), cut], 1)
    own_time = torch.from_numpy(np.concatenate([seen, moment], 1))
    relations = _bucket(own_time[:, :, None] - torch.from_numpy(seen)[:, None, :]).mul_(N_DISTANCES)
    relations += _distances(n_events).index_select(0, torch.from_numpy(own_place.ravel())).view_as(relations)
    relations[:, n_events:] += N_TIMES * N_DISTANCES
    return Batch(
        movies=torch.from_numpy(movies[rows].astype(np.int64)),
        ratings=torch.from_numpy((2 * ratings[rows]).astype(np.int64) - 1),
        pauses=_bucket(torch.from_numpy(np.diff(seen, axis=1, prepend=seen[:, :1]))).long(),
        gaps=_bucket(torch.from_numpy(moment - last)).long(),
        weeks=torch.from_numpy(moment // WEEK),
        relations=relations.clamp_(max=2 * N_TIMES * N_DISTANCES).long(),
        asked=torch.from_numpy(asked),
        order=order,
    )


def _bucket(seconds: Tensor) -> Tensor:
    """0 for no time at all, then two buckets for each doubling, as whole float32 numbers."""
    halves = seconds.float().clamp_(min=0.8).log2_().mul_(2).floor_().add_(1)
    return halves.clamp_(max=N_TIMES - 1)


@cache
def _distances(n_events: int) -> Tensor:
    """float32[n_events + 1, n_events]: bucket of how far event j lies before a row that sees the first i events.

    One bucket each to 16 rows, then three for each doubling; far beyond all of them for an event not in sight.
    """
    rows = torch.arange(n_events + 1)[:, None] - torch.arange(n_events)
    far = 16 + (3 * torch.log2(rows.clamp(min=16) / 16)).floor()
    buckets = torch.where(rows < 16, rows, far).clamp(max=N_DISTANCES - 1)
    return torch.where(rows > 0, buckets, OUT_OF_SIGHT)


def ask(histories: Histories, timestamps: Int64Array, window: int) -> Batch:
    """Queries as a batch; those with the same history share one window."""
    slices = np.stack([histories.starts, histories.stops])
    _, first, window_of = np.unique(slices, axis=1, return_index=True, return_inverse=True)
    query, row = histories[first].last(window).rows()
    timeline = histories.timeline
    starts = np.searchsorted(query, np.arange(len(first)))
    stops = np.searchsorted(query, np.arange(len(first)), side="right")
    events = timeline.movies[row], timeline.ratings[row], timeline.timestamps[row]
    window_of = window_of.reshape(-1)
    return pack(events, starts, stops, window_of, stops[window_of], timestamps)


@dataclass(frozen=True)
class Labels:
    """What the questions of a batch are answered by, and what must not be: n questions."""

    question: Tensor
    """int64[n_answers], ascending: which of the n."""
    movie: Tensor
    """int64[n_answers]."""
    weight: Tensor
    """float32[n_answers]."""
    seen_question: Int64Array
    seen_movie: Int64Array
    """int64[n_seen] each: the movies a question's user had rated by its cut."""
    total: float
    """Sum of the weights."""
