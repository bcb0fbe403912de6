"""What the transformer learns from in an epoch: training queries, in windows of events.

A basket is the set of movies that a user rated in one second. Each basket is asked for by two queries at its timestamp,
with its movies as labels. The *cut* of a query is the row at which its history ends: right before the basket, as with
live history, and some positives earlier, as with frozen history. Movies of a second also follow one another, in the
order of the page that showed them, so each movie of a basket but the first is asked for by a query of its own, whose
history ends right before it.

The epoch is built in three steps: draw a cut for each query, cut the histories into windows that hold the events which
the queries see, and group windows of similar length into batches.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import torch

from nextreel.arrays import BoolArray, Float64Array, Int32Array, Int64Array, concatenate_ranges, starts_run
from nextreel.data.dataset import Dataset
from nextreel.keyed_random import uniform
from nextreel.models.transformer.hyperparameters import TransformerConfig
from nextreel.models.transformer.labels import Labels, Part
from nextreel.models.transformer.window_batches import Batch, QueryArrays, WindowArrays, pack_batch

EVENT_GRID, QUERY_GRID, PLACE_GRID = 32, 16, 128
"""The padded numbers of a window's events, of a window's queries, and of a batch's queries are multiples of these. So
batches have few different shapes: for each new one oneDNN builds new bfloat16 kernels, which takes longer than a step.
"""
LENGTH_JITTER, QUERY_JITTER = 12, 16
"""Upper bounds of the random numbers that are added to a window's number of events and of queries before windows are
sorted, so that each epoch batches different ones together; they hardly add padding."""


@dataclass(frozen=True)
class TrainingQueries:
    """Queries for all that a model may learn to predict, with the places at which their histories may end."""

    dataset: Dataset
    config: TransformerConfig
    users: Int32Array
    """int32[n_queries]: index of the query's user; ascending."""
    starts: Int64Array
    """int64[n_queries]: row of the query's first label in the timeline of all interactions."""
    stops: Int64Array
    """int64[n_queries]: one past the row of its last label in the timeline."""
    shares: Float64Array
    """float64[n_queries]: probability, in each epoch, that the query is asked."""
    n_earlier: Int64Array
    """int64[n_queries]: number of positives, at most `ahead - 1`, right before one of which the history ends: positives
    of the user before the labels, with an event before them. 0 if it ends right before the labels."""
    positives: Int64Array
    """int64[n_positives]: rows of all positives in the timeline."""
    positives_before: Int64Array
    """int64[n_queries]: number of `positives`, of all users, that come before the labels."""

    @classmethod
    def of(cls, dataset: Dataset, config: TransformerConfig) -> Self:
        """Create the queries of a data set; there is none for the first movie of a user, who has no history then."""
        timeline = dataset.timeline
        starts_basket = starts_run(timeline.timestamps) | starts_run(timeline.users)
        positives = np.flatnonzero(timeline.is_positive())
        before_second_event = np.searchsorted(positives, timeline.offsets, side="right")

        starts = np.flatnonzero(np.arange(len(timeline)) > timeline.offsets[timeline.users])
        before = np.searchsorted(positives, starts)
        n_earlier = np.clip(before - before_second_event[timeline.users[starts]], 0, config.ahead - 1)
        n_earlier[~starts_basket[starts]] = 0
        # A basket with earlier positives is asked for twice: after one of them, and right before the basket.
        twice = n_earlier > 0
        starts, before, n_earlier = (np.repeat(rows, 1 + twice) for rows in (starts, before, n_earlier))
        is_next = ~starts_run(starts)
        n_earlier[is_next] = 0

        is_within = ~starts_basket[starts]
        basket_stops = np.append(np.flatnonzero(starts_basket)[1:], len(timeline))
        basket_of_row = np.cumsum(starts_basket) - 1
        stops = np.where(is_within, starts + 1, basket_stops[basket_of_row[starts]])
        shares = np.select([is_within, is_next], [config.within_share, config.next_share], 1.0)
        queries = cls(
            dataset, config, timeline.users[starts], starts, stops, shares, n_earlier, positives, before
        )
        return queries._keep(shares > 0)

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def keys(self) -> tuple[Int64Array, Int64Array]:
        """The UserID of each query and the row of its first label, counted within the user; int64[n_queries] each."""
        timeline = self.dataset.timeline
        return timeline.user_ids[self.users], self.starts - timeline.offsets[self.users]

    def draw(self, epoch: int) -> "EpochBatches":
        """Draw the queries, the ends of their histories and the batches for one epoch.

        What a user's windows and queries are depends only on the seed, the epoch and the user. Which windows share a
        batch, and the order of the batches, depends on all users.
        """
        asked = uniform(self.config.seed, "asked", epoch, *self.keys) < self.shares
        # Where no user has a second basket, none may be asked by chance.
        queries = self._keep(asked) if asked.any() else self
        cuts = queries.draw_cuts(epoch)
        windows = cut_windows(queries, cuts, epoch)
        random = np.random.default_rng([self.config.seed, epoch])
        return EpochBatches(queries, cuts, windows, batch_windows(windows, self.config.rows_per_step, random))

    def draw_cuts(self, epoch: int) -> Int64Array:
        """Draw for each query the row at which its history ends (the cut), int64[n_queries]."""
        if not self.n_earlier.any():
            return self.starts
        drawn = uniform(self.config.seed, "earlier", epoch, *self.keys)
        back = 1 + (drawn * self.n_earlier).astype(np.int64)
        earlier = self.positives[np.maximum(self.positives_before - back, 0)]
        return np.where(self.n_earlier == 0, self.starts, earlier)

    def _keep(self, kept: BoolArray) -> Self:
        """Return the queries that are marked in bool[n_queries]."""
        by_query = ("users", "starts", "stops", "shares", "n_earlier", "positives_before")
        return replace(self, **{name: getattr(self, name)[kept] for name in by_query})


