"""The windows of events that the queries of `score` are about.

Queries whose histories begin at the same event share a window, since no event attends to a later one: the window holds
the longest of these histories, and each query sees as much of it as its own history holds.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from nextreel.arrays import BoolArray, Int64Array, concatenate_ranges, starts_run
from nextreel.data.timeline import Histories
from nextreel.models.transformer.window_batches import Events, QueryArrays, WindowArrays

QUERIES_AT_ONCE = 256
"""Maximum number of queries that the network gets at once; bounds the memory of the logits."""
PAIRS_AT_ONCE = 2**19
"""Maximum number of pairs of a row and an event that the network gets at once, unless a single window has more.
Matrices over so many pairs fit into a processor's cache, and are computed in half the time of larger ones."""
LENGTH_GRID = 16
"""Windows are sorted by their length divided by this, then by their number of queries and their exact length, to be
batched with little padding of either."""


@dataclass(frozen=True)
class QueryWindows:
    """Some windows with the queries about each."""

    events: Events
    """The events of all windows, one window after another."""
    starts: Int64Array
    """int64[n_windows]: position in `events` of the first event of the window."""
    stops: Int64Array
    """int64[n_windows]: one past the position of its last event."""
    first_query: Int64Array
    """int64[n_windows]: position in the arrays of queries of the first query about the window."""
    n_queries: Int64Array
    """int64[n_windows]: number of queries about the window, at least 1."""
    queries: Int64Array
    """int64[n_queries]: number of each query in the order in which they were given; sorted by window."""
    timestamps: Int64Array
    """int64[n_queries]: time of each query, POSIX seconds."""
    n_seen: Int64Array
    """int64[n_queries]: number of events of its window that each query sees, the first ones."""
    lengths: Int64Array
    """int64[n_queries]: number of events in the whole history of each query."""

    @classmethod
    def of(cls, histories: Histories, timestamps: Int64Array, window: int) -> Self:
        """Find the windows of queries; a query with an empty history is in none.

        Parameters
        ----------
        histories : Histories
            n_queries histories.
        timestamps : int64[n_queries]
            Timestamps of the queries, POSIX seconds.
        window : int
            Maximum number of events in a window: a query sees the latest ones of a longer history.
        """
        timeline, lengths = histories.timeline, histories.lengths
        seen = histories.last(window)
        order = np.lexsort((seen.stops, seen.starts))
        order = order[lengths[order] > 0]
        first_row, last_row = seen.starts[order], seen.stops[order]
        is_new = starts_run(first_row)
        is_new |= _find_superseded(seen[order], is_new) & starts_run(last_row)
        place = np.arange(len(order)) - np.maximum.accumulate(np.where(is_new, np.arange(len(order)), 0))
        is_new |= place % QUERIES_AT_ONCE == 0

        first_query = np.flatnonzero(is_new)
        n_queries = np.diff(np.append(first_query, len(order)))
        # The last query about a window sees all of it.
        longest = order[first_query + n_queries - 1]
        window_of_row, row = seen[longest].rows()
        n_events = np.bincount(window_of_row, minlength=len(longest))
        stops = np.cumsum(n_events)
        return cls(
            (timeline.movies[row], timeline.stars[row], timeline.timestamps[row]),
            stops - n_events,
            stops,
            first_query,
            n_queries,
            order,
            timestamps[order],
            np.minimum(last_row - first_row, np.repeat(n_events, n_queries)),
            lengths[order],
        )

    def __len__(self) -> int:
        return len(self.starts)

    def arrays(self) -> tuple[WindowArrays, QueryArrays]:
        """Return the windows and their queries as padded arrays."""
        window_of = np.repeat(np.arange(len(self)), self.n_queries)
        queries = QueryArrays.of(window_of, self.timestamps, self.n_seen, self.lengths)
        return WindowArrays.of(self.events, self.starts, self.stops), queries

    def by_window(self) -> list[Int64Array]:
        """Return the movie, the number of half stars and the timestamp of the events of each window, int64[n, 3]."""
        movies, stars, timestamps = self.events
        columns = np.stack([movies, 2 * stars, timestamps], 1, dtype=np.int64, casting="unsafe")
        bounds = zip(self.starts.tolist(), self.stops.tolist(), strict=True)
        return [columns[start:stop] for start, stop in bounds]

    def divide(self) -> Iterator[Self]:
        """Yield the windows that the network gets at once, with their queries."""
        if len(self) == 1:
            yield self
            return
        lengths = self.stops - self.starts
        order = np.lexsort((lengths, self.n_queries, lengths // LENGTH_GRID))
        part: list[int] = []
        n_events = most_queries = n_queries = 0
        for window, length, asked in zip(
            order.tolist(), lengths[order].tolist(), self.n_queries[order].tolist(), strict=True
        ):
            n_events, most_queries = max(n_events, length), max(most_queries, asked)
            n_queries += asked
            n_pairs = (len(part) + 1) * (n_events + most_queries) * n_events
            if part and (n_pairs > PAIRS_AT_ONCE or n_queries > QUERIES_AT_ONCE):
                yield self.take(np.array(part))
                part, n_events, most_queries, n_queries = [], length, asked, asked
            part.append(window)
        if part:
            yield self.take(np.array(part))

    def take(self, windows: Int64Array) -> Self:
        """Return some of the windows, by their numbers."""
        n_queries = self.n_queries[windows]
        query = concatenate_ranges(self.first_query[windows], n_queries)
        return replace(
            self,
            starts=self.starts[windows],
            stops=self.stops[windows],
            first_query=np.cumsum(n_queries) - n_queries,
            n_queries=n_queries,
            **{name: getattr(self, name)[query] for name in ("queries", "timestamps", "n_seen", "lengths")},
        )


def _find_superseded(seen: Histories, is_first: BoolArray) -> BoolArray:
    """Return whether each history is of a group whose longest history has a rating that is superseded within it.

    Shorter histories may hold that rating, so they can't share a window with the longest one.

    Parameters
    ----------
    seen : Histories
        Histories in groups, in each of which the longest is the last.
    is_first : bool[n_queries]
        Whether the history is the first of a group.
    """
    if len(seen) == 0 or seen.timeline.superseded_by is None:
        return np.zeros(len(seen), dtype=np.bool_)
    longest = seen[np.append(np.flatnonzero(is_first)[1:], len(seen)) - 1]
    group_of_row, _ = longest.rows()
    is_shorter = np.bincount(group_of_row, minlength=len(longest)) < longest.lengths
    by_query: BoolArray = is_shorter[np.cumsum(is_first) - 1]
    return by_query
