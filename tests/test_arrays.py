"""Orders and runs of rows, and arrays in files."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save
from scipy.sparse import csr_array

from nextreel.arrays import Arrays, map_arrays, read_arrays, stable_order, starts_run, write_arrays
from nextreel.errors import ArtifactError

SMALL, ANY = st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1)


@given(
    st.lists(st.tuples(SMALL, SMALL), max_size=30)
    | st.lists(st.tuples(st.integers(0, 4), ANY), max_size=30)
    | st.lists(st.tuples(ANY, ANY), max_size=30)
)
def test_rows_are_sorted_as_pairs_and_equal_ones_keep_their_order(rows: list[tuple[int, int]]) -> None:
    first, second = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    assert stable_order(first, second).tolist() == sorted(range(len(rows)), key=rows.__getitem__)


@given(st.lists(SMALL, max_size=30))
def test_a_run_starts_where_a_value_differs_from_the_one_before(values: list[int]) -> None:
    starts = starts_run(np.array(values, dtype=np.int64)).tolist()
    assert starts == [place == 0 or value != values[place - 1] for place, value in enumerate(values)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    arrays: Arrays = {
        "table": np.arange(6, dtype=np.float32).reshape(2, 3),
        "ids": np.arange(5),
        "one": np.array(7, dtype=np.int32),
        "none": np.empty((0, 3), dtype=np.float32),
        "flags": np.array([True, False, True]),
    }
    write_arrays(arrays, tmp_path / "arrays.safetensors")
    return tmp_path / "arrays.safetensors"


def test_a_sparse_matrix_views_mapped_arrays(file: Path) -> None:
    mapped = map_arrays(file)
    values, bounds = mapped["table"].ravel(), np.array([0, 6])
    matrix = csr_array((values, np.arange(6), bounds), shape=(1, 6))
    assert np.shares_memory(matrix.data, mapped["table"])  # scipy copies what is a part of a larger array


def test_mapped_arrays_are_those_that_are_read(file: Path) -> None:
    mapped, read = map_arrays(file), read_arrays(file)
    assert mapped.keys() == read.keys()
    for name, array in mapped.items():
        np.testing.assert_array_equal(array, read[name], strict=True)


def test_what_is_written_to_a_mapped_array_does_not_reach_the_file(file: Path) -> None:
    map_arrays(file)["ids"][0] = 9
    assert read_arrays(file)["ids"].tolist() == [0, 1, 2, 3, 4]


def test_mapped_arrays_stay_when_their_file_is_replaced(file: Path) -> None:
    mapped = map_arrays(file)
    write_arrays({"ids": np.zeros(5, dtype=np.int64)}, file.with_suffix(".new"))
    file.with_suffix(".new").replace(file)
    assert mapped["ids"].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"short",
        b"\xff" * 64,
        b"\2\0\0\0\0\0\0\0[]",
        b'\x0f\0\0\0\0\0\0\0{"a":{"dtype":1}',
        b'\x37\0\0\0\0\0\0\0{"a":{"dtype":"I64","shape":[9],"data_offsets":[0,72]}}',
        b'\x36\0\0\0\0\0\0\0{"a":{"dtype":"I64","shape":[9],"data_offsets":[0,8]}}12345678',
    ],
)
def test_a_file_without_whole_arrays_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "arrays").write_bytes(content)
    with pytest.raises(ArtifactError, match="can't be read"):
        map_arrays(tmp_path / "arrays")


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {
            "b": np.arange(6, dtype=np.float32).reshape(2, 3),
            "a": np.arange(3),
            "none": np.zeros((0, 4), dtype=np.int32),
            "marked": np.array([True, False, True]),
            "né": np.array(3, dtype=np.int32),
            "half": np.ones(1, dtype=np.float16),
            "turned": np.arange(6).reshape(2, 3).T,
        },
    ],
)
def test_a_file_of_arrays_has_the_bytes_that_safetensors_gives_it(tmp_path: Path, arrays: Arrays) -> None:
    write_arrays(arrays, tmp_path / "arrays")
    expected = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    assert (tmp_path / "arrays").read_bytes() == expected


def test_arrays_are_written_without_a_copy_of_them_in_memory(tmp_path: Path) -> None:
    array = np.ones(1_000_000)
    tracemalloc.start()
    try:
        write_arrays({"array": array}, tmp_path / "arrays")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < array.nbytes / 10
