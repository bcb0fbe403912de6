"""Valid files in all their variants are read, and what is written is read back."""

import gzip
import resource
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from nextreel.atomic_files import replacing
from nextreel.data.data_format import ANY_FORMAT
from nextreel.data.reading.csv_kinds import find_text_ids, resolve_csv
from nextreel.data.reading.csv_text import open_csv
from nextreel.data.reading.data_files import find_table
from nextreel.data.reading.exact_csv import read_exactly
from nextreel.data.reading.table_reader import (
    read_dataset,
    read_interactions,
    read_noted_table,
    read_queries,
    read_table,
    read_tables,
)
from nextreel.data.schema import INTERACTIONS, MOVIES, USERS, Table
from nextreel.data.table_writer import write_table
from nextreel.errors import DataError, DataProblem
from tests.frames import any_interactions, interactions

RATINGS = b"UserID,MovieID,Rating,Timestamp\n1,10,4,956703932\n2,11,3.5,956703954\n"
READ = interactions((1, 10, 4.0, 956703932), (2, 11, 3.5, 956703954))
MOVIES_READ = pl.DataFrame(
    [(10, "Net, The (1995)", "Thriller"), (11, 'The "Cité" (1995)', "Drama|War")],
    schema=MOVIES.schema,
    orient="row",
)
R, M = "ratings_train.csv", "movies.csv"

SAME_INTERACTIONS = {
    "as it is": RATINGS,
    "with a byte order mark": b"\xef\xbb\xbf" + RATINGS,
    "with CRLF": RATINGS.replace(b"\n", b"\r\n"),
    "with CR": RATINGS.replace(b"\n", b"\r"),
    "without the last newline": RATINGS.rstrip(),
    "with trailing blank lines": RATINGS + b"\n\r\n\n",
    "with blank lines between": RATINGS.replace(b"\n", b"\n\n"),
    "with a line of spaces": RATINGS + b"   \n",
    "with spaces around numbers": RATINGS.replace(b",", b" , "),
    "with quoted names": b'"UserID","MovieID","Rating","Timestamp"\n' + RATINGS.split(b"\n", 1)[1],
    "with everything quoted": b"\n".join(
        b",".join(b'"%b"' % cell for cell in line.split(b",")) for line in RATINGS.strip().split(b"\n")
    ),
    "with decimals": b"UserID,MovieID,Rating,Timestamp\n1,10,4.0,956703932\n2,11,3.50,956703954\n",
    "with signs and zeros": b"UserID,MovieID,Rating,Timestamp\n1,10,+4,+956703932\n2,11,35e-1,0956703954\n",
    "with tabs": RATINGS.replace(b",", b"\t"),
    "with semicolons": RATINGS.replace(b",", b";"),
    "with bars": RATINGS.replace(b",", b"|"),
    "with other names": b"rating;stamp;user_id;itemId\n4;9;1;10\n3.5;9;2;11\n".replace(b";9;", b";956703932;", 1).replace(b";9;", b";956703954;").replace(b"stamp", b"Time"),
    "in milliseconds": RATINGS.replace(b"956703932", b"956703932000").replace(b"956703954", b"956703954999"),
    "in nanoseconds": RATINGS.replace(b"956703932", b"956703932000000001").replace(b"956703954", b"956703954999999999"),
    "in ISO 8601": b"UserID,MovieID,Rating,Timestamp\n1,10,4,2000-04-25T23:05:32Z\n2,11,3.5,2000-04-26 01:05:54.75+02:00\n",
    "in another order of columns": b"Timestamp,Rating,MovieID,UserID\n956703932,4,10,1\n956703954,3.5,11,2\n",
    "with more columns": b",UserID,Title,MovieID,Rating,Timestamp,\n0,1,,10,4,956703932,\n1,2,\"a, b\",11,3.5,956703954,\n",
    "gzipped": gzip.compress(RATINGS),
    "gzipped in two members": gzip.compress(RATINGS[:40]) + gzip.compress(RATINGS[40:]),
}  # fmt: skip

