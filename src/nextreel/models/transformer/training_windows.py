"""What the transformer learns from in an epoch: target baskets, each with a query, in windows of events.

A basket is the set of movies that a user rated in one second. Every basket is a training target: the query is put at
its timestamp, and the movies in it are the labels. The *cut* of a query is the row at which its history ends. In
evaluation a history may end some interactions before the query, or within the query's own second, so the cuts are drawn
anew in each epoch to cover all these cases.

The epoch is built in three steps: draw a cut for each basket, cut the histories into windows that hold the events which
the queries see, and group windows of similar length into batches.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import torch

from nextreel.arrays import Int32Array, Int64Array, concatenate_ranges
from nextreel.data.dataset import Dataset
from nextreel.models.training.keyed_random import uniform
from nextreel.models.transformer.hyperparameters import TransformerConfig
from nextreel.models.transformer.labels import Labels, Part
from nextreel.models.transformer.window_batches import Batch, pack_windows

EVENT_GRID, QUERY_GRID, PLACE_GRID = 32, 16, 128
"""The padded numbers of a window's events, of a window's queries, and of a batch's queries are multiples of these. So
batches have few different shapes: for each new one oneDNN builds new bfloat16 kernels, which takes longer than a step.
"""
LENGTH_JITTER, QUERY_JITTER = 12, 16
"""Upper bounds of the random numbers that are added to a window's number of events and of queries before windows are
sorted, so that each epoch batches different ones together; they hardly add padding."""


@dataclass(frozen=True)
class TargetBaskets:
    """All baskets that a model may learn to predict, with the places at which the history of their query may end.

    A basket is the set of movies that a user rated in one second.
    """

    dataset: Dataset
    config: TransformerConfig
    users: Int32Array
    """int32[n_baskets]: index of the basket's user; ascending."""
    starts: Int64Array
    """int64[n_baskets]: first row of the basket in the timeline of all interactions."""
    stops: Int64Array
    """int64[n_baskets]: one past the last row of the basket in the timeline."""
    positives: Int64Array
    """int64[n_positives]: rows of all positives in the timeline."""
    positives_before: Int64Array
    """int64[n_baskets]: number of `positives`, of all users, that come before the basket."""
    n_earlier: Int64Array
    """int64[n_baskets]: number of positives before the basket, at most `ahead - 1`, right before which the history of
    the basket's query may end too: positives of the user, with an event before them."""

    @classmethod
    def of(cls, dataset: Dataset, config: TransformerConfig) -> Self:
        """Take all baskets of a data set, except a first basket of a single movie: its query has no history."""
        timeline = dataset.timeline
        new_second = np.diff(timeline.timestamps, prepend=-1) != 0
        starts = np.flatnonzero(new_second | (np.diff(timeline.users, prepend=-1) != 0))
        stops = np.append(starts[1:], len(timeline))
        users = timeline.users[starts]
        usable = (starts > timeline.offsets[users]) | (stops - starts > 1)
        users, starts, stops = users[usable], starts[usable], stops[usable]
        positives = np.flatnonzero(timeline.is_positive())
        before = np.searchsorted(positives, starts)
        before_second_event = np.searchsorted(positives, timeline.offsets, side="right")[users]
        n_earlier = np.clip(before - before_second_event, 0, config.ahead - 1)
        return cls(dataset, config, users, starts, stops, positives, before, n_earlier)

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def keys(self) -> tuple[Int64Array, Int64Array]:
        """The UserID of each basket and its first row, counted within the user; int64[n_baskets] each."""
        timeline = self.dataset.timeline
        return timeline.user_ids[self.users], self.starts - timeline.offsets[self.users]

    def draw(self, epoch: int) -> "EpochBatches":
        """Draw the ends of the queries' histories and the batches for one epoch.

        What a user's windows and queries are depends only on the seed, the epoch and the user. Which windows share a
        batch, and the order of the batches, depends on all users.
        """
        cuts = draw_cuts(self, epoch)
        windows = cut_windows(self, cuts, epoch)
        random = np.random.default_rng([self.config.seed, epoch])
        return EpochBatches(self, cuts, windows, batch_windows(windows, self.config.rows_per_step, random))


