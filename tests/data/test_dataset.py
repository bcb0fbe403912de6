from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from nextreel.data.dataset import Dataset
from nextreel.data.schema import INTERACTIONS, Column, Table
from nextreel.data.splitting.split_rules import SplitRule, split_interactions, split_rows
from nextreel.data.tables import Tables
from nextreel.data.value_checks import find_invalid
from nextreel.errors import DataError
from tests.frames import catalog, interactions


def test_a_rated_movie_without_a_row_in_the_catalog_joins_it_without_a_title() -> None:
    dataset = Dataset.from_frames(interactions((0, 7, 4, 1)), catalog(2))
    assert dataset.movie_ids.tolist() == [0, 1, 7]
    assert dataset.movies["Title"].to_list() == ["Movie 0 (1950)", "Movie 1 (1950)", None]


def test_users_with_and_without_a_row_are_all_there() -> None:
    users = pl.DataFrame(
        {"UserID": [5], "Gender": ["F"], "Age": [25], "Occupation": [3], "ZipCode": ["01234"]}
    )
    dataset = Dataset.from_frames(interactions((2, 0, 4, 1)), users=users)
    assert dataset.users.select("UserID", "ZipCode").rows() == [(2, None), (5, "01234")]


def test_the_rows_come_back_in_order_of_time() -> None:
    dataset = Dataset.from_frames(interactions((2, 0, 4, 9), (1, 1, 3, 5), (2, 1, 2, 5)))
    assert dataset.interactions().rows() == [(1, 1, 3.0, 5), (2, 1, 2.0, 5), (2, 0, 4.0, 9)]


def test_new_interactions_bring_new_users_but_no_new_movies() -> None:
    dataset = Dataset.from_frames(interactions((1, 0, 4, 1)), catalog(2))
    grown = dataset.with_interactions(interactions((1, 0, 4, 1), (9, 1, 5, 2), (9, 77, 5, 3)))
    assert grown.user_ids.tolist() == [1, 9]
    assert grown.movie_ids.tolist() == [0, 1]
    assert len(grown.timeline) == 2


def test_equal_data_have_equal_fingerprints_and_other_data_have_others() -> None:
    rows = interactions((1, 0, 4, 1), (2, 1, 3, 2))
    same, other = (
        Dataset.from_frames(rows.reverse()),
        Dataset.from_frames(interactions((1, 0, 5, 1), (2, 1, 3, 2))),
    )
    assert Dataset.from_frames(rows).fingerprint == same.fingerprint
    assert Dataset.from_frames(rows).fingerprint != other.fingerprint


def test_ids_may_be_as_large_as_an_int64() -> None:
    dataset = Dataset.from_frames(interactions((2**62, 2**61, 4, 1)))
    assert dataset.index_of_movies(np.array([2**61, 3])).tolist() == [0, -1]
    assert dataset.histories(np.array([2**62]), np.array([2])).lengths.tolist() == [1]


ROWS = interactions((1, 0, 4, 1), (1, 1, 5, 2))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (ROWS.drop("MovieID"), "interactions: column MovieID is missing; found UserID, Rating, Timestamp"),
        (
            ROWS.with_columns(MovieID=pl.lit("")),
            "interactions[0], MovieID: the cell is empty; expected an id of 1 to 255 characters",
        ),
        (
            ROWS.with_columns(Timestamp=pl.lit("28/02/2003")),
            "interactions[0], Timestamp: '28/02/2003' is ambiguous, day and month could be swapped",
        ),
        (
            ROWS.with_columns(UserID=pl.Series([1.0, float("nan")])),
            "interactions: column UserID has type Float64; expected Int64, a whole number from 0",
        ),
        (
            ROWS.with_columns(UserID=pl.Series([1, None])),
            "interactions[1], UserID: the cell is empty; expected a w",
        ),
        (
            ROWS.with_columns(UserID=pl.Series([1.0, 1.7])),
            "interactions: column UserID has type Float64; expected Int64",
        ),
        (
            ROWS.with_columns(Rating=8.0),
            "interactions[0], Rating: 8.0 is out of range; expected a rating from 0.5 to 5, or --liked-from for another scale",
        ),
        (
            ROWS.with_columns(Timestamp=pl.Series([1, 1_260_759_144_000])),
            "interactions[1], Timestamp: 1260759144000 looks like milliseconds; expected POSIX seconds",
        ),
        (ROWS.to_dict(), "interactions: expected a frame of polars, pandas or pyarrow, found a dict"),
        (
            "films/ratings_train.csv",
            "interactions: 'films/ratings_train.csv' is a path, not a frame",
        ),
    ],
    ids=range(10),
)
def test_a_malformed_frame_is_an_error_that_names_the_column(rows: Any, message: str) -> None:
    with pytest.raises(DataError) as caught:
        Dataset.from_frames(rows)
    assert str(caught.value).startswith(message)


