"""Malformed files: the message names file, line, column, value and what was expected."""

import gzip
import io
import re
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from nextreel.cli import app
from nextreel.data.reading.table_reader import read_dataset
from nextreel.errors import DataError

RATINGS = b"UserID,MovieID,Rating,Timestamp\n1,10,4,956703932\n1,11,3.5,956703954\n2,10,5,956704191\n"
USERS = b"UserID,Gender,Age,Occupation,ZipCode\n1,F,25,10,02138\n2,M,56,16,98107-2117\n"
MOVIES = b'MovieID,Title,Genres\n10,Toy Story (1995),Animation|Comedy\n11,"Net, The (1995)",Thriller\n'

HEADER = b"UserID,MovieID,Rating,Timestamp\n"
PACKED = gzip.compress(RATINGS)
R, U, M = "ratings_train.csv", "users.csv", "movies.csv"


def parquet(**columns: pl.Series) -> bytes:
    good = {
        "UserID": pl.Series([1, 1], dtype=pl.Int64),
        "MovieID": pl.Series([10, 11], dtype=pl.Int64),
        "Rating": pl.Series([4.0, 5.0], dtype=pl.Float32),
        "Timestamp": pl.Series([956703932, 956703954], dtype=pl.Int64),
    }
    buffer = io.BytesIO()
    pl.DataFrame({**good, **columns}).write_parquet(buffer)
    return buffer.getvalue()


def without(column: str) -> bytes:
    buffer = io.BytesIO()
    pl.read_parquet(parquet()).drop(column).write_parquet(buffer)
    return buffer.getvalue()


def row(cells: bytes) -> bytes:
    """Good interactions with one more row, on line 5."""
    return RATINGS + cells + b"\n"


def user(cells: bytes) -> bytes:
    """Good users with one more row, on line 4."""
    return USERS + cells + b"\n"


def movie(cells: bytes) -> bytes:
    """Good movies with one more row, on line 4."""
    return MOVIES + cells + b"\n"


