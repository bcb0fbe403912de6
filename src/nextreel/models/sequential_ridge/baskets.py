"""Histories as sequences of baskets, the sets of movies that a user rated in one second, and sums over their events."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.sparse import csr_array, diags_array

from nextreel.arrays import BoolArray, Float32Array, Int32Array, Int64Array, concatenate_ranges, starts_run
from nextreel.data.timeline import Histories

BASKET_DECAY = 0.5
"""Weight of a basket (the movies rated in one second) relative to the user's next one, in a history's features and in
the co-occurrences that embeddings are made of: the latest basket weighs as much as all earlier ones together."""
MIN_WEIGHT = 1e-3
"""Decayed weights of baskets below this count as zero, which keeps the matrices sparse; with BASKET_DECAY, the latest
ten baskets of a history count."""
EVENTS_PER_BLOCK = 64
"""Number of events that `running_sum` sums up in one product of matrices."""


@dataclass(frozen=True)
class BasketSequences:
    """The histories of some users as sequences of baskets. An event is one interaction of a history."""

    movies: Int32Array
    """int32[n_events]: movie index of the event."""
    liked: BoolArray
    """bool[n_events]: whether the movie was liked."""
    users: Int64Array
    """int64[n_events]: number of the event's user, counted from 0 in the order of the histories; ascending."""
    user_ids: Int64Array
    """int64[n_events]: UserID of the event's user."""
    timestamps: Int64Array
    """int64[n_events]: timestamp of the event, POSIX seconds; ascending within a user."""
    baskets: Int64Array
    """int64[n_events]: number of the event's basket, counted over all users from 0; ascending."""
    basket_users: Int64Array
    """int64[n_baskets]: number of the basket's user, as in `users`; ascending."""

    @classmethod
    def of(cls, histories: Histories) -> Self:
        """Divide histories into baskets."""
        timeline = histories.timeline
        users, row = histories.rows()
        starts = starts_basket(users, timeline.timestamps[row])
        return cls(
            movies=timeline.movies[row],
            liked=timeline.is_positive(row),
            users=users,
            user_ids=histories.user_ids[users],
            timestamps=timeline.timestamps[row],
            baskets=np.cumsum(starts) - 1,
            basket_users=users[starts],
        )

    @property
    def places(self) -> Int64Array:
        """int64[n_events]: number of earlier events of the same user."""
        return np.arange(len(self.users)) - np.searchsorted(self.users, self.users)


def starts_basket(users: Int64Array, timestamps: Int64Array) -> BoolArray:
    """Return bool[n_events]: whether an event is the first of its basket; events are sorted by user and timestamp."""
    return starts_run(users) | starts_run(timestamps)


def select_movies(movies: Int32Array, columns: Int32Array) -> csr_array:
    """Return sparse float32[n_events, n_columns]: 1 at the column of each event's movie.

    Parameters
    ----------
    movies : int32[n_events]
        Movie indices.
    columns : int32[n_movies]
        Column of each movie, numbered from 0; the row of an event whose movie has none, -1, is empty.
    """
    column = columns[movies]
    has_column = column >= 0
    bounds = np.append(0, np.cumsum(has_column))
    ones = np.ones(bounds[-1], dtype=np.float32)
    return csr_array(
        (ones, column[has_column], bounds), shape=(len(movies), int(columns.max(initial=-1)) + 1)
    )


def group_events(groups: Int64Array) -> csr_array:
    """Return sparse float32[n_groups, n_events]: 1 where the group holds the event.

    A group is a user or a basket; `groups`, int64[n_events], numbers them from 0 and is ascending.
    """
    bounds = np.searchsorted(groups, np.arange(groups[-1] + 2 if len(groups) else 1))
    return csr_array((np.ones(len(groups), dtype=np.float32), np.arange(len(groups)), bounds))


def decay_matrix(basket_users: Int64Array, decay: float) -> csr_array:
    """Return sparse float32[n_baskets, n_baskets]: decay^(k - j) at [k, j] if j <= k and both are the same user's.

    A product with it sums, up to each basket, the values of the user's baskets with decaying weights.
    """
    n_baskets = len(basket_users)
    reach = min(_reach(decay), n_baskets - 1)
    bands = [decay**s * (basket_users[s:] == basket_users[: n_baskets - s]) for s in range(reach + 1)]
    return csr_array(diags_array(bands, offsets=[-s for s in range(reach + 1)], dtype=np.float32))


def latest_baskets(sequences: BasketSequences, rows: Int64Array) -> csr_array:
    """Return sparse float32[n_rows, n_events]: the weights of the events of each history's latest baskets.

    A row is the history that ends with an event in `rows`: its latest basket has the weight 1, the one before
    BASKET_DECAY, and so on.
    """
    baskets, basket_users = sequences.baskets, sequences.basket_users
    earliest = np.maximum(
        baskets[rows] - _reach(BASKET_DECAY), np.searchsorted(basket_users, sequences.users[rows])
    )
    row, event, bounds = list_ranges(np.searchsorted(baskets, earliest), rows + 1)
    weights = np.float32(BASKET_DECAY) ** (baskets[rows][row] - baskets[event]).astype(np.float32)
    return csr_array((weights, event, bounds), shape=(len(rows), len(baskets)))


def list_ranges(starts: Int64Array, stops: Int64Array) -> tuple[Int64Array, Int64Array, Int64Array]:
    """Return the whole numbers from each start to before its stop, one range after the other.

    Returns
    -------
    number, value : int64[n_values] each
        The number of the range, counted from 0, and the value.
    bounds : int64[n_ranges + 1]
        The values of range r are those at bounds[r] to bounds[r + 1] - 1.
    """
    bounds = np.append(0, np.cumsum(stops - starts))
    number = np.repeat(np.arange(len(starts)), stops - starts)
    return number, concatenate_ranges(starts, stops - starts), bounds


def keep_entries(matrix: csr_array, kept: BoolArray) -> csr_array:
    """Return the matrix with only the entries that are marked in `kept`, bool[n_entries]."""
    bounds = np.append(0, np.cumsum(kept))[matrix.indptr]
    return csr_array((matrix.data[kept], matrix.indices[kept], bounds), shape=matrix.shape)


def running_sum(groups: Int64Array, values: Float32Array, rows: Int64Array) -> Float32Array:
    """Return float32[n_rows, n]: the sum of `values` over a group's events up to each event of `rows`, itself included.

    `groups` is as for `group_events`, and `values` is float32[n_events, n]. The
    sums are computed in blocks of events, within a block by a product with a triangular matrix, which is much quicker
    than a cumulative sum.
    """
    n_events, n = values.shape
    blocks = np.zeros((n_events // EVENTS_PER_BLOCK + 1, EVENTS_PER_BLOCK, n), dtype=np.float32)
    blocks.reshape(-1, n)[:n_events] = values
    within = np.tri(EVENTS_PER_BLOCK, dtype=np.float32) @ blocks
    before = np.cumsum(within[:, -1], axis=0, dtype=np.float64) - within[:, -1]
    first = np.searchsorted(groups, groups[rows])
    (row_block, row_place), (first_block, first_place) = (
        np.divmod(event, EVENTS_PER_BLOCK) for event in (rows, first)
    )
    sums: Float32Array = (before[row_block] - before[first_block]).astype(np.float32)
    sums += within[row_block, row_place]
    sums -= within[first_block, first_place]
    sums += values[first]
    return sums


def _reach(decay: float) -> int:
    """Return the age of the oldest basket whose weight isn't below MIN_WEIGHT; the latest has age 0."""
    return int(np.log(MIN_WEIGHT) / np.log(decay))