def test_a_movie_with_two_rows_in_the_catalog_is_an_error() -> None:
    with pytest.raises(DataError, match=r"movies\[3\], MovieID: 1 is already in an earlier row"):
        Dataset.from_frames(ROWS, pl.concat([catalog(3), catalog(2).tail(1)]))


def test_ids_and_ratings_may_have_other_types_of_numbers() -> None:
    types = {"UserID": pl.UInt16, "MovieID": pl.Int32, "Rating": pl.Float64, "Timestamp": pl.UInt64}
    assert Dataset.from_frames(ROWS.cast(types)).interactions().equals(ROWS)  # type: ignore[arg-type]


def test_a_callers_rows_are_checked_once_and_checked_rows_not_again(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []

    def count(frame: pl.DataFrame, table: Table, column: Column) -> pl.DataFrame:
        checked.append(column.name)
        return find_invalid(frame, table, column)

    monkeypatch.setattr("nextreel.data.frames.find_invalid", count)
    rule = SplitRule.for_rule("leave-one-out")
    dataset = Dataset.from_frames(ROWS)
    dataset.with_interactions(ROWS)
    split_interactions(ROWS, rule)
    assert checked == INTERACTIONS.schema.names() * 3
    rows = dataset.interactions()
    dataset.with_rows(rows)
    Dataset.from_tables(Tables(split_rows(rows, rule).train))
    assert checked == INTERACTIONS.schema.names() * 3


def test_checked_rows_give_the_same_data_as_a_callers_frame() -> None:
    dataset = Dataset.from_frames(ROWS, catalog(3))
    assert Dataset.from_tables(Tables(ROWS, movies=catalog(3))).fingerprint == dataset.fingerprint
    other = interactions((1, 2, 3, 4), (8, 1, 5, 6), (8, 99, 5, 7))
    assert dataset.with_rows(other).fingerprint == dataset.with_interactions(other).fingerprint


def test_a_dataset_introduces_itself_in_one_line() -> None:
    dataset = Dataset.from_frames(interactions((2, 0, 4, 86_400), (1, 1, 3, 0), (2, 1, 2, 3 * 86_400)))
    assert repr(dataset) == "Dataset(3 interactions, 2 users, 2 movies, 1970-01-01 to 1970-01-04)"
    html = dataset._repr_html_()
    assert "0.5 to 5, liked from 4" in html
    assert "1970-01-01 to 1970-01-04" in html
    assert len(html) < 2_000


def test_a_dataset_without_interactions_introduces_itself_too() -> None:
    assert (
        repr(Dataset.from_frames(interactions()))
        == "Dataset(0 interactions, 0 users, 0 movies, no interactions)"
    )


def test_a_dataset_of_text_ids_without_ratings_says_so() -> None:
    frame = pl.DataFrame({"user": ["<b>ann</b>"], "item": ["x"], "time": ["2024-01-05"]})
    html = Dataset.from_frames(frame)._repr_html_()
    assert "none, every interaction counts as liked" in html
    assert "text for users, text for movies" in html


def test_a_pandas_frame_with_two_columns_of_one_name_is_an_error_that_says_so() -> None:
    frame = pd.DataFrame([[1, 2, 3, 4]], columns=["user", "user", "item", "time"])
    with pytest.raises(DataError, match=r"interactions: two columns have the same name; .*'user' 2 times"):
        Dataset.from_frames(frame)
    mixed = pd.DataFrame({"user": [1, 2], "item": ["heat", 5], "time": [1, 2]})
    with pytest.raises(DataError, match="interactions, column item: can't be read"):
        Dataset.from_frames(mixed)