STRUCTURE: list[tuple[str, bytes, str]] = [
    # files that are wrong as a whole
    (R, b"", f"{R}: is empty; expected a header UserID,MovieID,Rating,Timestamp and rows"),
    (R, b"\xef\xbb\xbf\r\n\r\n", f"{R}: is empty; expected a header UserID,MovieID,Rating,Timestamp and rows"),
    (R, HEADER, f"{R}: has a header but no rows"),
    (R, HEADER.rstrip(), f"{R}: has a header but no rows"),
    (R, HEADER + b"\n\n", f"{R}: has a header but no rows"),
    (U, b"", f"{U}: is empty; expected a header UserID,Gender,Age,Occupation,ZipCode and rows"),
    (M, b"\n", f"{M}: is empty; expected a header MovieID,Title,Genres and rows"),
    (R, b"1,10,4,956703932\n1,11,3,956703954\n", f"{R}, line 1: there is no header: the first line is a row of data; expected the header UserID,MovieID,Rating,Timestamp"),
    (R, b"\nUserID,MovieID,Rating,Timestamp\n1,10,4,956703932\n", f"{R}, line 1: the first line is empty; expected the header UserID,MovieID,Rating,Timestamp"),
    (R, b" \r\n\x01", f"{R}, line 1: the first line is empty; expected the header UserID,MovieID,Rating,Timestamp"),
    (M, b"10,Toy Story (1995),Comedy\n", f"{M}, line 1: there is no header: the first line is a row of data; expected the header MovieID,Title,Genres"),
    (R, b"UserID,MovieID,Rating,When\n1,10,4,5\n", f"{R}, line 1, column Timestamp: missing; the header has UserID, MovieID, Rating, When; name the column by --columns time=NAME"),
    (R, b"who,what,Rating,Timestamp\n1,10,4,5\n", f"{R}, line 1, column UserID: missing; the header has who, what, Rating, Timestamp; name the column by --columns user=NAME\n{R}, line 1, column MovieID: missing; the header has who, what, Rating, Timestamp; name the column by --columns movie=NAME"),
    (R, b"user_id,User ID,item,time\n1,1,10,5\n", f"{R}, line 1: 'user_id' and 'User ID' could both be the column UserID: say which, such as --columns user=user_id"),
    (U, b"Person,Gender,Age,Occupation\n1,F,25,10\n", f"{U}, line 1, column UserID: missing; the header has Person, Gender, Age, Occupation; name the column by --columns user=NAME"),
    (M, b"movieId,Genres\n1,B\n", f"{M}, line 1, column Title: missing; the header has movieId, Genres; name the column by --columns title=NAME"),
    (R, b"UserID,MovieID,Rating,Rating,Timestamp\n1,10,4,4,5\n", f"{R}, line 1, column Rating: is in the header more than once"),
    (R, RATINGS.replace(b",", b"::"), f"{R}, line 1: columns are separated by '::'; expected commas"),
    (R, b"1::1193::5::978300760\n", f"{R}, line 1: columns are separated by '::'; expected commas"),
    (R, b'UserID,"MovieID,Rating,Timestamp\n1,10,4,5\n', f"{R}, line 1: the header can't be read: unexpected end of data"),
    (R, row(b"1,1\x002,4,956703932"), f"{R}, line 5: holds a NUL byte; expected text"),
    (R, RATINGS.decode().encode("utf-16"), f"{R}: is UTF-16 text; save it as UTF-8"),
    (R, b"PK\x03\x04 a spreadsheet", f"{R}: is a zip archive or a spreadsheet; expected CSV text"),
    (R, parquet(), f"{R}: is a Parquet file; name it .parquet"),
    ("ratings_train.csv.gz", PACKED[:-20], "ratings_train.csv.gz: ends in the middle of its gzip data: the file is truncated"),
    ("ratings_train.csv.gz", PACKED[:12] + b"\xff\xff\xff" + PACKED[15:], "ratings_train.csv.gz: is damaged: its gzip data can't be unpacked"),
    ("ratings_train.csv.gz", PACKED[:-8] + b"\0\0\0\0" + PACKED[-4:], "ratings_train.csv.gz: is damaged: its gzip data can't be unpacked"),
    ("ratings_train.parquet", RATINGS, "ratings_train.parquet: can't be read as Parquet: it is damaged or isn't a Parquet file"),
    ("ratings_train.parquet", b"", "ratings_train.parquet: can't be read as Parquet: it is damaged or isn't a Parquet file"),
    ("ratings_train.parquet", parquet()[:-30], "ratings_train.parquet: can't be read as Parquet: it is damaged or isn't a Parquet file"),
    ("ratings_train.parquet", parquet(UserID=pl.Series([1.0, 2.0])), "ratings_train.parquet, column UserID: has type Float64; expected Int64, a whole number from 0"),
    ("ratings_train.parquet", parquet(Timestamp=pl.Series([1.0, 2.0])), "ratings_train.parquet, column Timestamp: has type Float64; expected Int64, POSIX seconds"),
    ("ratings_train.parquet", without("Timestamp"), "ratings_train.parquet, column Timestamp: missing; the file has UserID, MovieID, Rating; name the column by --columns time=NAME"),
]  # fmt: skip

