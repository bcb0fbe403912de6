"""Uniform random numbers that depend only on a key, so that no order, partition or thread changes what is drawn.

The key's parts are mixed by the finaliser of SplitMix64 (Steele, Lea & Flood, "Fast Splittable Pseudorandom Number
Generators", OOPSLA 2014).
"""

import numpy as np
import numpy.typing as npt

from nextreel.arrays import Float64Array, Int64Array

UInt64Array = npt.NDArray[np.uint64]


def draw_uniform(seed: int, users: Int64Array, places: Int64Array) -> Float64Array:
    """Return float64[n], each in [0, 1): the number drawn for a seed, a UserID and a place in the user's history.

    `users` and `places` are int64[n].
    """
    key = _mix(_mix(users.astype(np.uint64) + np.uint64(seed)) + places.astype(np.uint64))
    uniform: Float64Array = (key >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return uniform


def _mix(key: UInt64Array) -> UInt64Array:
    key = key + np.uint64(0x9E3779B97F4A7C15)
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return key ^ (key >> np.uint64(31))
