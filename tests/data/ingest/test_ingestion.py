"""Ingested data are what the reader reads from the same files, in whatever parts they come."""

import gzip
import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from nextreel.data.data_format import DataFormat
from nextreel.data.dataset import Dataset
from nextreel.data.ingest.ingestion import Sizes, ingest
from nextreel.data.ingest.maintenance import forget
from nextreel.data.reading.partitioned_rows import open_partitioned
from nextreel.data.reading.table_reader import read_dataset, read_tables
from nextreel.data.schema import TIMESTAMP, USER_ID
from nextreel.errors import ArtifactError, DataError

HEADER = "UserID,MovieID,Rating,Timestamp\n"
SMALL = Sizes(partitions=3, block_bytes=64)
"""So few bytes at a time that files of a few rows have several blocks."""


def write(path: Path, *rows: str, header: str = HEADER) -> Path:
    path.write_text(header + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def by_user(frame: pl.DataFrame) -> pl.DataFrame:
    """Return rows by user and time; those of one second keep their order."""
    return frame.sort(USER_ID, TIMESTAMP, maintain_order=True)


def contents(directory: Path) -> list[str]:
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())


NUMBERS = st.integers(0, 5).map(str)
TEXTS = st.sampled_from(["u1", "u2", "7", "007", " 7", "é", "u3,x", "#"])
ROWS = st.tuples(st.sampled_from(["0.5", "4", "5"]), st.integers(10**9, 10**9 + 3).map(str))


@st.composite
def parts_of_rows(draw: st.DrawFn) -> list[list[str]]:
    """Draw 1 to 4 parts of rows, with repeats and ties; text ids are texts in every part."""
    are_texts = draw(st.booleans())
    parts = []
    for number in range(draw(st.integers(1, 4))):
        rows = draw(st.lists(st.tuples(*[TEXTS if are_texts else NUMBERS] * 2, ROWS), max_size=12))
        # The first row of a part is its own, so that no two parts are the same file.
        known = "u1" if are_texts else "1"
        first = (known, known, ("3", str(10**9 + 10 + number)))
        parts.append(
            [f'"{user}","{movie}",{rating},{time}' for user, movie, (rating, time) in [first, *rows]]
        )
    return parts


@settings(max_examples=30, deadline=None)
@given(parts=parts_of_rows(), suffix=st.sampled_from([".csv", ".csv.gz", ".parquet", ".jsonl"]))
def test_data_in_parts_are_those_of_the_whole_file(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[str]], suffix: str
) -> None:
    home = tmp_path_factory.mktemp("parts")
    whole = write(home / "whole.csv", *(row for part in parts for row in part))
    for number, part in enumerate(parts):
        ingest(convert(write(home / f"part-{number}.csv", *part), suffix), home / "data", sizes=SMALL)
    expected, found = read_tables(whole), read_tables(home / "data")
    assert_frame_equal(by_user(found.interactions), by_user(expected.interactions))
    assert found.format == expected.format
    assert Dataset.from_tables(found).fingerprint == Dataset.from_tables(expected).fingerprint


def convert(file: Path, suffix: str) -> Path:
    target = file.with_suffix(suffix)
    if suffix == ".csv.gz":
        target.write_bytes(gzip.compress(file.read_bytes()))
    elif suffix in (".parquet", ".jsonl"):
        rows = read_tables(file).interactions
        rows.write_parquet(target) if suffix == ".parquet" else rows.write_ndjson(target)
    return target


def test_rows_that_come_late_are_merged_into_the_order_of_time(tmp_path: Path) -> None:
    ingest(write(tmp_path / "b.csv", "1,10,4,2000000000", "1,11,4,2000000002"), tmp_path / "data")
    ingest(write(tmp_path / "a.csv", "1,12,4,2000000001", "1,13,4,2000000002"), tmp_path / "data")
    data = open_partitioned(tmp_path / "data")
    (rows,) = data.iterate()
    assert rows["MovieID"].to_list() == [10, 12, 11, 13]  # in one second, the earlier file's row comes first


