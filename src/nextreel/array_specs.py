"""What the arrays of a file must be like: their types, their shapes in named dimensions, and the range of the integers.

An array that was changed is found by the hash of its file. These rules hold also for a file whose hash was computed
again: an index beyond its array would end the process, and a NaN would answer nonsense.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from nextreel.arrays import Arrays
from nextreel.errors import ArtifactError

LARGEST = 1e12
"""Number below which all floats must be: products of larger ones may not be finite."""
Dimension = int | str
"""A number, or the name of a number that is the same wherever the name is used."""


@dataclass(frozen=True)
class ArraySpec:
    """What one array must be like. Floats must be finite and below LARGEST."""

    dtype: Literal["float32", "int32", "int64"]
    shape: tuple[Dimension, ...]
    least: Dimension | None = None
    """Lowest allowed value."""
    below: Dimension | None = None
    """Number that all values must be below."""
    equals: Dimension | None = None
    """Number that all values must be."""
    is_filled: bool = False
    """Whether there must be at least one value."""
    order: Literal["ascending", "strictly ascending"] | None = None
    """Order in which the values must be."""
    numbers: Dimension | None = None
    """If given, the values other than -1 must be 0, 1, 2, ... in this order, as many as this."""
    is_optional: bool = False
    """Whether the array may be missing, as it is in files of earlier versions."""


Specs = Mapping[str, ArraySpec]
"""The specs of all arrays of a file, by name."""


def check_arrays(arrays: Arrays, specs: Specs, sizes: Mapping[str, int]) -> None:
    """Check that a file's arrays are exactly those that are described, and that each is as described.

    Parameters
    ----------
    arrays : Arrays
        The arrays as read.
    specs : Specs
        Their descriptions.
    sizes : Mapping[str, int]
        Dimensions that are known already; the arrays' shapes tell the others.

    Raises
    ------
    ArtifactError
        An array is missing or unknown, or isn't as described; the message names it.
    """
    for name in [name for name in specs.keys() - arrays.keys() if not specs[name].is_optional]:
        raise ArtifactError(f"the array {name!r} is missing")
    for name in arrays.keys() - specs.keys():
        raise ArtifactError(f"the array {name!r} is unknown")
    known, present = dict(sizes), {name: spec for name, spec in specs.items() if name in arrays}
    for name, spec in present.items():
        _check_form(name, arrays[name], spec, known)
    for name, spec in present.items():
        _check_values(name, arrays[name], spec, known)


def check_finite(name: str, array: npt.NDArray[np.generic], most: float | None = None) -> None:
    """Raise ArtifactError if an array of floats holds a NaN, an infinity, or a number as large as `most`."""
    if not np.issubdtype(array.dtype, np.floating) or not array.size:
        return
    with np.errstate(all="ignore"):
        # The sum of squares takes one pass and no copy. It is finite and small unless one of the numbers isn't.
        flat = array.ravel(order="K")
        squares = float(flat.dot(flat))
        if np.isfinite(squares) and (most is None or squares < most**2):
            return
        if not np.isfinite(array).all():
            raise ArtifactError(f"the array {name!r} holds a value that isn't a finite number")
        if most is not None and (largest := np.abs(array).max()) >= most:
            raise ArtifactError(f"the array {name!r} holds {largest:g}; expected numbers below {most:g}")


def _check_form(name: str, array: npt.NDArray[np.generic], spec: ArraySpec, known: dict[str, int]) -> None:
    """Check the type and the shape of an array, and note the dimensions that it tells."""
    if array.dtype != np.dtype(spec.dtype):
        raise ArtifactError(f"the array {name!r} has the type {array.dtype}; expected {spec.dtype}")
    if array.ndim == len(spec.shape):
        for dimension, size in zip(spec.shape, array.shape, strict=True):
            if isinstance(dimension, str):
                known.setdefault(dimension, size)
    expected = tuple(known.get(d, d) if isinstance(d, str) else d for d in spec.shape)
    if array.shape != expected:
        names = ", ".join(map(str, spec.shape))
        raise ArtifactError(f"the array {name!r} has the shape {array.shape}; expected {expected} ({names})")


def _check_values(
    name: str, array: npt.NDArray[np.generic], spec: ArraySpec, known: Mapping[str, int]
) -> None:
    check_finite(name, array, LARGEST)
    if array.size == 0:
        if spec.is_filled:
            raise ArtifactError(f"the array {name!r} is empty")
        return
    least, below, equals = (_number(limit, known) for limit in (spec.least, spec.below, spec.equals))
    if equals is not None and (others := array[array != equals]).size:
        raise ArtifactError(f"the array {name!r} holds {others.flat[0]}; expected {equals}")
    if least is not None and (lowest := array.min()) < least:
        raise ArtifactError(f"the array {name!r} holds {lowest}; expected at least {least}")
    if below is not None and (highest := array.max()) >= below:
        raise ArtifactError(f"the array {name!r} holds {highest}; expected less than {below}")
    if spec.order == "ascending" and np.less(array[1:], array[:-1]).any():
        raise ArtifactError(f"the values of the array {name!r} aren't in ascending order")
    if spec.order == "strictly ascending" and np.less_equal(array[1:], array[:-1]).any():
        raise ArtifactError(f"the values of the array {name!r} aren't in ascending order, each only once")
    numbers = _number(spec.numbers, known)
    if numbers is not None and not np.array_equal(array[array != -1], np.arange(numbers)):
        raise ArtifactError(f"the array {name!r} doesn't number {numbers} of its elements in their order")


def _number(dimension: Dimension | None, known: Mapping[str, int]) -> int | None:
    return known[dimension] if isinstance(dimension, str) else dimension
