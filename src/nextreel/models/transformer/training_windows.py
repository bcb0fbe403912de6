"""The transformer's questions: which it learns from in an epoch, and how windows of events become tensors."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from nextreel.arrays import Int64Array
from nextreel.data.dataset import Dataset
from nextreel.models.transformer.hyperparameters import TransformerConfig
from nextreel.models.transformer.window_batches import Batch, Labels, pack


@dataclass(frozen=True)
class TargetBaskets:
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
        positives = np.flatnonzero(timeline.is_positive())
        before = np.searchsorted(positives, new)[:, None] - np.arange(1, config.ahead)
        first_row = timeline.offsets[users[new]][:, None]
        cuts = np.concatenate([new[:, None], np.where(before >= 0, positives[np.maximum(before, 0)], -1)], 1)
        cuts = np.where(cuts > first_row, cuts, -1)
        stops = np.append(new[1:], len(users))
        able = (cuts[:, 0] >= 0) | (stops - new > 1)
        return cls(dataset, config, users[new][able], new[able], stops[able], cuts[able])

    def draw(self, random: np.random.Generator) -> "EpochBatches":
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
        return EpochBatches(self, cuts, order, first, n_asked, starts, stops, batches)


@dataclass(frozen=True)
class EpochBatches:
    """One epoch's batches; each is made when its turn comes."""

    questions: TargetBaskets
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

    def __iter__(self) -> Iterator[tuple[Batch, Labels]]:
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
            weight = np.where(timeline.is_positive(rows), 1, everything.config.disliked_weight)
            opened = timeline.offsets[everything.users[question]]
            yield (
                batch,
                Labels(
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