def test_all_rows_of_a_user_are_in_one_partition(tmp_path: Path) -> None:
    file = write(tmp_path / "r.csv", *(f"{n % 40},{n},4,{10**9 + n}" for n in range(200)))
    ingest(file, tmp_path / "data", sizes=Sizes(partitions=4, block_bytes=256))
    users = [set(rows[USER_ID]) for rows in open_partitioned(tmp_path / "data").iterate()]
    assert len(users) == 4
    assert sum(map(len, users)) == len(set().union(*users)) == 40


def test_a_file_that_comes_twice_is_refused_by_its_hash(tmp_path: Path) -> None:
    ingest(write(tmp_path / "monday.csv", "1,10,4,2000000000"), tmp_path / "data")
    before = contents(tmp_path / "data")
    again = write(tmp_path / "again.csv", "1,10,4,2000000000")
    with pytest.raises(
        DataError, match=r"again\.csv was ingested already, as monday\.csv with the same SHA-256"
    ):
        ingest(again, tmp_path / "data")
    assert contents(tmp_path / "data") == before


def test_the_same_file_twice_in_one_run_is_refused(tmp_path: Path) -> None:
    for number in (1, 2):
        write(tmp_path / f"part-{number}.csv", "1,10,4,2000000000")
    with pytest.raises(DataError, match=r"part-2\.csv is the same file as .*part-1\.csv"):
        ingest(tmp_path / "part-*.csv", tmp_path / "data")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_a_bad_row_is_reported_as_by_the_reader_and_nothing_is_written(tmp_path: Path, suffix: str) -> None:
    rows = [f"{n},{n},4,{10**9 + n}" for n in range(30)]
    file = tmp_path / f"bad{suffix}"
    if suffix == ".csv":
        write(file, *rows, "31,x y,9,soon", "32,1,4,-1")
    else:
        frame = read_tables(write(tmp_path / "good.csv", *rows)).interactions
        frame = frame.with_columns(
            pl.when(pl.int_range(30) > 25).then(9.0).otherwise("Rating").alias("Rating")
        )
        frame.write_parquet(file) if suffix == ".parquet" else frame.write_ndjson(file)
    with pytest.raises(DataError) as expected:
        read_tables(file)
    with pytest.raises(DataError) as found:
        ingest(file, tmp_path / "data", sizes=SMALL)
    assert str(found.value) == str(expected.value)
    assert not (tmp_path / "data").exists()


def test_a_bad_row_in_a_new_file_leaves_the_data_as_they_were(tmp_path: Path) -> None:
    ingest(write(tmp_path / "monday.csv", "1,10,4,2000000000"), tmp_path / "data")
    before = contents(tmp_path / "data")
    with pytest.raises(DataError, match=r"tuesday\.csv, line 2, column Rating: 9 is out of range"):
        ingest(write(tmp_path / "tuesday.csv", "1,10,9,2000000000"), tmp_path / "data")
    assert contents(tmp_path / "data") == before


