"""A file that is read in blocks gives the rows, or the problems, that it gives when it is read as a whole."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from nextreel.data.data_format import ANY_FORMAT, DataFormat
from nextreel.data.reading.csv_text import SEPARATORS
from nextreel.data.reading.row_blocks import RereadError, open_blocks
from nextreel.data.reading.table_reader import read_noted_table
from nextreel.data.schema import INTERACTIONS
from nextreel.errors import DataError
from tests.data.reading.test_fast_and_exact import FORMATS, IDS, TIMES

Outcome = tuple[pl.DataFrame, tuple[str, ...]] | str


def read_whole(path: Path, format_: DataFormat) -> Outcome:
    try:
        noted = read_noted_table([path], INTERACTIONS, format_)
    except DataError as error:
        return str(error)
    return noted.frame, noted.notes


def read_in_blocks(path: Path, format_: DataFormat, size: int) -> Outcome:
    scratch = path.with_name("scratch")
    scratch.mkdir(exist_ok=True)
    exactly = False
    while True:
        try:
            blocks = open_blocks(path, format_, scratch, exactly, size)
            return pl.concat(blocks.frames), blocks.notes
        except RereadError as reread:
            format_, exactly = reread.format, reread.exactly
        except DataError as error:
            return str(error)


def check_agreement(path: Path, format_: DataFormat, size: int) -> None:
    assert_same(read_in_blocks(path, format_, size), read_whole(path, format_))


def assert_same(outcome: Outcome, expected: Outcome) -> None:
    if isinstance(outcome, str) or isinstance(expected, str):
        assert outcome == expected
        return
    assert_frame_equal(outcome[0], expected[0])
    assert outcome[1] == expected[1]


@given(
    users=IDS,
    movies=IDS,
    times=TIMES,
    separator=st.sampled_from(SEPARATORS),
    format_=FORMATS,
    quote=st.sampled_from(["", "", '"']),
    end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "latin-1"]),
    size=st.integers(1, 80),
)
def test_csv_in_blocks_is_as_the_whole(
    tmp_path_factory: pytest.TempPathFactory,
    users: list[str],
    movies: list[str],
    times: list[str],
    separator: str,
    format_: DataFormat,
    quote: str,
    end: str,
    encoding: str,
    size: int,
) -> None:
    rows = [
        [user, f"{quote}{movie}{quote}", "4", time, "é"]
        for user, movie, time in zip(users, movies, times, strict=False)
    ]
    header = ["user_id", "movieId", "rating", "timestamp", "naïve"]
    path = tmp_path_factory.mktemp("any") / "t.csv"
    text = "".join(separator.join(row) + end for row in [header, *rows])
    path.write_bytes(text.encode(encoding, errors="replace"))
    check_agreement(path, format_, size)


def values_of(dtype: type[pl.DataType]) -> st.SearchStrategy[list[object]]:
    times = (
        st.integers(10**9, 2 * 10**9) | st.none()
        if dtype is pl.Int64
        else st.sampled_from(["x", "2001-01-31"])
    )
    return st.lists(times, min_size=1, max_size=12)


@given(values=values_of(pl.Int64) | values_of(pl.String), text_ids=st.booleans(), size=st.integers(1, 200))
@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_typed_files_in_blocks_are_as_the_whole(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, values: list[object], text_ids: bool, size: int
) -> None:
    ids = pl.int_range(len(values), eager=True)
    frame = pl.DataFrame(
        {"user": ids.cast(pl.String) if text_ids else ids, "movie": ids, "time": values, "x": 1}
    )
    path = tmp_path_factory.mktemp("any") / f"t{suffix}"
    frame.write_parquet(path) if suffix == ".parquet" else frame.write_ndjson(path)
    check_agreement(path, DataFormat(), size)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" \n\n",
        b"PAR1",
        b"a,b\n1,2\n",
        b"UserID,MovieID,Timestamp\n1,2,3\n\0",
        b"\x1f\x8bxx",
        b"\x1f\x8b",
    ],
    ids=["empty", "blank", "Parquet", "other columns", "NUL", "no gzip", "cut gzip"],
)
def test_what_is_wrong_with_a_file_is_said_as_for_the_whole(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    check_agreement(path, DataFormat(), 64)


@pytest.mark.parametrize("name", ["odd [1].jsonl", "~odd*.jsonl", "odd [1].parquet", "t.jsonl"])
def test_odd_names_and_damaged_files_of_types(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    frame = pl.DataFrame({"user": [1, 2], "movie": [1, 2], "time": [1, 2]})
    with path.open("wb") as opened:  # since polars would take a mark in the name for a pattern
        frame.write_parquet(opened) if path.suffix == ".parquet" else frame.write_ndjson(opened)
    check_agreement(path, DataFormat(), 64)
    path.write_bytes(path.read_bytes()[:-5])
    check_agreement(path, DataFormat(), 64)


@pytest.mark.parametrize(
    "rows",
    [
        b"1,10,4,956703932\n2,11,3.5,956703954\n3,10,1,5\n",
        b"1,10,4,956703932\nada,11,3.5,956703954\n3,10,1,5\n",
        b'1,10,4,956703932\n2,"11",3.5,956703954\n3,10,1,2001-01-01\n',
        b"1,10,4,956703932\n2,11,35,956703954\n3,x,1,5\n",
        b"\n\n",
    ],
    ids=["plain", "text ids in a later block", "times of two kinds", "problems in two blocks", "no rows"],
)
def test_a_large_file_is_read_as_a_small_one(
    rows: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ratings.csv"
    file.write_bytes(b"UserID,MovieID,Rating,Timestamp\n" + rows)
    small = read_whole(file, ANY_FORMAT)
    monkeypatch.setattr("nextreel.data.reading.table_reader.LARGE_BYTES", 1)
    monkeypatch.setattr("nextreel.data.reading.table_reader.BLOCK_BYTES", 20)
    assert_same(read_whole(file, ANY_FORMAT), small)