SAME_MOVIES = {
    "with quotes where needed": 'MovieID,Title,Genres\n10,"Net, The (1995)",Thriller\n11,"The ""Cité"" (1995)",Drama|War\n'.encode(),
    "with quotes in an unquoted field": 'MovieID,Title,Genres\n10,"Net, The (1995)",Thriller\n11,The "Cité" (1995),Drama|War\n'.encode(),
    "with all texts quoted": 'MovieID,Title,Genres\r\n10,"Net, The (1995)","Thriller"\r\n11,"The ""Cité"" (1995)","Drama|War"\r\n'.encode(),
    "in latin-1": 'MovieID,Title,Genres\n10,"Net, The (1995)",Thriller\n11,"The ""Cité"" (1995)",Drama|War\n'.encode("latin-1"),
    "with numbers quoted": '"MovieID","Title","Genres"\n"10","Net, The (1995)","Thriller"\n"11","The ""Cité"" (1995)","Drama|War"\n'.encode(),
}  # fmt: skip


def put(path: Path, contents: bytes) -> Path:
    path.write_bytes(contents)
    return path


@pytest.mark.parametrize("variant", SAME_INTERACTIONS)
def test_interactions_read_the_same(tmp_path: Path, variant: str) -> None:
    assert_frame_equal(read_interactions(put(tmp_path / R, SAME_INTERACTIONS[variant])), READ)


@pytest.mark.parametrize("variant", SAME_INTERACTIONS)
def test_the_exact_reading_gives_the_same_interactions(tmp_path: Path, variant: str) -> None:
    text = open_csv(put(tmp_path / R, SAME_INTERACTIONS[variant]), INTERACTIONS)
    assert_frame_equal(read_exactly(text, resolve_csv(text, INTERACTIONS, ANY_FORMAT)), READ)


@pytest.mark.parametrize("variant", SAME_MOVIES)
def test_movies_read_the_same(tmp_path: Path, variant: str) -> None:
    assert_frame_equal(read_table(put(tmp_path / M, SAME_MOVIES[variant]), MOVIES), MOVIES_READ)


def test_latin_1_is_noted(tmp_path: Path) -> None:
    reading = read_noted_table([put(tmp_path / M, SAME_MOVIES["in latin-1"])], MOVIES)
    assert reading.notes == ("movies.csv is not UTF-8; read as latin-1",)


def test_ignored_columns_are_noted(tmp_path: Path) -> None:
    reading = read_noted_table([put(tmp_path / R, SAME_INTERACTIONS["with more columns"])], INTERACTIONS)
    assert reading.notes == ("ratings_train.csv: ignored columns '', 'Title', ''",)


def test_an_ordinary_file_has_no_notes(tmp_path: Path) -> None:
    assert read_noted_table([put(tmp_path / R, RATINGS)], INTERACTIONS).notes == ()


def test_zip_codes_stay_texts_and_empty_texts_are_null(tmp_path: Path) -> None:
    contents = b'UserID,Gender,Age,Occupation,ZipCode\n1,,25,10,02138\n2,"",56,16,98107-2117\n3,M,1,0,\n'
    users = read_table(put(tmp_path / "users.csv", contents), USERS)
    assert users["ZipCode"].to_list() == ["02138", "98107-2117", None]
    assert users["Gender"].to_list() == [None, None, "M"]


def test_a_title_may_have_two_lines(tmp_path: Path) -> None:
    movies = read_table(
        put(tmp_path / M, b'MovieID,Title,Genres\n1,"Two\nlines",Drama\n2,One,Drama\n'), MOVIES
    )
    assert movies["Title"].to_list() == ["Two\nlines", "One"]


def test_a_file_whose_first_row_is_blank_keeps_all_rows(tmp_path: Path) -> None:
    assert read_interactions(put(tmp_path / R, RATINGS.replace(b"\n", b"\n\n", 1))).height == 2


def test_the_largest_id_and_the_lowest_timestamp_are_kept(tmp_path: Path) -> None:
    contents = b"UserID,MovieID,Rating,Timestamp\n9223372036854775807,0,0.5,0\n"
    assert read_interactions(put(tmp_path / R, contents)).row(0) == (9223372036854775807, 0, 0.5, 0)


def test_the_same_movie_twice_is_two_rows(tmp_path: Path) -> None:
    contents = b"UserID,MovieID,Rating,Timestamp\n1,10,4,100\n1,10,5,200\n1,10,5,200\n"
    assert read_interactions(put(tmp_path / R, contents)).height == 3


