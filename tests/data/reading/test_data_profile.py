"""What `nextreel check` counts, prints and quarantines."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from nextreel.cli import app
from nextreel.data.reading import data_profile
from nextreel.data.reading.data_profile import HistoryBin, profile_directory, profile_tables
from nextreel.data.reading.quarantine import quarantine_rows
from nextreel.data.schema import MOVIE_ID, RATING, TIMESTAMP, USER_ID
from nextreel.data.table_writer import write_table
from nextreel.data.tables import Tables
from nextreel.errors import ConfigError, DataError
from tests.frames import interactions

ROWS = interactions(
    (1, 10, 4.0, 86_400),
    (1, 11, 3.5, 86_400),
    (1, 10, 5.0, 90_000),
    (2, 10, 4.0, 86_400),
    (3, 12, 4.0, 0),
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    directory = tmp_path / "data"
    write_table(ROWS, directory / "ratings_train.csv")
    (directory / "movies.csv").write_text("MovieID,Title,Genres\n10,Heat (1995),Action\n98,A,B\n99,C,D\n")
    (directory / "users.csv").write_text(
        "UserID,Gender,Age,Occupation,ZipCode\n1,F,25,1,02138\n9,M,25,1,02138\n"
    )
    return directory


def test_sizes_are_those_of_the_interactions(directory: Path) -> None:
    profile = profile_directory(directory)
    assert (profile.rows, profile.users, profile.movies) == (5, 3, 3)


def test_density_counts_each_pair_once(directory: Path) -> None:
    assert profile_directory(directory).density == 4 / 9


def test_ratings_are_counted_by_value(directory: Path) -> None:
    profile = profile_directory(directory)
    assert profile.ratings == {3.5: 1, 4.0: 3, 5.0: 1}
    assert profile.mean_rating == 4.1


def test_times_are_iso_dates_in_utc(directory: Path) -> None:
    profile = profile_directory(directory)
    assert (profile.first, profile.last) == ("1970-01-01T00:00:00+00:00", "1970-01-02T01:00:00+00:00")


def test_ties_are_rows_of_one_user_in_one_second(directory: Path) -> None:
    assert profile_directory(directory).tied_rows == 2


def test_repeats_are_rows_of_a_movie_rated_once_more(directory: Path) -> None:
    assert profile_directory(directory).repeated_rows == 1


def test_orphans_are_counted_on_both_sides(directory: Path) -> None:
    profile = profile_directory(directory)
    assert (profile.movies_without_entry, profile.movies_never_rated) == (2, 2)
    assert (profile.users_without_entry, profile.users_without_ratings) == (2, 1)


def test_without_the_optional_tables_orphans_are_unknown(directory: Path) -> None:
    (directory / "movies.csv").unlink()
    (directory / "users.csv").unlink()
    profile = profile_directory(directory)
    assert (profile.movies_without_entry, profile.users_without_entry) == (None, None)


def test_history_lengths_fall_into_bins(directory: Path) -> None:
    assert profile_directory(directory).histories == [HistoryBin(1, 1, 2), HistoryBin(2, 4, 1)]


@pytest.mark.parametrize(
    ("length", "least", "most"),
    [(1, 1, 1), (4, 2, 4), (9, 5, 9), (10, 10, 19), (99, 50, 99), (100, 100, 199)],
)
def test_a_history_falls_into_the_bin_of_its_length(
    tmp_path: Path, length: int, least: int, most: int
) -> None:
    write_table(interactions(*((1, movie, 4.0, movie) for movie in range(length))), tmp_path / "train.csv")
    assert profile_directory(tmp_path).histories == [HistoryBin(least, most, 1)]


def test_notes_come_along(directory: Path) -> None:
    (directory / "movies.csv").write_bytes("MovieID,Title,Genres\n10,Cité (1995),Action\n".encode("latin-1"))
    assert profile_directory(directory).notes[0] == "movies.csv is not UTF-8; read as latin-1"


def test_the_course_files_are_profiled(movielens_1m: Path) -> None:
    profile = profile_directory(movielens_1m)
    assert (profile.rows, profile.users, profile.movies, profile.repeated_rows) == (939_720, 6_040, 3_700, 0)
    assert profile.ratings == {1.0: 49_552, 2.0: 97_102, 3.0: 241_921, 4.0: 333_448, 5.0: 217_697}


def test_check_prints_the_counts(directory: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(directory)])
    assert result.exit_code == 0
    for fact in (
        "is valid",
        "44.44%",
        "mean 4.10",
        "1970-01-02 01:00:00 UTC",
        "2 movies of the movies file",
    ):
        assert fact in result.stdout


def test_check_prints_json(directory: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(directory), "--json"])
    facts = json.loads(result.stdout)
    assert facts["rows"] == 5
    assert facts["histories"] == [{"least": 1, "most": 1, "users": 2}, {"least": 2, "most": 4, "users": 1}]


def test_bad_rows_are_set_aside_as_they_stood(directory: Path, tmp_path: Path) -> None:
    with (directory / "ratings_train.csv").open("a") as file:
        file.write('1,12,five,-1\n"2",10\n2,12,4,100\n')
    with (directory / "movies.csv").open("a") as file:
        file.write('100,"Heat,Action\n101,Casino,Drama\n')
    counts = quarantine_rows(directory, tmp_path / "bad.csv", tmp_path / "clean")
    assert counts == {"ratings_train.csv": 2, "users.csv": 0, "movies.csv": 1}
    assert (tmp_path / "bad.csv").read_text().splitlines() == [
        "File,Line,Row,Reason",
        "ratings_train.csv,7,\"1,12,five,-1\",Rating: 'five' is not a number; expected a rating from 0.5 to 5; "
        "Timestamp: -1 is negative; expected POSIX seconds",
        'ratings_train.csv,8,"""2"",10",2 fields; expected 4 as in the header',
        'movies.csv,5,"100,""Heat,Action",a quote is opened but never closed',
    ]
    assert profile_directory(tmp_path / "clean").rows == 6


