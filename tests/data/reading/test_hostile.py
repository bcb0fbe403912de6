"""Files that nobody writes by hand: pipes and devices, damaged binary formats, and malformed text without end."""

import gzip
import io
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nextreel.data.reading.table_reader import read_dataset, read_table
from nextreel.data.schema import INTERACTIONS
from nextreel.errors import DataError
from tests.cli.commands import fail, succeed

HEADER = b"UserID,MovieID,Rating,Timestamp\n"
RATINGS = HEADER + b"1,10,4,956703932\n1,11,3.5,956703954\n2,10,5,956704191\n"
R, M = "ratings_train.csv", "movies.csv"


def packed_rows() -> bytes:
    """A Parquet file of interactions."""
    n = np.arange(150)
    rows = pl.DataFrame(
        {"UserID": 1 + n % 3, "MovieID": 4 + n % 3, "Rating": 3.0 + n % 3, "Timestamp": 10**9 + n}
    )
    buffer = io.BytesIO()
    rows.write_parquet(buffer)
    return buffer.getvalue()


def panics(packed: bytes) -> bool:
    try:
        pl.read_parquet(io.BytesIO(packed))
    except pl.exceptions.PanicException:
        return True
    except pl.exceptions.PolarsError:
        return False
    return False


@pytest.fixture(scope="module")
def damaged() -> list[bytes]:
    """Copies of a Parquet file, each with another byte of its footer overwritten."""
    packed = packed_rows()
    start, end = len(packed) - 8 - int.from_bytes(packed[-8:-4], "little"), len(packed) - 8
    return [packed[:i] + b"\xff" + packed[i + 1 :] for i in range(start, end)]


def test_a_damaged_parquet_file_is_refused_even_where_polars_panics(
    tmp_path: Path, damaged: list[bytes]
) -> None:
    file = tmp_path / "train.parquet"
    causes = set()
    for contents in damaged:
        file.write_bytes(contents)
        try:
            read_table(file, INTERACTIONS)
        except DataError as error:
            assert str(error).startswith("train.parquet")  # noqa: PT017
            causes.add(type(error.__cause__ and error.__cause__.__cause__))
    assert pl.exceptions.PanicException in causes


def test_check_prints_one_sentence_where_polars_panics(tmp_path: Path, damaged: list[bytes]) -> None:
    (tmp_path / "ratings_train.parquet").write_bytes(next(filter(panics, damaged)))
    assert fail("check", tmp_path) == (
        "nextreel: ratings_train.parquet: can't be read as Parquet: it is damaged or isn't a Parquet file\n"
    )


def test_the_name_of_a_parquet_file_is_no_pattern(tmp_path: Path) -> None:
    for name in ("a[1].parquet", "a*.parquet", "ab.parquet"):
        (tmp_path / name).write_bytes(packed_rows())
    assert read_table(tmp_path / "a[1].parquet", INTERACTIONS).height == 150
    assert read_table(tmp_path / "a*.parquet", INTERACTIONS).height == 150


@pytest.mark.parametrize("name", ["ratings_train.csv", "ratings_train.csv.gz", "ratings_train.parquet"])
@pytest.mark.parametrize("device", ["pipe", "/dev/zero", "/dev/stdin", "/dev/fd/0"])
def test_a_pipe_or_an_endless_device_is_refused_at_once(tmp_path: Path, name: str, device: str) -> None:
    if device == "pipe":
        os.mkfifo(tmp_path / name)
    else:
        (tmp_path / name).symlink_to(device)
    assert fail("check", tmp_path) == f"nextreel: {name}: is not a regular file\n"


@pytest.mark.parametrize("name", ["users.csv", "movies.csv.gz", "movies.parquet"])
def test_a_pipe_beside_the_interactions_is_refused_too(tmp_path: Path, name: str) -> None:
    (tmp_path / R).write_bytes(RATINGS)
    os.mkfifo(tmp_path / name)
    assert fail("check", tmp_path) == f"nextreel: {name}: is not a regular file\n"