def draw_cuts(baskets: TargetBaskets, epoch: int) -> Int64Array:
    """Draw for each basket the row at which the history of its query ends (the cut), int64[n_baskets].

    With probability `next_share` the cut is right before the basket, otherwise before a random one of the earlier
    positives. For a basket of several movies, it is within the basket with probability `within_share`.
    """
    config, keys, n_earlier = baskets.config, baskets.keys, baskets.n_earlier
    is_next = uniform(config.seed, "next", epoch, *keys) < config.next_share
    back = 1 + (uniform(config.seed, "earlier", epoch, *keys) * n_earlier).astype(np.int64)
    earlier = baskets.positives[np.maximum(baskets.positives_before - back, 0)] if n_earlier.any() else 0
    before = np.where(is_next | (n_earlier == 0), baskets.starts, earlier)

    n_within = baskets.stops - baskets.starts - 1  # [n_baskets]: possible cuts within the basket
    must_be_within = keys[1] == 0  # [n_baskets]: no event precedes the basket
    is_within = uniform(config.seed, "within", epoch, *keys) < config.within_share
    within = baskets.starts + 1 + (uniform(config.seed, "row", epoch, *keys) * n_within).astype(np.int64)
    return np.where((n_within > 0) & (is_within | must_be_within), within, before)


@dataclass(frozen=True)
class Windows:
    """The windows of one epoch (runs of one user's events), and the target baskets with queries about each."""

    starts: Int64Array
    """int64[n_windows]: first row of the window in the timeline of all interactions."""
    stops: Int64Array
    """int64[n_windows]: one past the last row of the window in the timeline."""
    n_queries: Int64Array
    """int64[n_windows]: number of queries about the window, at least 1."""
    first_query: Int64Array
    """int64[n_windows]: position in `baskets` of the window's first basket."""
    baskets: Int64Array
    """int64[n_baskets]: numbers of the target baskets, one for each query, sorted by the query's window."""

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def lengths(self) -> Int64Array:
        """int64[n_windows]: number of events in the window."""
        return self.stops - self.starts

    @cached_property
    def padded_events(self) -> Int64Array:
        """int64[n_windows]: number of events in the window, rounded up to the grid, at most the highest of all."""
        padded: Int64Array = np.minimum(_round_up(self.lengths, EVENT_GRID), self.lengths.max())
        return padded

    @cached_property
    def padded_queries(self) -> Int64Array:
        """int64[n_windows]: number of queries about the window, rounded up to the grid."""
        return _round_up(self.n_queries, QUERY_GRID)

    def baskets_in(self, windows: Int64Array) -> Int64Array:
        """Return the numbers of the target baskets with queries about these windows, one window after the other."""
        return self.baskets[concatenate_ranges(self.first_query[windows], self.n_queries[windows])]


