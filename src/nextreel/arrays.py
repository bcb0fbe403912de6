"""Types of numpy arrays, lookups in sorted ids, and safetensors files."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save

from nextreel.errors import ArtifactError

BoolArray = npt.NDArray[np.bool_]
Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]
Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]

Arrays = dict[str, npt.NDArray[np.generic]]
"""Numpy arrays by name: what a safetensors file holds."""

_DTYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "BOOL": "?"} | {
    f"{letter}{8 * size}": f"<{kind}{size}"
    for letter, kind in (("I", "i"), ("U", "u"))
    for size in (1, 2, 4, 8)
}
"""Types of numpy by their names in safetensors files."""


def find_sorted(ids: Int64Array, wanted: npt.NDArray[np.integer]) -> Int64Array:
    """Return int64[len(wanted)]: for each element of `wanted`, its position in `ids`, or -1 if it is absent.

    `ids` must be sorted in ascending order.
    """
    if len(ids) == 0:
        return np.full(len(wanted), -1, dtype=np.int64)
    positions = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return np.where(ids[positions] == wanted, positions, -1)


def starts_run(values: npt.NDArray[np.integer]) -> BoolArray:
    """Return bool[n]: whether each value differs from the one before it; the first one always does."""
    starts = np.ones(len(values), dtype=np.bool_)
    np.not_equal(values[1:], values[:-1], out=starts[1:])
    return starts


def stable_order(first: npt.NDArray[np.integer], second: npt.NDArray[np.integer]) -> Int64Array:
    """Return int64[n]: the order that sorts by `first`, then by `second`; equal pairs keep their order.

    It is that of `np.lexsort((second, first))`, but takes a fraction of the time where both fit into one number.
    """
    if len(first) == 0:
        return np.zeros(0, dtype=np.int64)
    lowest, span = int(second.min()), int(second.max()) - int(second.min()) + 1
    if int(first.min()) < 0 or (int(first.max()) + 1) * span > np.iinfo(np.int64).max:
        return np.lexsort((second, first))
    key = first.astype(np.int64) * span
    key += second
    key -= lowest
    return np.argsort(key, kind="stable")


def concatenate_ranges(starts: Int64Array, lengths: Int64Array) -> Int64Array:
    """Return for each start the numbers start, start + 1, ..., as many as its length, one range after the other."""
    if len(starts) == 1:  # most queries to a server come alone, and several steps of each list one range
        return np.arange(starts[0], starts[0] + lengths[0], dtype=np.int64)
    stops = np.cumsum(lengths)
    numbers = np.arange(stops[-1] if len(stops) else 0, dtype=np.int64)
    numbers += np.repeat(starts - (stops - lengths), lengths)
    return numbers


def write_arrays(arrays: Arrays, file: Path) -> None:
    """Write named arrays as a safetensors file, without a copy of them in memory as `save` makes."""
    # The order of the arrays and the names of their types are those of a file without rows.
    empty = save({name: np.empty(0, dtype=array.dtype) for name, array in arrays.items()})
    header, written = json.loads(empty[8:]), 0
    for name, entry in header.items():
        entry["shape"] = list(np.atleast_1d(arrays[name]).shape)
        entry["data_offsets"] = [written, written + arrays[name].nbytes]
        written += arrays[name].nbytes
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with file.open("wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for name in header:
            out.write(np.ascontiguousarray(arrays[name]).reshape(-1).view(np.uint8).data)


def read_arrays(file: Path) -> Arrays:
    """Read named arrays from a safetensors file.

    Raises
    ------
    ArtifactError
        The file is missing, can't be read, or isn't a safetensors file.
    """
    try:
        return dict(load_file(file))
    except (OSError, SafetensorError, LookupError, TypeError, ValueError, AttributeError) as error:
        # The latter are of arrays in a type that numpy doesn't have, such as bfloat16.
        raise ArtifactError(f"{file} can't be read: {error}") from error


def map_arrays(file: Path) -> Arrays:
    """Return the arrays of a safetensors file without reading them: they are views of the mapped file.

    The system reads their pages when they are used, all processes that map the file share these, and they count as free
    memory. What is written to an array is the process's own and never reaches the file. A file must never be changed in
    place while it is mapped: one that is cut ends the processes that use it. Replacing it by a rename is safe, since
    what was mapped stays until it isn't used any more.

    Raises
    ------
    ArtifactError
        As `read_arrays` does.
    """
    try:
        content = np.memmap(file, dtype=np.uint8, mode="c")
        start = 8 + int.from_bytes(content[:8].tobytes(), "little")
        header = json.loads(content[8:start].tobytes())
        return {
            name: _view(content[start:], entry) for name, entry in header.items() if name != "__metadata__"
        }
    except (OSError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise ArtifactError(f"{file} can't be read: {error}") from error


def _view(content: npt.NDArray[np.uint8], entry: dict[str, Any]) -> npt.NDArray[np.generic]:
    """Return the array that an entry of the header of a safetensors file describes.

    Its `base` is its own part of `content`, a memmap: scipy copies arrays whose `base` is much larger.
    """
    dtype, shape, (start, stop) = np.dtype(_DTYPES[entry["dtype"]]), entry["shape"], entry["data_offsets"]
    if not 0 <= start <= stop <= len(content) or stop - start != math.prod(shape) * dtype.itemsize:
        raise ValueError("an array lies outside of the file")
    return content[start:stop].view(dtype).view(np.ndarray).reshape(shape)


def read_arrays_named(file: Path, name: str) -> Arrays:
    """Read those arrays of a safetensors file whose names end with `name`, without reading the others.

    Raises
    ------
    ArtifactError
        As `read_arrays` does.
    """
    try:
        with safe_open(file, framework="numpy") as arrays:
            return {key: arrays.get_tensor(key) for key in arrays.keys() if key.endswith(name)}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ArtifactError(f"{file} can't be read: {error}") from error