def test_a_pipe_of_queries_is_refused(tmp_path: Path) -> None:
    succeed("sample", tmp_path / "data", "--users", 60, "--movies", 90, "--ratings", 1800)
    succeed("fit", tmp_path / "data", "--model", "popularity", "--out", tmp_path / "model")
    os.mkfifo(tmp_path / "queries.csv")
    arguments = ["--queries", tmp_path / "queries.csv", "--out", tmp_path / "answers.csv"]
    assert "queries.csv: is not a regular file" in fail("recommend", tmp_path / "model", *arguments)


def test_damaged_gzip_data_is_refused_wherever_it_is_damaged(tmp_path: Path) -> None:
    packed = gzip.compress(RATINGS, mtime=0)
    file = tmp_path / "ratings_train.csv.gz"
    for i in range(2, len(packed)):  # the first two bytes are what makes it gzip
        for contents in (
            packed[:i],
            packed[:i] + bytes([packed[i] ^ 0xFF]) + packed[i + 1 :],
            packed + packed[:i],
        ):
            file.write_bytes(contents)
            try:
                read_dataset(tmp_path)
            except DataError as error:
                assert str(error).startswith("ratings_train.csv.gz")  # noqa: PT017


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            b"1,2,3,now",
            "column Timestamp: 'now' is not a time in ISO 8601; expected a time in ISO 8601, such as 2001-01-31T18:00",
        ),
        (b"1", "1 field; expected 4 as in the header"),
        (b'"1,2', "text follows a closing quote; a quote within a quoted field must be doubled"),
        (b'1","""', "a quote is opened but never closed"),
    ],
)
def test_reading_stops_after_many_problems(tmp_path: Path, line: bytes, message: str) -> None:
    (tmp_path / R).write_bytes(HEADER + (line + b"\n") * 200_000)
    with pytest.raises(DataError) as caught:
        read_dataset(tmp_path)
    first, *_, last = str(caught.value).splitlines()
    separator = ", " if message.startswith("column") else ": "
    assert first == f"{R}, line 2{separator}{message}"
    assert last == "... and at least 9,980 more problems"
    assert caught.value.is_partial


def test_problems_of_two_files_are_at_least_the_sum(tmp_path: Path) -> None:
    (tmp_path / R).write_bytes(HEADER + b"1,2,9,4\n" * 20_000)
    (tmp_path / M).write_bytes(b"MovieID,Title,Genres\n" + b",A,B\n" * 3)
    with pytest.raises(DataError) as caught:
        read_dataset(tmp_path)
    assert str(caught.value).endswith("... and at least 9,983 more problems")


def test_all_rows_are_quarantined_however_many_are_bad(tmp_path: Path) -> None:
    source, bad = tmp_path / "source", tmp_path / "bad.csv"
    source.mkdir()
    (source / R).write_bytes(RATINGS + b'"1,2\n' * 20_000 + b"3,10,2,956704195\n")
    succeed("check", source, "--quarantine", bad, "--clean", tmp_path / "clean")
    assert pl.read_csv(bad).height == 20_000
    assert read_dataset(tmp_path / "clean").timeline.timestamps.size == 4


def test_a_record_may_have_many_lines_but_not_the_whole_file(tmp_path: Path) -> None:
    header, row = HEADER.strip() + b",Review\n", b'1,10,4,956703932,"%b"\n'
    (tmp_path / R).write_bytes(header + row % (b"x\n" * 998) + row % b"y")
    assert read_table(tmp_path / R, INTERACTIONS).height == 2
    (tmp_path / R).write_bytes(header + row % (b"x\n" * 1000))
    with pytest.raises(DataError, match="line 2: a quote is opened but never closed"):
        read_table(tmp_path / R, INTERACTIONS)


def test_a_long_value_is_quoted_in_part(tmp_path: Path) -> None:
    (tmp_path / R).write_bytes(RATINGS + b"1,2,3," + b"9" * 100_000 + b"\n")
    with pytest.raises(DataError, match=r"line 5, column Timestamp: 9+ \[\.\.\.\] 9*") as caught:
        read_dataset(tmp_path)
    assert len(str(caught.value)) < 600