@dataclass(frozen=True)
class Windows:
    """The windows of one epoch (runs of one user's events), and the queries about each."""

    starts: Int64Array
    """int64[n_windows]: first row of the window in the timeline of all interactions."""
    stops: Int64Array
    """int64[n_windows]: one past the last row of the window in the timeline."""
    n_queries: Int64Array
    """int64[n_windows]: number of queries about the window, at least 1."""
    first_query: Int64Array
    """int64[n_windows]: position in `queries` of the window's first query."""
    queries: Int64Array
    """int64[n_queries]: numbers of the queries, sorted by their windows."""

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

    def queries_in(self, windows: Int64Array) -> Int64Array:
        """Return the numbers of the queries about these windows, one window after the other."""
        return self.queries[concatenate_ranges(self.first_query[windows], self.n_queries[windows])]


def cut_windows(queries: TrainingQueries, cuts: Int64Array, epoch: int) -> Windows:
    """Divide each user's history into windows, and assign each query to the window in which its history ends (its cut).

    A history that fits into `config.window` is one window. A longer one is divided every `window - overlap` events,
    starting at a random event. A window also holds up to `overlap` events in front of the point of division, as context
    for its first queries. It ends at the last cut of its queries, because none of them sees later events.
    """
    config, timeline, users = queries.config, queries.dataset.timeline, queries.users
    offsets = timeline.offsets
    stride = max(1, config.window - config.overlap)
    n_events = np.diff(offsets)  # [n_users]
    random_stop = 1 + (stride * uniform(config.seed, "windows", epoch, timeline.user_ids)).astype(np.int64)
    first_stop = np.where(n_events <= config.window, n_events, random_stop)  # [n_users]: end of window 0

    place = cuts - offsets[users]  # [n_queries]: number of events before the cut
    number = -(-np.maximum(place - first_stop[users], 0) // stride)  # [n_queries]: of the window, rounded up
    by_window = np.lexsort((number, users))  # [n_queries]
    sorted_users, sorted_numbers = users[by_window], number[by_window]
    is_first = starts_run(sorted_users) | starts_run(sorted_numbers)

    first_query = np.flatnonzero(is_first)  # [n_windows]
    user, window = sorted_users[first_query], sorted_numbers[first_query]  # [n_windows]
    begin = first_stop[user] + (window - 1) * stride - config.overlap
    return Windows(
        starts=offsets[user] + np.where(window == 0, 0, np.maximum(begin, 0)),
        stops=np.maximum.reduceat(cuts[by_window], first_query),
        n_queries=np.diff(np.append(first_query, len(by_window))),
        first_query=first_query,
        queries=by_window,
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

    queries: TrainingQueries
    cuts: Int64Array
    """int64[n_queries]: row at which the history of each query ends in this epoch."""
    windows: Windows
    batches: list[Int64Array]
    """For each batch, the numbers of its windows in this epoch."""

    def __len__(self) -> int:
        return len(self.batches)

    def pack(self, windows: Int64Array) -> Part:
        """Build the tensors of some windows with their queries, and the labels of these."""
        queries = self.windows.queries_in(windows)
        return self._pack(windows, queries), self._label(queries)

    def _pack(self, windows: Int64Array, queries: Int64Array) -> Batch:
        timeline, starts = self.queries.dataset.timeline, self.windows.starts[windows]
        cuts, n_queries = self.cuts[queries], self.windows.n_queries[windows]
        n_events = int(self.windows.padded_events[windows].max())
        return pack_batch(
            WindowArrays.of(
                (timeline.movies, timeline.stars, timeline.timestamps),
                starts,
                self.windows.stops[windows],
                n_events,
            ),
            QueryArrays.of(
                window_of=np.repeat(np.arange(len(windows)), n_queries),
                timestamps=timeline.timestamps[self.queries.starts[queries]],
                n_seen=cuts - np.repeat(starts, n_queries),
                lengths=cuts - timeline.offsets[self.queries.users[queries]],
                n_rows=int(self.windows.padded_queries[windows].max()),
            ),
            n_places=-(-len(queries) // PLACE_GRID) * PLACE_GRID,
        )

    def _label(self, queries: Int64Array) -> Labels:
        timeline, cuts = self.queries.dataset.timeline, self.cuts[queries]
        number = np.arange(len(queries))
        starts = self.queries.starts[queries]
        n_labels = self.queries.stops[queries] - starts
        rows = concatenate_ranges(starts, n_labels)
        is_liked = timeline.is_positive(rows)
        weight = np.where(is_liked, 1, self.queries.config.disliked_weight)
        first_seen = timeline.offsets[self.queries.users[queries]]
        n_seen = cuts - first_seen
        return Labels(
            query=torch.from_numpy(np.repeat(number, n_labels)),
            movie=torch.from_numpy(timeline.movies[rows].astype(np.int64)),
            weight=torch.from_numpy(weight.astype(np.float32)),
            is_liked=torch.from_numpy(is_liked.astype(np.float32)),
            seen_query=torch.from_numpy(np.repeat(number, n_seen)),
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
