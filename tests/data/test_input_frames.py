"""Frames as people have them: of polars, pandas, pyarrow and DuckDB, with the columns and types of these libraries."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import duckdb
import pandas as pd
import polars as pl
import pytest
from narwhals.typing import IntoFrame

from nextreel.data.dataset import Dataset
from nextreel.errors import ConfigError, DataError

CEST = timezone(timedelta(hours=2))
MOMENTS = [datetime(2005, 4, 3, 1, 53, 7, 900_000, CEST), datetime(2005, 4, 3, 1, 53, 47, tzinfo=CEST)]
SECONDS = [1_112_485_987, 1_112_486_027]
USERS, MOVIES = ["ann", "bob"], ["tt0111161", "heat"]
CLICKS = pl.DataFrame({"account": USERS, "sku": MOVIES, "when": MOMENTS, "tv": [True, False]})
COLUMNS = {"user": "account", "movie": "sku", "time": "when"}


def to_duckdb(frame: pl.DataFrame) -> IntoFrame:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("frame", frame.to_arrow())
    return connection.sql("SELECT * FROM frame")


LIBRARIES: dict[str, Callable[[pl.DataFrame], IntoFrame]] = {
    "polars": lambda frame: frame,
    "lazy polars": lambda frame: frame.lazy(),
    "pandas": lambda frame: pd.DataFrame(frame.to_dict(as_series=False)),
    "pandas of arrow": lambda frame: frame.to_pandas(use_pyarrow_extension_array=True),
    "pyarrow": lambda frame: frame.to_arrow(),
    "duckdb": to_duckdb,
}


def rows_of(dataset: Dataset) -> list[tuple[object, ...]]:
    return dataset.interactions().rows()


@pytest.mark.parametrize("library", LIBRARIES)
def test_clicks_with_text_ids_and_datetimes_with_a_zone(library: str) -> None:
    dataset = Dataset.from_frames(LIBRARIES[library](CLICKS), columns=COLUMNS)
    assert rows_of(dataset) == [
        (*row, 5.0, second) for *row, second in zip(USERS, MOVIES, SECONDS, strict=True)
    ]
    assert not dataset.scale.rated


@pytest.mark.parametrize("library", LIBRARIES)
def test_numbers_and_ratings(library: str) -> None:
    frame = pl.DataFrame({"user_id": [1, 2], "item_id": [10, 11], "rating": [7, 10], "ts": SECONDS})
    dataset = Dataset.from_frames(LIBRARIES[library](frame), columns={"time": "ts"}, liked_from=8)
    assert rows_of(dataset) == [(1, 10, 7.0, SECONDS[0]), (2, 11, 10.0, SECONDS[1])]
    assert dataset.positive_rating == 8


@pytest.mark.parametrize("library", LIBRARIES)
def test_movies_and_users_beside_the_interactions(library: str) -> None:
    convert = LIBRARIES[library]
    films = pl.DataFrame(
        {"id": MOVIES, "name": ["Shawshank", None], "year": [1994, None], "genres": ["Drama", "Crime"]}
    )
    people = pl.DataFrame({"id": USERS, "age": [30, None]})
    dataset = Dataset.from_frames(convert(CLICKS), convert(films), convert(people), columns=COLUMNS)
    found = dict(dataset.movies.select("MovieID", "Title").iter_rows())
    assert found == {"tt0111161": "Shawshank (1994)", "heat": None}
    assert dict(dataset.users.select("UserID", "Age").iter_rows()) == {"ann": 30, "bob": None}


TIMES = {
    "seconds": pl.Series(SECONDS),
    "milliseconds": pl.Series([second * 1000 + 999 for second in SECONDS]),
    "nanoseconds": pl.Series([second * 10**9 + 1 for second in SECONDS]),
    "whole floats": pl.Series(SECONDS).cast(pl.Float64),
    "datetimes": pl.Series(MOMENTS).dt.convert_time_zone("UTC").dt.replace_time_zone(None),
    "datetimes in nanoseconds": pl.Series(MOMENTS).dt.cast_time_unit("ns"),
    "datetimes in a zone": pl.Series(MOMENTS).dt.convert_time_zone("Asia/Tokyo"),
    "texts": pl.Series([moment.isoformat() for moment in MOMENTS]),
}


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", TIMES)
def test_times_of_every_kind(library: str, name: str) -> None:
    frame = CLICKS.with_columns(when=TIMES[name])
    dataset = Dataset.from_frames(LIBRARIES[library](frame), columns=COLUMNS)
    assert dataset.timeline.timestamps[dataset.timeline.timestamps.argsort()].tolist() == SECONDS


@pytest.mark.parametrize("library", LIBRARIES)
def test_dates(library: str) -> None:
    frame = CLICKS.with_columns(when=pl.Series(MOMENTS).dt.date())
    dataset = Dataset.from_frames(LIBRARIES[library](frame), columns=COLUMNS)
    assert set(dataset.timeline.timestamps.tolist()) == {1_112_400_000}


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("columns", [["a", "007"], ["7", "8"]])
def test_a_text_column_stays_text(library: str, columns: list[str]) -> None:
    frame = CLICKS.with_columns(account=pl.Series(columns))
    dataset = Dataset.from_frames(LIBRARIES[library](frame), columns=COLUMNS)
    assert [row[0] for row in rows_of(dataset)] == columns


def test_categories_of_pandas() -> None:
    frame = pd.DataFrame({"user": pd.Categorical(USERS), "item": MOVIES, "time": SECONDS})
    assert [row[0] for row in rows_of(Dataset.from_frames(frame))] == USERS


def test_an_index_of_pandas_is_not_in_the_way() -> None:
    frame = pd.DataFrame({"user": USERS, "item": MOVIES, "time": SECONDS}, index=[7, 7])
    assert [row[0] for row in rows_of(Dataset.from_frames(frame))] == USERS


@pytest.mark.parametrize("library", LIBRARIES)
def test_genres_may_be_lists(library: str) -> None:
    films = pl.DataFrame({"id": MOVIES, "title": MOVIES, "genres": [["Drama", "War"], []]})
    if library == "pandas":
        return  # pandas has no lists, only objects
    dataset = Dataset.from_frames(LIBRARIES[library](CLICKS), LIBRARIES[library](films), columns=COLUMNS)
    found = dict(dataset.movies.select("MovieID", "Genres").iter_rows())
    assert found["tt0111161"] == ["Drama", "War"]


WRONG: dict[str, tuple[pl.DataFrame, dict[str, str], str]] = {
    "a missing column": (CLICKS.drop("sku"), COLUMNS, "interactions: column MovieID is missing; found account, when, tv"),
    "a name of no column": (CLICKS, {**COLUMNS, "rating": "stars"}, "no table has a column 'stars', which is named for rating"),
    "a name of two roles": (CLICKS, {**COLUMNS, "movie": "account"}, "'account' is named for both user and movie"),
    "a null id": (CLICKS.with_columns(account=pl.Series(["ann", None])), COLUMNS, r"interactions[1], account: the cell is empty"),
    "an empty id": (CLICKS.with_columns(account=pl.Series(["ann", ""])), COLUMNS, r"interactions[1], account: the cell is empty"),
    "truths as ratings": (CLICKS, {**COLUMNS, "rating": "tv"}, "interactions: column tv has type Boolean"),
    "slashes": (CLICKS.with_columns(when=pl.Series(["03/04/2005", "2005-04-03"])), COLUMNS, r"interactions[0], when: '03/04/2005' is ambiguous"),
}  # fmt: skip


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", WRONG)
def test_a_malformed_frame_gets_a_clear_error(library: str, name: str) -> None:
    frame, columns, message = WRONG[name]
    with pytest.raises(DataError) as error:
        Dataset.from_frames(LIBRARIES[library](frame), columns=columns)
    assert message in str(error.value)


def test_a_role_that_no_column_has_is_an_error() -> None:
    with pytest.raises(
        ConfigError, match="no column has the role 'author'; expected one of user, movie, rating, time"
    ):
        Dataset.from_frames(CLICKS, columns={"author": "account"})


@pytest.mark.parametrize("library", LIBRARIES)
def test_ids_of_different_kinds_in_two_frames_are_an_error(library: str) -> None:
    films = LIBRARIES[library](pl.DataFrame({"id": [1, 2], "title": MOVIES}))
    with pytest.raises(
        DataError, match="movies: the MovieIDs are whole numbers, but those of interactions are texts"
    ):
        Dataset.from_frames(LIBRARIES[library](CLICKS), films, columns=COLUMNS)