ROWS: list[tuple[str, bytes, str]] = [
    # cells
    (R, row(b"1,12,five,956703932"), f"{R}, line 5, column Rating: 'five' is not a number; expected a rating from 0.5 to 5"),
    (R, row(b"1,12,,956703932"), f"{R}, line 5, column Rating: the cell is empty; expected a rating from 0.5 to 5"),
    (R, row(b"1,12,  ,956703932"), f"{R}, line 5, column Rating: the cell is empty; expected a rating from 0.5 to 5"),
    (R, row(b"1,12,nan,956703932"), f"{R}, line 5, column Rating: 'nan' is not a finite number; expected a rating from 0.5 to 5"),
    (R, row(b"1,12,-inf,956703932"), f"{R}, line 5, column Rating: '-inf' is not a finite number; expected a rating from 0.5 to 5"),
    (R, row(b"1,12,0,956703932"), f"{R}, line 5, column Rating: 0 is out of range; expected a rating from 0.5 to 5, or --liked-from for another scale"),
    (R, row(b"1,12,5.5,956703932"), f"{R}, line 5, column Rating: 5.5 is out of range; expected a rating from 0.5 to 5, or --liked-from for another scale"),
    (R, row(b"1,12,-3,956703932"), f"{R}, line 5, column Rating: -3 is out of range; expected a rating from 0.5 to 5, or --liked-from for another scale"),
    (R, row(b'1,12,"4,5",956703932'), f"{R}, line 5, column Rating: '4,5' is not a number; expected a rating from 0.5 to 5"),
    (R, row(b"1,12,4_0,956703932"), f"{R}, line 5, column Rating: '4_0' is not a number; expected a rating from 0.5 to 5"),
    (R, row("1,12,٤,956703932".encode()), f"{R}, line 5, column Rating: '٤' is not a number; expected a rating from 0.5 to 5"),
    (R, row(b"-1,12,4,956703932"), f"{R}, line 5, column UserID: -1 is negative; expected a whole number from 0"),
    (R, row(b"1.0,12,4,956703932"), f"{R}, line 5, column UserID: '1.0' is not a whole number; expected a whole number from 0"),
    (R, row(b"1e3,12,4,956703932"), f"{R}, line 5, column UserID: '1e3' is not a whole number; expected a whole number from 0"),
    (R, row(b"1,nan,4,956703932"), f"{R}, line 5, column MovieID: 'nan' is not a finite number; expected a whole number from 0"),
    (R, row(b"-7,-9223372036854775808,4,956703932"), f"{R}, line 5, column UserID: -7 is negative; expected a whole number from 0\n{R}, line 5, column MovieID: -9223372036854775808 doesn't fit into 64 bits; expected a whole number from 0"),
    (R, row(b",12,4,956703932"), f"{R}, line 5, column UserID: the cell is empty; expected a whole number from 0"),
    (R, row(b"1,12,4,-5"), f"{R}, line 5, column Timestamp: -5 is negative; expected POSIX seconds"),
    (R, row(b"1,12,4,1046454590000"), f"{R}, line 5, column Timestamp: 1046454590000 looks like milliseconds; expected POSIX seconds"),
    (R, row(b"1,12,4,1046454590000000"), f"{R}, line 5, column Timestamp: 1046454590000000 looks like microseconds; expected POSIX seconds"),
    (R, row(b"1,12,4,1046454590000000000"), f"{R}, line 5, column Timestamp: 1046454590000000000 looks like nanoseconds; expected POSIX seconds"),
    (R, row(b"1,12,4,5000000000"), f"{R}, line 5, column Timestamp: 5000000000 is in the year 2128; expected POSIX seconds before 2100"),
    (R, row(b"1,12,4,2003-02-28"), f"{R}, line 5, column Timestamp: '2003-02-28' is not a number; expected POSIX seconds"),
    (R, row(b"1,12,4,28/02/2003"), f"{R}, line 5, column Timestamp: '28/02/2003' is ambiguous, day and month could be swapped; expected a time in ISO 8601, such as 2001-01-31T18:00, or POSIX seconds"),
    (R, row(b"1,12,4,956703932.5"), f"{R}, line 5, column Timestamp: '956703932.5' is not a whole number; expected POSIX seconds"),
    (R, row(b"1,12,4,"), f"{R}, line 5, column Timestamp: the cell is empty; expected POSIX seconds"),
    (R, row(b"x,y,z,w"), f"{R}, line 5, column Rating: 'z' is not a number; expected a rating from 0.5 to 5\n{R}, line 5, column Timestamp: 'w' is not a number; expected POSIX seconds"),
    (U, user(b"3,F,young,10,02138"), f"{U}, line 4, column Age: 'young' is not a number; expected a whole number from 0"),
    (U, user(b"3,F,25,-1,02138"), f"{U}, line 4, column Occupation: -1 is negative; expected a whole number from 0"),
    (U, user(b"2,F,25,10,02138"), f"{U}, line 4, column UserID: 2 is already on line 3; expected unique values"),
    (M, movie(b"10,Toy Story (1995),Comedy"), f"{M}, line 4, column MovieID: 10 is already on line 2; expected unique values"),
    # rows
    (R, row(b"1,12,4"), f"{R}, line 5: 3 fields; expected 4 as in the header"),
    (R, row(b"1"), f"{R}, line 5: 1 field; expected 4 as in the header"),
    (R, row(b"1,12,4,956703932,9"), f"{R}, line 5: 5 fields; expected 4 as in the header"),
    (R, row(b",,,,"), f"{R}, line 5: 5 fields; expected 4 as in the header"),
    (R, row(b"1;12;4;956703932"), f"{R}, line 5: 1 field; expected 4 as in the header"),
    (U, user(b"3,F,25,10"), f"{U}, line 4: 4 fields; expected 5 as in the header"),
    (M, movie(b"12,American President, The (1995),Drama"), f"{M}, line 4: 4 fields; expected 3 as in the header"),
    # quotes
    (R, row(b'1,"12,4,956703932'), f"{R}, line 5: a quote is opened but never closed"),
    (M, movie(b'12,"Heat (1995),Action\n13,Casino (1995),Drama'), f"{M}, line 4: a quote is opened but never closed"),
    (M, movie(b'12,"Heat (1995),Action\n13,"Sabrina, or so",Drama'), f"{M}, line 4: text follows a closing quote; a quote within a quoted field must be doubled"),
    (M, movie(b'12,"The "Burbs (1989)",Comedy'), f"{M}, line 4: text follows a closing quote; a quote within a quoted field must be doubled"),
    # true lines
    (M, movie(b'12,"Two\nlines",Drama\n,Heat (1995),Action'), f"{M}, line 6, column MovieID: the cell is empty; expected a whole number from 0"),
    (R, RATINGS + b"\n\n1,12,9,5\n", f"{R}, line 7, column Rating: 9 is out of range; expected a rating from 0.5 to 5, or --liked-from for another scale"),
    (R, row(b"1,12,9,5").replace(b"\n", b"\r\n"), f"{R}, line 5, column Rating: 9 is out of range; expected a rating from 0.5 to 5, or --liked-from for another scale"),
    (R, b"\xef\xbb\xbf" + row(b"1,12,9,5"), f"{R}, line 5, column Rating: 9 is out of range; expected a rating from 0.5 to 5, or --liked-from for another scale"),
    ("ratings_train.csv.gz", gzip.compress(row(b"1,12,9,5")), "ratings_train.csv.gz, line 5, column Rating: 9 is out of range; expected a rating from 0.5 to 5, or --liked-from for another scale"),
    ("ratings_train.parquet", parquet(Rating=pl.Series([4.0, 9.0])), "ratings_train.parquet, column Rating: row 2: 9.0 is out of range; expected a rating from 0.5 to 5, or --liked-from for another scale"),
    ("ratings_train.parquet", parquet(Rating=pl.Series([4.0, None])), "ratings_train.parquet, column Rating: row 2: the cell is empty; expected a rating from 0.5 to 5"),
    ("ratings_train.parquet", parquet(UserID=pl.Series([2**63, 1], dtype=pl.UInt64)), "ratings_train.parquet, column UserID: row 1: 9223372036854775808 doesn't fit into 64 bits; expected a whole number from 0"),
    ("ratings_train.parquet", parquet(Timestamp=pl.Series([1, 1046454590000])), "ratings_train.parquet, column Timestamp: row 2: 1046454590000 looks like milliseconds; expected POSIX seconds"),
]  # fmt: skip