def test_clean_tables_go_to_a_directory_of_their_own(directory: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds the original tables; expected another directory"):
        quarantine_rows(directory, tmp_path / "bad.csv", directory)


def test_the_quarantine_never_replaces_a_table(directory: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is one of the original tables; expected another file"):
        quarantine_rows(directory, directory / "users.csv", tmp_path / "clean")


def test_quarantine_without_clean_says_why(directory: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(directory), "--quarantine", str(tmp_path / "bad.csv")])
    assert result.exit_code == 1
    assert isinstance(result.exception, ConfigError)
    assert "--quarantine FILE and --clean DIR need each other" in str(result.exception)


@pytest.mark.parametrize("ids", ["numbers", "large numbers", "texts"])
def test_what_is_counted_does_not_depend_on_ids_or_on_the_rows_at_once(
    monkeypatch: pytest.MonkeyPatch, ids: str
) -> None:
    random = np.random.default_rng(0)
    drawn = {USER_ID: 7, MOVIE_ID: 5, RATING: 3, TIMESTAMP: 9}
    rows = pl.DataFrame({column: random.integers(1, n, size=50) for column, n in drawn.items()})
    rows = rows.with_columns(pl.col(RATING).cast(pl.Float32))
    repeated = rows.height - rows.select(USER_ID, MOVIE_ID).n_unique()
    tied = int(rows.select(USER_ID, TIMESTAMP).is_duplicated().sum())
    if ids == "large numbers":
        rows = rows.with_columns(pl.col(USER_ID, MOVIE_ID) * 10**16)
    elif ids == "texts":
        rows = rows.with_columns(pl.col(USER_ID, MOVIE_ID).cast(pl.String))
    monkeypatch.setattr(data_profile, "ROWS_AT_ONCE", 8)
    profile = profile_tables(Tables(rows))
    assert (profile.repeated_rows, profile.tied_rows) == (repeated, tied)
    assert (profile.users, profile.movies, sum(profile.ratings.values())) == (6, 4, 50)
    assert profile.mean_rating == pytest.approx(rows[RATING].mean())