def test_queries_need_two_columns_and_may_be_none(tmp_path: Path) -> None:
    assert read_queries(put(tmp_path / "q.csv", b"UserID,Timestamp\n7,100\n")).rows() == [(7, 100)]
    assert read_queries(put(tmp_path / "q.csv", b"UserID,Timestamp\n")).height == 0


def test_queries_may_be_taken_from_interactions(tmp_path: Path) -> None:
    queries = read_queries(put(tmp_path / "test.csv", RATINGS))
    assert queries.rows() == [(1, 956703932), (2, 956703954)]


def test_users_and_movies_are_optional(tmp_path: Path) -> None:
    put(tmp_path / R, RATINGS)
    tables = read_tables(tmp_path)
    assert tables.users is None
    assert tables.movies is None
    assert read_dataset(tmp_path).n_movies == 2


def test_rated_movies_without_an_entry_join_the_catalog(tmp_path: Path) -> None:
    put(tmp_path / R, RATINGS)
    put(tmp_path / M, b"MovieID,Title,Genres\n10,Heat (1995),Action\n99,Casino (1995),Drama\n")
    dataset = read_dataset(tmp_path)
    assert dataset.movies["MovieID"].to_list() == [10, 11, 99]
    assert dataset.movies["Title"].to_list() == ["Heat (1995)", None, "Casino (1995)"]


def test_the_course_name_comes_before_that_of_a_split(tmp_path: Path) -> None:
    put(tmp_path / "train.csv", RATINGS)
    assert find_table(tmp_path, INTERACTIONS) == tmp_path / "train.csv"
    put(tmp_path / R, RATINGS)
    assert find_table(tmp_path, INTERACTIONS) == tmp_path / R


def test_an_absent_table_is_none(tmp_path: Path) -> None:
    assert find_table(tmp_path, MOVIES) is None


def test_narrower_parquet_types_are_widened(tmp_path: Path) -> None:
    narrow = READ.cast(
        {"UserID": pl.UInt16, "MovieID": pl.Int32, "Rating": pl.Float64, "Timestamp": pl.UInt32}
    )
    narrow.write_parquet(tmp_path / "ratings_train.parquet")
    assert_frame_equal(read_interactions(tmp_path / "ratings_train.parquet"), READ)


def test_a_parquet_repeating_a_key_is_refused(tmp_path: Path) -> None:
    pl.concat([MOVIES_READ, MOVIES_READ[:1]]).write_parquet(tmp_path / "movies.parquet")
    with pytest.raises(DataError) as caught:
        read_table(tmp_path / "movies.parquet", MOVIES)
    expected = (
        "movies.parquet, column MovieID: row 3: 10 is already in an earlier row; expected unique values"
    )
    assert str(caught.value) == expected


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet"])
@given(frame=any_interactions())
def test_written_interactions_are_read_back(
    tmp_path_factory: pytest.TempPathFactory, name: str, frame: pl.DataFrame
) -> None:
    path = tmp_path_factory.mktemp("written") / name
    write_table(frame, path)
    assert_frame_equal(read_interactions(path), frame)


NUMBER_CELLS = [
    "1",
    "2",
    "10",
    "4.5",
    "+3",
    "-1",
    "07",
    " 5",
    "5 ",
    "nan",
    "1e0",
    "1.0",
    "9223372036854775808",
]
OTHER_CELLS = [
    "",
    " ",
    '""',
    '"2"',
    '"',
    'a"b"',
    "x,y",
    '"a,b"',
    '"a""b"',
    '"a\nb"',
    "é",
    "\r",
    "#1",
    "\\",
    "null",
]
CELLS = st.sampled_from(NUMBER_CELLS + OTHER_CELLS)
LINES = st.lists(st.lists(CELLS, min_size=2, max_size=5).map(",".join) | st.just(""), max_size=5)
ROWS_OF_4 = st.lists(st.lists(CELLS, min_size=4, max_size=4).map(",".join), min_size=1, max_size=2)


def read_exactly_or_explain(path: Path, table: Table) -> tuple[pl.DataFrame, list[DataProblem]]:
    try:
        text = open_csv(path, table)
        resolved = find_text_ids(text, resolve_csv(text, table, ANY_FORMAT), ANY_FORMAT)
        return read_exactly(text, resolved), []
    except DataError as error:
        return pl.DataFrame(), error.problems