def name_case(case: object) -> str | None:
    return case.replace("\n", " / ") if isinstance(case, str) else ""


def lay_out(directory: Path, file: str, contents: bytes) -> None:
    """Three good files, one of them replaced."""
    table = file.split(".")[0]
    for name, good in ((R, RATINGS), (U, USERS), (M, MOVIES)):
        if not name.startswith(table):
            (directory / name).write_bytes(good)
    (directory / file).write_bytes(contents)


def reason_of(message: str) -> str:
    """A message without its place in the file: "COLUMN: what is wrong", or what is wrong with the whole row."""
    place, _, reason = message.partition(": ")
    _, has_column, column = place.partition(", column ")
    return (f"{column}: " if has_column else "") + re.sub(r"^row \d+: ", "", reason)


def everything_under(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize(("file", "contents", "message"), [*STRUCTURE, *ROWS], ids=name_case)
def test_reading_a_malformed_file_says_what_is_wrong_and_writes_nothing(
    tmp_path: Path, file: str, contents: bytes, message: str
) -> None:
    lay_out(tmp_path, file, contents)
    before = everything_under(tmp_path)
    with pytest.raises(DataError) as caught:
        read_dataset(tmp_path)
    assert str(caught.value) == message
    assert everything_under(tmp_path) == before


@pytest.mark.parametrize(("file", "contents", "message"), [*STRUCTURE[::4], *ROWS[::4]], ids=name_case)
def test_check_fails_with_the_same_message_and_writes_nothing(
    tmp_path: Path, file: str, contents: bytes, message: str
) -> None:
    lay_out(tmp_path, file, contents)
    before = everything_under(tmp_path)
    result = CliRunner().invoke(app, ["check", str(tmp_path)])
    assert result.exit_code == 1
    assert str(result.exception) == message
    assert result.stdout == ""
    assert everything_under(tmp_path) == before


@pytest.mark.parametrize(("file", "contents", "message"), STRUCTURE, ids=name_case)
def test_a_file_wrong_as_a_whole_cannot_be_quarantined(
    tmp_path: Path, file: str, contents: bytes, message: str
) -> None:
    lay_out(tmp_path, file, contents)
    before = everything_under(tmp_path)
    command = [
        "check",
        str(tmp_path),
        "--quarantine",
        str(tmp_path / "bad.csv"),
        "--clean",
        str(tmp_path / "clean"),
    ]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1
    assert str(result.exception) == message.replace("has a header but no rows", "has no valid rows")
    assert everything_under(tmp_path) == before


@pytest.mark.parametrize(("file", "contents", "message"), ROWS, ids=name_case)
def test_a_quarantined_file_reads_without_its_bad_rows(
    tmp_path: Path, file: str, contents: bytes, message: str
) -> None:
    source, clean, bad = tmp_path / "source", tmp_path / "clean", tmp_path / "bad.csv"
    source.mkdir()
    lay_out(source, file, contents)
    before = everything_under(source)
    result = CliRunner().invoke(app, ["check", str(source), "--quarantine", str(bad), "--clean", str(clean)])
    assert result.exit_code == 0, result.output
    rows = pl.read_csv(bad)
    assert rows.columns == ["File", "Line", "Row", "Reason"]
    assert set(rows["File"]) == {file}
    assert rows["Reason"][0] == "; ".join(map(reason_of, message.splitlines()))
    assert everything_under(source) == before
    assert len(read_dataset(clean).timeline) >= 1


def test_only_the_first_problems_are_listed_and_all_are_counted(tmp_path: Path) -> None:
    (tmp_path / R).write_bytes(HEADER + b"1,1,9,1\n" * 1234)
    with pytest.raises(DataError) as caught:
        read_dataset(tmp_path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 21
    assert (
        lines[19]
        == f"{R}, line 21, column Rating: 9 is out of range; expected a rating from 0.5 to 5, or --liked-from for another scale"
    )
    assert lines[20] == "... and 1,214 more problems"


def test_problems_of_all_files_are_listed_at_once(tmp_path: Path) -> None:
    lay_out(tmp_path, R, row(b"1,12,9,5"))
    (tmp_path / M).write_bytes(b"")
    with pytest.raises(DataError) as caught:
        read_dataset(tmp_path)
    assert [problem.file for problem in caught.value.problems] == [R, M]


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: no such file or directory"):
        read_dataset(tmp_path / "nowhere")


def test_a_directory_in_place_of_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / R).mkdir()
    with pytest.raises(DataError, match=r"ratings_train\.csv: is not a regular file"):
        read_dataset(tmp_path)


def test_an_empty_directory_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(
        DataError,
        match=r"no interactions; looked for ratings_train\.csv, .*, one file of another name, and part",
    ):
        read_dataset(tmp_path)


@pytest.mark.parametrize(
    ("file", "contents"),
    [
        ("u.data", b"196\t242\t3\t881250949\n"),
        ("ratings.dat", b"1::1193::5::978300760\n"),
    ],
)
def test_grouplens_raw_files_are_pointed_to_convert(tmp_path: Path, file: str, contents: bytes) -> None:
    (tmp_path / file).write_bytes(contents)
    with pytest.raises(
        DataError, match=f"{file} is a raw GroupLens file: run `nextreel convert .* OUT` first"
    ):
        read_dataset(tmp_path)


def test_two_forms_of_one_table_are_ambiguous(tmp_path: Path) -> None:
    lay_out(tmp_path, R, RATINGS)
    (tmp_path / "ratings_train.parquet").write_bytes(parquet())
    with pytest.raises(
        DataError, match=r"ratings_train\.csv and ratings_train\.parquet both exist; expected only one"
    ):
        read_dataset(tmp_path)
