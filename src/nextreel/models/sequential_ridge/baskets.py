"""Histories as sequences of baskets, the sets of movies that a user rated in one second, in sparse matrices."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, diags_array

from nextreel.arrays import BoolArray, Float32Array, Int64Array
from nextreel.data.timeline import Histories

BASKET_DECAY = 0.5
"""Weight of a basket (the movies rated in one second) relative to the user's next one, in a history's features and in
the co-occurrences that embeddings are made of: the latest basket weighs as much as all earlier ones together."""
MIN_WEIGHT = 1e-3
"""Decayed weights of baskets below this count as zero, which keeps the matrices sparse; with BASKET_DECAY, the latest
ten baskets of a history count."""


@dataclass(frozen=True)
class BasketSequences:
    """The histories of some users as sequences of baskets. An event is one interaction of a history."""

    events: csr_array
    """Sparse float32[n_events, n_movies]: a single 1 in each row, at the movie of the event."""
    liked: Float32Array
    """float32[n_events]: 1 where the movie was liked, else 0."""
    users: Int64Array
    """int64[n_events]: number of the event's user, counted from 0 in the order of the histories; ascending."""
    timestamps: Int64Array
    """int64[n_events]: timestamp of the event, POSIX seconds; ascending within a user."""
    baskets: Int64Array
    """int64[n_events]: number of the event's basket, counted over all users from 0; ascending."""
    basket_users: Int64Array
    """int64[n_baskets]: number of the basket's user, as in `users`; ascending."""

    @classmethod
    def of(cls, histories: Histories, n_movies: int) -> Self:
        """Divide histories into baskets; the movie indices in them must be below `n_movies`."""
        timeline = histories.timeline
        users, row = histories.rows()
        starts = starts_basket(users, timeline.timestamps[row])
        return cls(
            events=csr_array(
                (np.ones(len(row), dtype=np.float32), timeline.movies[row], np.arange(len(row) + 1)),
                shape=(len(row), n_movies),
            ),
            liked=timeline.is_positive(row).astype(np.float32),
            users=users,
            timestamps=timeline.timestamps[row],
            baskets=np.cumsum(starts) - 1,
            basket_users=users[starts],
        )


def starts_basket(users: Int64Array, timestamps: Int64Array) -> BoolArray:
    """Return bool[n_events]: whether an event is the first of its basket; events are sorted by user and timestamp."""
    starts: BoolArray = (np.diff(users, prepend=-1) != 0) | (np.diff(timestamps, prepend=-1) != 0)
    return starts


def basket_matrix(sequences: BasketSequences) -> csr_array:
    """Return sparse float32[n_baskets, n_movies]: 1 where the basket (row) holds the movie (column)."""
    n_baskets, events = len(sequences.basket_users), sequences.events
    bounds = np.searchsorted(sequences.baskets, np.arange(n_baskets + 1))
    return csr_array((events.data, events.indices, bounds), shape=(n_baskets, events.shape[1]))


def decay_matrix(basket_users: Int64Array, decay: float) -> csr_array:
    """Return sparse float32[n_baskets, n_baskets]: decay^(k - j) at [k, j] if j <= k and both are the same user's.

    A product with it sums, up to each basket, the values of the user's baskets with decaying weights.
    """
    n_baskets = len(basket_users)
    reach = min(int(np.log(MIN_WEIGHT) / np.log(decay)), n_baskets - 1)
    bands = [decay**s * (basket_users[s:] == basket_users[: n_baskets - s]) for s in range(reach + 1)]
    return csr_array(diags_array(bands, offsets=[-s for s in range(reach + 1)], dtype=np.float32))


def later_in_basket(baskets: Int64Array) -> csr_array:
    """Return sparse float32[n_events, n_events]: 1 at [i, j] if event j comes after event i in the same basket."""
    n_events = len(baskets)
    n_later = np.searchsorted(baskets, baskets, side="right") - np.arange(n_events) - 1
    bounds = np.append(0, np.cumsum(n_later))
    shift = np.arange(n_events) + 1 - bounds[:-1]
    later = np.arange(bounds[-1]) + np.repeat(shift, n_later)
    return csr_array((np.ones(len(later), dtype=np.float32), later, bounds), shape=(n_events, n_events))


def running_sum(users: Int64Array, values: npt.NDArray[np.floating]) -> Float32Array:
    """Return float32[n_events, n]: the sum of `values` over a user's events up to each event, itself included."""
    total = np.cumsum(values, axis=0, dtype=np.float64)
    first = np.searchsorted(users, users)
    sums: Float32Array = (total - (total - values)[first]).astype(np.float32)
    return sums
