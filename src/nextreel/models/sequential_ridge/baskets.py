"""Histories as sequences of moments, the sets of movies that a user rated in one second, as sparse matrices."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, diags_array

from nextreel.arrays import BoolArray, Float32Array, Int64Array
from nextreel.data.timeline import Histories

LATEST = 0.5
"""Decay per moment of what stands beside a movie, and of the block of single movies."""
FORGOTTEN = 1e-3
"""A weight that decayed below this has left the history."""


@dataclass(frozen=True)
class Sequences:
    """Some users' histories as sequences of moments."""

    events: csr_array
    """float32[n_events, n_movies]: one 1 in each row."""
    liked: Float32Array
    """float32[n_events]: 1 where the movie was liked, else 0."""
    user: Int64Array
    """int64[n_events]: ascending."""
    times: Int64Array
    """int64[n_events]: POSIX seconds."""
    moment: Int64Array
    """int64[n_events]: counted over all users from 0."""
    owner: Int64Array
    """int64[n_moments]: the user."""

    @classmethod
    def of(cls, histories: Histories, n_movies: int) -> "Sequences":
        timeline = histories.timeline
        user, row = histories.rows()
        opens = opens_moment(user, timeline.timestamps[row])
        return cls(
            events=csr_array(
                (np.ones(len(row), dtype=np.float32), timeline.movies[row], np.arange(len(row) + 1)),
                shape=(len(row), n_movies),
            ),
            liked=timeline.is_positive(row).astype(np.float32),
            user=user,
            times=timeline.timestamps[row],
            moment=np.cumsum(opens) - 1,
            owner=user[opens],
        )


def opens_moment(owner: Int64Array, times: Int64Array) -> BoolArray:
    """bool[n_events]: whether an event is the first of its owner's in its second."""
    opens: BoolArray = (np.diff(owner, prepend=-1) != 0) | (np.diff(times, prepend=-1) != 0)
    return opens


def sets_of(sequences: Sequences) -> csr_array:
    """Sparse float32[n_moments, n_movies]: 1 for a movie rated in that moment."""
    bounds = np.searchsorted(sequences.moment, np.arange(len(sequences.owner) + 1))
    events = sequences.events
    return csr_array((events.data, events.indices, bounds), shape=(len(sequences.owner), events.shape[1]))


def decay_matrix(owner: Int64Array, decay: float) -> csr_array:
    """Sparse float32[n, n]: decay^(k - j) where moment j isn't after k and both are the same owner's."""
    reach = min(int(np.log(FORGOTTEN) / np.log(decay)), len(owner) - 1)
    bands = [decay**s * (owner[s:] == owner[: len(owner) - s]) for s in range(reach + 1)]
    return csr_array(diags_array(bands, offsets=[-s for s in range(reach + 1)], dtype=np.float32))


def to_come(moment: Int64Array) -> csr_array:
    """Sparse float32[n_events, n_events]: 1 for the later events of each event's own moment."""
    count = np.searchsorted(moment, moment, side="right") - np.arange(len(moment)) - 1
    bounds = np.append(0, np.cumsum(count))
    first = np.arange(len(moment)) + 1 - bounds[:-1]
    later = np.arange(bounds[-1]) + np.repeat(first, count)
    return csr_array((np.ones(len(later), dtype=np.float32), later, bounds), shape=(len(moment), len(moment)))


def running_sum(owner: Int64Array, values: npt.NDArray[np.floating]) -> Float32Array:
    """Sum over an owner's moments up to each, itself included."""
    total = np.cumsum(values, axis=0, dtype=np.float64)
    first = np.searchsorted(owner, owner)
    sums: Float32Array = (total - (total - values)[first]).astype(np.float32)
    return sums