@pytest.mark.parametrize("table", [INTERACTIONS, MOVIES], ids=["interactions", "movies"])
@given(lines=LINES | ROWS_OF_4, end=st.sampled_from(["\n", "\r\n"]), extra=st.sampled_from(["", ",More"]))
def test_the_fast_reading_agrees_with_the_exact_one(
    tmp_path_factory: pytest.TempPathFactory, table: Table, lines: list[str], end: str, extra: str
) -> None:
    header = ",".join(table.schema.names()) + extra
    path = put(tmp_path_factory.mktemp("any") / "t.csv", end.join([header, "1,2,3,4", *lines]).encode())
    exact, problems = read_exactly_or_explain(path, table)
    if problems:
        with pytest.raises(DataError) as caught:
            read_table(path, table)
        assert caught.value.problems == problems
    elif not exact.is_empty():
        assert_frame_equal(read_table(path, table), exact)


TEXTS = st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)
IDS = st.integers(0, 2**63 - 1)


@st.composite
def any_table(draw: st.DrawFn, table: Table) -> pl.DataFrame:
    cells = {"id": IDS, "count": IDS, "text": TEXTS}
    row = st.tuples(*(cells[column.kind] for column in table.columns))
    rows = draw(st.lists(row, max_size=8, unique_by=lambda row: row[0]))
    return pl.DataFrame(rows, schema=table.schema, orient="row")


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet"])
@given(data=st.data(), table=st.sampled_from([USERS, MOVIES]))
def test_written_texts_are_read_back(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject, table: Table
) -> None:
    frame = data.draw(any_table(table))
    path = tmp_path_factory.mktemp("written") / name
    write_table(frame, path)
    assert_frame_equal(read_table(path, table), frame)


def test_equal_frames_are_written_to_equal_bytes(tmp_path: Path) -> None:
    write_table(READ, tmp_path / "a.csv.gz")
    write_table(READ, tmp_path / "b.csv.gz")
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()


def write_half(path: Path) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = put(tmp_path / "t.csv", b"old")
    with pytest.raises(RuntimeError):
        write_half(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["t.csv"]
    assert path.read_bytes() == b"old"


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    put(tmp_path / "file", b"")
    with pytest.raises(DataError, match=r"t\.csv: can't be written"):
        write_table(READ, tmp_path / "file" / "t.csv")


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet"])
def test_a_full_disk_is_named_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(0)
    large = pl.DataFrame({name: rng.integers(0, 2**62, 10_000) for name in ("UserID", "Timestamp")})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(DataError, match=rf"{name}: can't be written \(.*[Ff]ile too large"):
            write_table(large, tmp_path / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_a_link_to_a_directory_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "t.csv").symlink_to(tmp_path / "there")
    with pytest.raises(DataError, match=r"t\.csv: can't be written \(it is a directory\)"):
        write_table(READ, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").is_symlink()


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that nobody can read")
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "ratings_train.csv").symlink_to("/proc/self/mem")
    with pytest.raises(DataError, match=r"ratings_train\.csv: can't be read \("):
        read_dataset(tmp_path)


def test_a_saved_model_in_place_of_data_is_recognised(tmp_path: Path) -> None:
    put(tmp_path / "manifest.json", b"{}")
    with pytest.raises(
        DataError, match="is a saved model; expected a data directory, such as the one it was fitted on"
    ):
        read_dataset(tmp_path)


def test_an_unknown_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"t\.xlsx: expected a name that ends with \.csv, \.csv\.gz or \.parquet"
    ):
        write_table(READ, tmp_path / "t.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_the_course_files_read(movielens_1m: Path) -> None:
    dataset = read_dataset(movielens_1m)
    assert (len(dataset.timeline), dataset.n_users, dataset.n_movies) == (939_720, 6_040, 3_883)


def test_what_is_not_known_of_a_person_may_be_left_empty(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("UserID,Gender,Age,Occupation,ZipCode\n1,,,,\n2,F,25,1,01234\n")
    assert read_table(tmp_path / "users.csv", USERS).row(0) == (1, None, None, None, None)


def test_whole_stars_are_written_as_in_the_courses_files(tmp_path: Path) -> None:
    write_table(interactions((1, 2, 4.0, 5)), tmp_path / "train.csv")
    assert (tmp_path / "train.csv").read_text() == "UserID,MovieID,Rating,Timestamp\n1,2,4,5\n"
