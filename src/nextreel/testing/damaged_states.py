"""States of a fitted model as a damaged or crafted file may hold them, each with one array changed."""

from collections.abc import Iterator, Set
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nextreel.arrays import Arrays


@dataclass(frozen=True)
class DamagedState:
    """A state with one array changed."""

    damage: str
    """What was changed, in words."""
    state: Arrays
    is_impossible: bool
    """Whether no model has such a state. Otherwise it may be that of a model that was fitted on other data."""


def damage_each_array(state: Arrays, may_be_missing: Set[str] = frozenset()) -> Iterator[DamagedState]:
    """Yield states with an array missing or too many, of another type or shape, or with other values."""
    yield DamagedState("one array more", {**state, "unknown_": np.zeros(1, dtype=np.float32)}, True)
    for name, array in state.items():
        others = {n: a for n, a in state.items() if n != name}
        yield DamagedState(f"{name} is missing", others, name not in may_be_missing)
        for damage, changed in _impossible(array):
            yield DamagedState(f"{name} {damage}", {**state, name: changed}, True)
        for damage, changed in _possible(array):
            yield DamagedState(f"{name} {damage}", {**state, name: changed}, False)


def with_not_finite_numbers(state: Arrays) -> Iterator[DamagedState]:
    """Yield states in which one number isn't finite."""
    for name, array in state.items():
        for value in (np.nan, np.inf, -np.inf):
            if array.size and np.issubdtype(array.dtype, np.floating):
                yield DamagedState(f"{name} holds {value}", {**state, name: _with_last(array, value)}, True)


def _impossible(array: npt.NDArray[np.generic]) -> Iterator[tuple[str, npt.NDArray[np.generic]]]:
    is_float = np.issubdtype(array.dtype, np.floating)
    for dtype in (np.float64, np.int16, np.int64 if is_float else np.float32, np.bool_):
        if array.dtype != dtype:
            yield f"has the type {np.dtype(dtype)}", array.astype(dtype)
    yield "has a dimension more", array[None]
    yield "has no dimension", array.ravel()[:1].sum(dtype=array.dtype).reshape(())
    if array.ndim > 1:
        yield "has a dimension less", array.ravel()
        yield "is empty", array[:0]
    if is_float and array.size:
        yield "holds an enormous number", _with_last(array, 1e30)


def _possible(array: npt.NDArray[np.generic]) -> Iterator[tuple[str, npt.NDArray[np.generic]]]:
    for axis in range(array.ndim if array.size else 0):
        yield f"is shorter along axis {axis}", array.take(range(array.shape[axis] - 1), axis)
        yield f"is longer along axis {axis}", np.concatenate([array, array.take([-1], axis)], axis)
    if array.size and np.issubdtype(array.dtype, np.integer):
        limits = np.iinfo(str(array.dtype))
        for value in (limits.min, -1, 0, 1_000_000, limits.max):
            yield f"holds {value}", _with_last(array, value)
            yield f"holds only {value}", np.full_like(array, value)
        yield "is in reverse order", np.ascontiguousarray(array[::-1])


def _with_last(array: npt.NDArray[np.generic], value: float) -> npt.NDArray[np.generic]:
    changed = np.array(array)
    changed.flat[-1] = value
    return changed
