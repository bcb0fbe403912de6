"""Random numbers that are keyed, not drawn in turn: a user's numbers don't depend on which other users there are.

A key is hashed to a number, as in counter-based generators (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2,
3", SC 2011). The hash is the finaliser of SplitMix64 (Steele et al., OOPSLA 2014), chained over the parts of the key.
"""

from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from nextreel.arrays import Float64Array

Key = int | np.uint64 | npt.NDArray[np.integer]
"""A part of a key: the same for all numbers, or one for each."""
Bits = npt.NDArray[np.uint64]

GOLDEN_RATIO = np.uint64(0x9E3779B97F4A7C15)
"""SplitMix64's increment: 2^64 divided by the golden ratio, made odd."""


def uniform(seed: int, purpose: str, *keys: Key) -> Float64Array:
    """Return random numbers from 0 to less than 1, float64[n], one for each key.

    Parameters
    ----------
    seed : int
        The seed of a fit.
    purpose : str
        What the numbers are for; numbers for different purposes are independent.
    *keys : int or int[n]
        For example the UserIDs; at least one part is an array.
    """
    return to_uniform(random_bits(seed, purpose, *keys))


def random_bits(seed: int, purpose: str, *keys: Key) -> Bits:
    """Return 64 random bits for each key of `uniform`; keys that are arrays are broadcast against each other."""
    purpose_key = int.from_bytes(blake2b(purpose.encode(), digest_size=8).digest(), "little")
    state = np.atleast_1d(np.uint64(seed))
    for key in (np.uint64(purpose_key), *keys):
        state = _mix(state ^ _mix(np.atleast_1d(key).astype(np.uint64)))
    return state


def following_bits(bits: Bits, number: int) -> Bits:
    """Return further random bits for each key, others for each number: SplitMix64, started with the bits of the key."""
    return _mix(bits + np.uint64(number * int(GOLDEN_RATIO) % 2**64))


def to_uniform(bits: Bits) -> Float64Array:
    """Return float64[n]: random bits as numbers from 0 to less than 1."""
    # The highest 53 bits, as many as a float64 has.
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(state: Bits) -> Bits:
    state = state + GOLDEN_RATIO
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state ^= state >> np.uint64(shift)
        state *= np.uint64(factor)
    state ^= state >> np.uint64(31)
    return state