def cut_windows(baskets: TargetBaskets, cuts: Int64Array, epoch: int) -> Windows:
    """Divide each user's history into windows, and assign each query to the window in which its history ends (its cut).

    A history that fits into `config.window` is one window. A longer one is divided every `window - overlap` events,
    starting at a random event. A window also holds up to `overlap` events in front of the point of division, as context
    for its first queries. It ends at the last cut of its queries, because none of them sees later events.
    """
    config, timeline, users = baskets.config, baskets.dataset.timeline, baskets.users
    offsets = timeline.offsets
    stride = max(1, config.window - config.overlap)
    n_events = np.diff(offsets)  # [n_users]
    random_stop = 1 + (stride * uniform(config.seed, "windows", epoch, timeline.user_ids)).astype(np.int64)
    first_stop = np.where(n_events <= config.window, n_events, random_stop)  # [n_users]: end of window 0

    place = cuts - offsets[users]  # [n_baskets]: number of events before the cut
    number = -(-np.maximum(place - first_stop[users], 0) // stride)  # [n_baskets]: of the window, rounded up
    by_window = np.lexsort((number, users))  # [n_baskets]
    sorted_users, sorted_numbers = users[by_window], number[by_window]
    is_first = (np.diff(sorted_users, prepend=-1) != 0) | (np.diff(sorted_numbers, prepend=-1) != 0)

    first_query = np.flatnonzero(is_first)  # [n_windows]
    user, window = sorted_users[first_query], sorted_numbers[first_query]  # [n_windows]
    begin = first_stop[user] + (window - 1) * stride - config.overlap
    return Windows(
        starts=offsets[user] + np.where(window == 0, 0, np.maximum(begin, 0)),
        stops=np.maximum.reduceat(cuts[by_window], first_query),
        n_queries=np.diff(np.append(first_query, len(by_window))),
        first_query=first_query,
        baskets=by_window,
    )


def batch_windows(windows: Windows, rows_per_step: int, random: np.random.Generator) -> list[Int64Array]:
    """Group windows into batches, shuffle the batches, and return the numbers of the windows in each batch.

    Windows are taken in order of length, so that a batch needs little padding. A batch has at most
    `rows_per_step` rows (events and queries, padding included), unless a single window has more.
    """
    jitter = random.random(len(windows))
    length_class = (windows.lengths + LENGTH_JITTER * jitter) // EVENT_GRID
    longest_first = np.lexsort((windows.n_queries + QUERY_JITTER * jitter, length_class))[::-1]
    padded_events, padded_queries = windows.padded_events.tolist(), windows.padded_queries.tolist()

    batches: list[Int64Array] = []
    members: list[int] = []
    n_events = n_queries = 0  # padded size of a window of the batch
    for window in longest_first.tolist():
        length, queries = padded_events[window], padded_queries[window]
        n_events, n_queries = max(n_events, length), max(n_queries, queries)
        if members and (len(members) + 1) * (n_events + n_queries) > rows_per_step:
            batches.append(np.array(members))
            members, n_events, n_queries = [], length, queries
        members.append(window)
    batches.append(np.array(members))
    random.shuffle(batches)
    return batches


@dataclass(frozen=True)
class EpochBatches:
    """The batches of one epoch; their tensors are built one after another."""

    baskets: TargetBaskets
    cuts: Int64Array
    """int64[n_baskets]: row at which the history of each target basket's query ends in this epoch."""
    windows: Windows
    batches: list[Int64Array]
    """For each batch, the numbers of its windows in this epoch."""

    def __len__(self) -> int:
        return len(self.batches)

    def pack(self, windows: Int64Array) -> Part:
        """Build the tensors of some windows with their queries, and the labels of these."""
        baskets = self.windows.baskets_in(windows)
        return self._pack(windows, baskets), self._label(baskets)

    def _pack(self, windows: Int64Array, baskets: Int64Array) -> Batch:
        timeline = self.baskets.dataset.timeline
        return pack_windows(
            (timeline.movies, timeline.stars, timeline.timestamps),
            self.windows.starts[windows],
            self.windows.stops[windows],
            window_of=np.repeat(np.arange(len(windows)), self.windows.n_queries[windows]),
            cuts=self.cuts[baskets],
            timestamps=timeline.timestamps[self.baskets.starts[baskets]],
            shape=(
                int(self.windows.padded_events[windows].max()),
                int(self.windows.padded_queries[windows].max()),
                -(-len(baskets) // PLACE_GRID) * PLACE_GRID,
            ),
        )

    def _label(self, baskets: Int64Array) -> Labels:
        timeline, cuts = self.baskets.dataset.timeline, self.cuts[baskets]
        queries = np.arange(len(baskets))
        first_label = np.maximum(self.baskets.starts[baskets], cuts)
        n_labels = self.baskets.stops[baskets] - first_label
        rows = concatenate_ranges(first_label, n_labels)
        weight = np.where(timeline.is_positive(rows), 1, self.baskets.config.disliked_weight)
        first_seen = timeline.offsets[self.baskets.users[baskets]]
        n_seen = cuts - first_seen
        return Labels(
            query=torch.from_numpy(np.repeat(queries, n_labels)),
            movie=torch.from_numpy(timeline.movies[rows].astype(np.int64)),
            weight=torch.from_numpy(weight.astype(np.float32)),
            seen_query=torch.from_numpy(np.repeat(queries, n_seen)),
            seen_movie=torch.from_numpy(
                timeline.movies[concatenate_ranges(first_seen, n_seen)].astype(np.int64)
            ),
            label_offsets=np.append(0, np.cumsum(n_labels)),
            seen_offsets=np.append(0, np.cumsum(n_seen)),
            total=float(weight.sum()),
        )


def divide_batch(windows: Int64Array, n_parts: int) -> list[Int64Array]:
    """Divide the windows of a batch, which are sorted by length, into parts of about the same work."""
    return [windows[part::n_parts] for part in range(min(n_parts, len(windows)))]


def _round_up(number: Int64Array, multiple: int) -> Int64Array:
    """Return the smallest multiple of `multiple` that is at least `number`."""
    return -(-number // multiple) * multiple
