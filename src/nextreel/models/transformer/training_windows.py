"""The transformer's questions: which it learns from in an epoch, and how windows of events become tensors."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nextreel.arrays import Float32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.schema import POSITIVE
from nextreel.data.timeline import Histories
from nextreel.data.times import WEEK
from nextreel.models.transformer.hyperparameters import TransformerConfig

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
    at: Int64Array,
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
    cut, moment, seen = cuts[question] - starts[:, None], at[question], times[rows]
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


def ask(histories: Histories, at: Int64Array, window: int) -> Batch:
    """Queries as a batch; those with the same history share one window."""
    slices = np.stack([histories.starts, histories.stops])
    _, first, window_of = np.unique(slices, axis=1, return_index=True, return_inverse=True)
    query, row = histories[first].last(window).rows()
    timeline = histories.timeline
    starts = np.searchsorted(query, np.arange(len(first)))
    stops = np.searchsorted(query, np.arange(len(first)), side="right")
    events = timeline.movies[row], timeline.ratings[row], timeline.timestamps[row]
    window_of = window_of.reshape(-1)
    return pack(events, starts, stops, window_of, stops[window_of], at)


@dataclass(frozen=True)
class Answers:
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


@dataclass(frozen=True)
class Questions:
    """Each second in which somebody rated movies, and where the history of its question may end."""

    dataset: Dataset
    config: TransformerConfig
    users: Int64Array
    """int64[n_questions]."""
    starts: Int64Array
    """int64[n_questions]: first row of the second."""
    stops: Int64Array
    cuts: Int64Array
    """int64[n_questions, ahead]: the second's own first row, then the rows of the positives before it, latest
    first; those that don't exist, or leave no history, are -1. Where all are, the history ends within the second."""

    @classmethod
    def of(cls, dataset: Dataset, config: TransformerConfig) -> Self:
        timeline = dataset.timeline
        users = timeline.users.astype(np.int64)
        new = np.flatnonzero(
            (np.diff(timeline.timestamps, prepend=-1) != 0) | (np.diff(users, prepend=-1) != 0)
        )
        positives = np.flatnonzero(timeline.ratings >= POSITIVE)
        before = np.searchsorted(positives, new)[:, None] - np.arange(1, config.ahead)
        first_row = timeline.offsets[users[new]][:, None]
        cuts = np.concatenate([new[:, None], np.where(before >= 0, positives[np.maximum(before, 0)], -1)], 1)
        cuts = np.where(cuts > first_row, cuts, -1)
        stops = np.append(new[1:], len(users))
        able = (cuts[:, 0] >= 0) | (stops - new > 1)
        return cls(dataset, config, users[new][able], new[able], stops[able], cuts[able])

    def draw(self, random: np.random.Generator) -> "Drawn":
        """One epoch: a cut for each question, windows over the histories, and batches of similar length."""
        config, offsets = self.config, self.dataset.timeline.offsets
        n_cuts = np.maximum((self.cuts[:, 1:] >= 0).sum(1), 0)
        chosen = 1 + (random.random(len(n_cuts)) * n_cuts).astype(np.int64)
        chosen[(random.random(len(n_cuts)) < config.next_share) | (n_cuts == 0)] = 0
        cuts = self.cuts[np.arange(len(n_cuts)), chosen]
        others = self.stops - self.starts - 1
        within = (others > 0) & ((random.random(len(cuts)) < config.within_share) | (self.cuts[:, 0] < 0))
        cuts = np.where(within, self.starts + 1 + (random.random(len(cuts)) * others).astype(np.int64), cuts)

        stride = max(1, config.window - config.overlap)
        lengths = np.diff(offsets)
        first_stop = np.where(lengths <= config.window, lengths, random.integers(1, stride + 1, len(lengths)))
        place = cuts - offsets[self.users]
        number = -(-np.maximum(place - first_stop[self.users], 0) // stride)
        order = np.lexsort((number, self.users))
        new = (np.diff(self.users[order], prepend=-1) != 0) | (np.diff(number[order], prepend=-1) != 0)
        first = np.flatnonzero(new)
        n_asked = np.diff(np.append(first, len(order)))
        user = self.users[order[first]]
        stops = np.maximum.reduceat(cuts[order], first)
        begin = first_stop[user] + (number[order[first]] - 1) * stride - config.overlap
        starts = offsets[user] + np.where(number[order[first]] == 0, 0, np.maximum(begin, 0))

        jitter = random.random(len(first))
        by_length = np.lexsort((n_asked + 16 * jitter, (stops - starts + 12 * jitter) // 16))[::-1]
        batches: list[Int64Array] = []
        members: list[int] = []
        longest = most = 0
        for window in by_length:
            longest, most = max(longest, stops[window] - starts[window]), max(most, n_asked[window])
            if members and (len(members) + 1) * (longest + most) > config.rows_per_step:
                batches.append(np.array(members))
                members, longest, most = [], stops[window] - starts[window], n_asked[window]
            members.append(window)
        batches.append(np.array(members))
        random.shuffle(batches)
        return Drawn(self, cuts, order, first, n_asked, starts, stops, batches)


@dataclass(frozen=True)
class Drawn:
    """One epoch's batches; each is made when its turn comes."""

    questions: Questions
    cuts: Int64Array
    """int64[n_questions]: the cut drawn for each."""
    order: Int64Array
    """int64[n_questions]: the questions by window."""
    first: Int64Array
    """int64[n_windows]: where each window's questions begin in `order`."""
    n_asked: Int64Array
    starts: Int64Array
    stops: Int64Array
    batches: list[Int64Array]
    """The windows of each batch."""

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[Batch, Answers]]:
        everything, timeline = self.questions, self.questions.dataset.timeline
        events = timeline.movies, timeline.ratings, timeline.timestamps
        for windows in self.batches:
            n_asked = self.n_asked[windows]
            question = self.order[_ranges(self.first[windows], n_asked)]
            cuts, begin = self.cuts[question], everything.starts[question]
            window_of = np.repeat(np.arange(len(windows)), n_asked)
            batch = pack(
                events, self.starts[windows], self.stops[windows], window_of, cuts, timeline.timestamps[begin]
            )
            first_answer = np.maximum(begin, cuts)
            n_answers = everything.stops[question] - first_answer
            rows = _ranges(first_answer, n_answers)
            weight = np.where(timeline.ratings[rows] >= POSITIVE, 1, everything.config.disliked_weight)
            opened = timeline.offsets[everything.users[question]]
            yield (
                batch,
                Answers(
                    question=torch.from_numpy(np.repeat(np.arange(len(question)), n_answers)),
                    movie=torch.from_numpy(timeline.movies[rows].astype(np.int64)),
                    weight=torch.from_numpy(weight.astype(np.float32)),
                    seen_question=np.repeat(np.arange(len(question)), cuts - opened),
                    seen_movie=timeline.movies[_ranges(opened, cuts - opened)].astype(np.int64),
                    total=float(weight.sum()),
                ),
            )


def _ranges(starts: Int64Array, lengths: Int64Array) -> Int64Array:
    """start, start + 1, ... of each range, one after the other."""
    ends = np.cumsum(lengths)
    rows: Int64Array = np.arange(ends[-1]) + np.repeat(starts - (ends - lengths), lengths)
    return rows