@pytest.mark.parametrize(
    "text",
    [
        b"UserID,MovieID,Timestamp\n1,2,1000000000\n\n3,4,1000000001\n",
        b"UserID;MovieID;Timestamp\r\n1;2;1000000000\r\n3;4;1000000001\r\n",
        b"UserID,MovieID,Timestamp\r1,2,1000000000\r3,4,1000000001\r",
        b'\xef\xbb\xbfUserID,MovieID,Timestamp\n"1",2,1000000000\n3,"4",1000000001',
        b'UserID,MovieID,Timestamp\n"a\xe9",2,1000000000\n3,"4",1000000001\n',
        b'UserID,MovieID,what,Timestamp\n1,2,"one\ntwo",1000000000\n3,4,"x",1000000001\n',
        b'UserID,MovieID,what,Timestamp\n1,2,5" disc,1000000000\n3,4,12" disc,1000000001\n',
        b"UserID,MovieID,Timestamp\n" + b"1,2,1000000000000\n" * 40 + b"x,4,1000000001000\n",
        b"UserID,MovieID,date\n1, 2,2001-01-31\n1,2,2001-01-31T18:00+01:00\n",
    ],
    ids=[
        "blank line",
        "semicolons",
        "CR",
        "BOM",
        "latin-1",
        "line break",
        "lone quotes",
        "late text id",
        "ISO",
    ],
)
def test_unusual_files_are_read_as_the_reader_reads_them(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "odd.csv"
    file.write_bytes(text)
    added = ingest(file, tmp_path / "data", sizes=SMALL)
    expected, found = read_tables(file), read_tables(tmp_path / "data")
    assert_frame_equal(by_user(found.interactions), by_user(expected.interactions))
    assert (added.notes, found.format) == (expected.notes, expected.format)


def test_names_of_columns_and_what_counts_as_liked_are_remembered(tmp_path: Path) -> None:
    header = "who,what,score,Timestamp\n"
    request = DataFormat.parse("user=who,movie=what,rating=score", 7)
    ingest(write(tmp_path / "a.csv", "1,2,3,1000000000", header=header), tmp_path / "data", request)
    ingest(write(tmp_path / "b.csv", "1,2,10,1000000001", header=header), tmp_path / "data")
    scale = read_dataset(tmp_path / "data").scale
    assert (scale.lowest, scale.highest, scale.liked_from) == (3, 10, 7)


def test_users_and_movies_come_along_and_later_rows_replace_earlier_ones(tmp_path: Path) -> None:
    for day, age in (("monday", 30), ("tuesday", 31)):
        source = tmp_path / day
        source.mkdir()
        write(source / "ratings.csv", f"u1,m1,4,{10**9 + age}")
        write(source / "users.csv", f"u1,{age}", f"{day},1", header="UserID,Age\n")
        write(source / "movies.csv", "m1,Heat (1995),tt0113277", header="MovieID,Title,imdbId\n")
        ingest(source, tmp_path / "data")
    tables = read_tables(tmp_path / "data")
    assert tables.users is not None
    assert tables.movies is not None
    assert tables.links is not None
    assert dict(tables.users.select("UserID", "Age").iter_rows()) == {"u1": 31, "monday": 1, "tuesday": 1}
    assert tables.movies["Title"].to_list() == ["Heat (1995)"]
    assert tables.links.rows() == [("m1", 113277)]


def test_texts_among_the_ids_of_present_numbers_are_refused(tmp_path: Path) -> None:
    ingest(write(tmp_path / "a.csv", "1,10,4,2000000000"), tmp_path / "data")
    texts = pl.DataFrame({"UserID": ["x"], "MovieID": [1], "Rating": [4.0], "Timestamp": [10**9]})
    texts.write_parquet(tmp_path / "b.parquet")
    with pytest.raises(
        DataError, match=r"the UserIDs are texts, but those of .* are whole numbers; ingest all files"
    ):
        ingest(tmp_path / "b.parquet", tmp_path / "data")


def test_ratings_beside_data_without_them_are_refused(tmp_path: Path) -> None:
    ingest(
        write(tmp_path / "a.csv", "1,10,2000000000", header="UserID,MovieID,Timestamp\n"), tmp_path / "data"
    )
    with pytest.raises(DataError, match=r"b\.csv has ratings, but the data in .* have none"):
        ingest(write(tmp_path / "b.csv", "1,10,4,2000000000"), tmp_path / "data")


def test_another_directory_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    with pytest.raises(ArtifactError, match=r"photos exists and holds no partitions\.json"):
        ingest(write(tmp_path / "a.csv", "1,10,4,2000000000"), tmp_path / "photos")


@pytest.mark.parametrize("name", ["data [1]", "~data", "a*b?", "é"])
def test_the_directory_may_have_any_name(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for day in (1, 2):
        ingest(write(tmp_path / f"{day}.csv", f"u{day},10,4,2000000000"), Path(name))
    forget(Path(name), ["u1"])
    assert read_tables(Path(name)).interactions["UserID"].to_list() == ["u2"]


def test_a_part_that_was_changed_is_an_error(tmp_path: Path) -> None:
    ingest(write(tmp_path / "a.csv", "1,10,4,2000000000"), tmp_path / "data")
    (part,) = (tmp_path / "data").rglob("part-*.parquet")
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match="isn't what was ingested"):
        read_tables(tmp_path / "data")


def test_a_damaged_manifest_is_an_error(tmp_path: Path) -> None:
    ingest(write(tmp_path / "a.csv", "1,10,4,2000000000"), tmp_path / "data")
    manifest = tmp_path / "data" / "partitions.json"
    facts = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**facts, "partitions": "many"}))
    with pytest.raises(DataError, match=r"partitions\.json is damaged"):
        read_tables(tmp_path / "data")
