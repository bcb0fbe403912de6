"""Whatever the bytes of a table are: it is read, or there is one DataError."""

import gzip
import io
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextreel.data.reading.table_reader import read_dataset, read_queries, read_table
from nextreel.data.schema import INTERACTIONS, MOVIES, USERS
from nextreel.errors import DataError

TEXTS = {
    INTERACTIONS: "UserID,MovieID,Rating,Timestamp\n1,10,4,956703932\n1,11,3.5,956703954\n2,10,5,956704191\n",
    MOVIES: 'MovieID,Title,Genres\n10,"Long Reel, The (1999)",Drama|War\n11,Café (2001),Comedy\n',
    USERS: "UserID,Gender,Age,Occupation,Zip-code\n1,F,25,10,48067\n2,M,56,16,70072\n",
}
TABLES = st.sampled_from(list(TEXTS))
CELLS = st.one_of(
    st.integers(0, 99).map(str),
    st.text(max_size=8),
    st.sampled_from(
        ['"', ",", "\n", "\r", "\0", "1e400", "NaN", "-0", "٣", "2021-02-30", "9" * 25, "4.25", "null"]
    ),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzzed")


def pack(text: str, ending: str) -> bytes:
    """Return a table in the format of an ending."""
    if ending == "csv":
        return text.encode()
    if ending == "csv.gz":
        return gzip.compress(text.encode(), mtime=0)
    frame, buffer = pl.read_csv(text.encode()), io.BytesIO()
    if ending == "parquet":
        frame.write_parquet(buffer)
    else:
        frame.write_ndjson(buffer)
    return buffer.getvalue()


def read_all_ways(file: Path) -> None:
    for table in TEXTS:
        with suppress(DataError):
            read_table(file, table)
    with suppress(DataError):
        read_queries(file)
    with suppress(DataError):
        read_dataset(file)


@given(data=st.binary(max_size=200), ending=st.sampled_from(["csv", "csv.gz", "parquet", "jsonl"]))
def test_any_bytes(home: Path, data: bytes, ending: str) -> None:
    file = home / f"any.{ending}"
    file.write_bytes(data)
    read_all_ways(file)


@given(table=TABLES, rows=st.lists(st.lists(CELLS, max_size=6), max_size=5))
def test_any_cells_behind_a_header(home: Path, table: object, rows: list[list[str]]) -> None:
    header = TEXTS[table].splitlines(keepends=True)[0]  # type: ignore[index]
    file = home / "cells.csv"
    file.write_bytes(
        (header + "".join(",".join(row) + "\n" for row in rows)).encode("utf-8", errors="replace")
    )
    read_all_ways(file)


@given(table=TABLES, ending=st.sampled_from(["csv", "csv.gz", "parquet", "jsonl"]), data=st.data())
def test_changed_bytes_and_a_lost_end(home: Path, table: object, ending: str, data: st.DataObject) -> None:
    changed = bytearray(pack(TEXTS[table], ending))  # type: ignore[index]
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    file = home / f"changed.{ending}"
    file.write_bytes(changed[: data.draw(st.integers(len(changed) // 2, len(changed)))])
    read_all_ways(file)
