from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from nextreel.data.dataset import Dataset
from nextreel.data.reading.query_frames import make_query_frame
from nextreel.errors import QueryError
from tests.frames import interactions

PAIR = "expected a pair, UserID and Timestamp"
DATASET = Dataset.from_frames(interactions((5, 1, 4, 100), (7, 2, 5, 200)))


@pytest.mark.parametrize(
    "queries",
    [
        [(5, 1_000), (7, 2_000)],
        [[5, 1_000], [7, 2_000]],
        ((5, 1_000), (7, 2_000)),
        np.array([[5, 1_000], [7, 2_000]]),
        iter([(np.int64(5), np.int32(1_000)), (7, 2_000)]),
        pl.DataFrame({"Timestamp": [1_000, 2_000], "row": ["Drama", "War"], "UserID": [5, 7]}),
        pl.DataFrame({"UserID": [5, 7], "Timestamp": [1_000, 2_000]}, schema_overrides={"UserID": pl.UInt8}),
    ],
    ids=["tuples", "lists", "tuple", "array", "iterator", "frame", "narrow frame"],
)
def test_queries_are_pairs_or_rows_of_a_frame(queries: Any) -> None:
    frame = make_query_frame(queries, DATASET)
    assert frame.rows() == [(5, 1_000), (7, 2_000)]
    assert frame.schema == {"UserID": pl.Int64, "Timestamp": pl.Int64}


@pytest.mark.parametrize("queries", [[], pl.DataFrame({"UserID": [], "Timestamp": []})])
def test_no_queries_give_an_empty_frame(queries: Any) -> None:
    assert make_query_frame(queries, DATASET).is_empty()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ((5,), f"queries[1]: (5,); {PAIR}"),
        ((1, 2, 3), f"queries[1]: (1, 2, 3); {PAIR}"),
        (5, f"queries[1]: 5; {PAIR}"),
        (None, f"queries[1]: None; {PAIR}"),
        ("ab", f"queries[1]: 'ab'; {PAIR}"),
        ({"UserID": 1, "Timestamp": 2}, f"queries[1]: {{'UserID': 1, 'Timestamp': 2}}; {PAIR}"),
        (("a", 3), "queries[1], UserID: 'a' is not a whole number; expected a whole number from 0"),
        ((True, 3), "queries[1], UserID: True is not a whole number; expected a whole number from 0"),
        ((None, 3), "queries[1], UserID: None is not a whole number; expected a whole number from 0"),
        ((1.5, 3), "queries[1], UserID: 1.5 is not a whole number; expected a whole number from 0"),
        ((1, 3.0), "queries[1], Timestamp: 3.0 is not a whole number; expected POSIX seconds"),
        ((-1, 3), "queries[1], UserID: -1 is negative; expected a whole number from 0"),
        ((2**63, 3), f"queries[1], UserID: {2**63} doesn't fit into 64 bits; expected a whole number from 0"),
        (
            (2**5_000, 3),
            "queries[1], UserID: a number of 5001 bits doesn't fit into 64 bits; expected a whole",
        ),
        (
            (1, 2**5_000),
            "queries[1], Timestamp: a number of 5001 bits is not a time; expected POSIX seconds, ISO",
        ),
        (
            (1, 1_700_000_000_000),
            "queries[1], Timestamp: 1700000000000 looks like milliseconds; expected POSIX",
        ),
        (
            (1, 1e300),
            "queries[1], Timestamp: 1e+300 is not a whole number; expected POSIX seconds, such as int(time",
        ),
        (
            (1, float("nan")),
            "queries[1], Timestamp: nan is not a time; expected POSIX seconds, ISO 8601 or a datetime",
        ),
        (
            (1, None),
            "queries[1], Timestamp: None is not a time; expected POSIX seconds, ISO 8601 or a datetime",
        ),
        (
            (1, True),
            "queries[1], Timestamp: True is not a time; expected POSIX seconds, ISO 8601 or a datetime",
        ),
        (
            (1, "31/01/2001"),
            "queries[1], Timestamp: '31/01/2001' is not a time; expected POSIX seconds or ISO 8601",
        ),
        (
            (1, np.datetime64("NaT")),
            "queries[1], Timestamp: NaT is not a time; expected POSIX seconds, ISO 8601",
        ),
        (
            (1, pd.NaT),
            "queries[1], Timestamp: NaT is not a time; expected POSIX seconds, ISO 8601 or a datetime",
        ),
        (
            (1, date(1969, 12, 31)),
            "queries[1], Timestamp: 1969-12-31 lies outside 1970 to 2100; expected POSIX",
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_an_invalid_query_is_named_with_its_position(wrong: Any, message: str) -> None:
    with pytest.raises(QueryError) as caught:
        make_query_frame([(5, 1_000), wrong], DATASET)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"UserID": [1]},
            "queries: column Timestamp is missing; found UserID: add the times, or give one time for all with at=",
        ),
        (
            {"UserID": [1.5], "Timestamp": [5]},
            "queries: column UserID has type Float64; expected Int64, a whole",
        ),
        (
            {"UserID": ["ann"], "Timestamp": [5]},
            "queries: the UserIDs are texts, but those of the data set are whole",
        ),
        (
            {"UserID": [1], "Timestamp": ["soon"]},
            "queries[0], Timestamp: 'soon' is not a time in ISO 8601; expected",
        ),
        (
            {"UserID": [1, 2], "Timestamp": [5, None]},
            "queries[1], Timestamp: the cell is empty; expected POSIX",
        ),
        (
            {"user": [1], "when": [5]},
            "queries: column Timestamp is missing; found user, when: add",
        ),
        (
            {"user": [1], "User": [2], "time": [5]},
            "queries: 'user' and 'User' could both be the column UserID: say",
        ),
        ({"UserID": [-1], "Timestamp": [5]}, "queries[0], UserID: -1 is negative; expected a whole number"),
    ],
    ids=str,
)
def test_a_frame_that_holds_no_queries_is_refused(columns: dict[str, list[Any]], message: str) -> None:
    with pytest.raises(QueryError) as caught:
        make_query_frame(pl.DataFrame(columns), DATASET)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("queries", [None, 1.5, True, Path("queries.csv")], ids=str)
def test_anything_but_pairs_a_frame_or_a_user_is_refused(queries: Any) -> None:
    with pytest.raises(QueryError, match=r"expected pairs \(UserID, Timestamp\), a frame of them, or a user"):
        make_query_frame(queries, DATASET)


def test_a_text_is_no_user_of_numeric_data() -> None:
    with pytest.raises(QueryError, match=r"UserID: 'queries.csv' is not a whole number; expected a whole"):
        make_query_frame("queries.csv", DATASET)


@pytest.mark.parametrize(
    "time",
    [
        978_300_760,
        np.int64(978_300_760),
        "978300760",
        "2000-12-31T22:12:40",
        "2000-12-31 23:12:40.9+01:00",
        datetime(2000, 12, 31, 22, 12, 40, 999_999),
        datetime(2000, 12, 31, 23, 12, 40, tzinfo=timezone(timedelta(hours=1))),
        pd.Timestamp("2000-12-31T22:12:40"),
        pd.Timestamp("2000-12-31T23:12:40", tz="Europe/Paris"),
        np.datetime64("2000-12-31T22:12:40.999999999"),
        np.datetime64("2000-12-31T22:12:40"),
    ],
    ids=repr,
)
def test_a_time_is_seconds_iso_text_or_a_datetime(time: Any) -> None:
    expected = [(5, 978_300_760)]
    assert make_query_frame([(5, time)], DATASET).rows() == expected
    assert make_query_frame(5, DATASET, at=time).rows() == expected
    assert make_query_frame([5], DATASET, at=time).rows() == expected


@pytest.mark.parametrize("day", [date(2001, 1, 31), "2001-01-31", np.datetime64("2001-01-31")], ids=repr)
def test_a_date_is_its_midnight_utc(day: Any) -> None:
    assert make_query_frame([(5, day)], DATASET)["Timestamp"].item() == 980_899_200


def test_one_user_is_asked_about_now_by_default() -> None:
    before = int(datetime.now(UTC).timestamp())
    frame = make_query_frame(np.int64(5), DATASET)
    assert frame["UserID"].item() == 5
    assert before < frame["Timestamp"].item() <= int(datetime.now(UTC).timestamp()) + 1


COLUMNS = {"user_id": [5, 7], "watched": [1, 2], "time": ["2000-12-31T22:12:40", "2000-12-31T22:12:41Z"]}


@pytest.mark.parametrize(
    "make", [pl.DataFrame, pl.LazyFrame, pd.DataFrame, pa.table], ids=lambda m: m.__name__
)
def test_queries_may_be_a_frame_of_any_library_under_usual_names(make: Any) -> None:
    assert make_query_frame(make(COLUMNS), DATASET).rows() == [(5, 978_300_760), (7, 978_300_761)]


def test_queries_may_be_a_relation_of_duckdb() -> None:
    relation = duckdb.connect().sql("SELECT 5 AS userId, TIMESTAMP '2000-12-31 22:12:40' AS timestamp")
    assert make_query_frame(relation, DATASET).rows() == [(5, 978_300_760)]


@pytest.mark.parametrize(
    "times",
    [
        [978_300_760_000],
        [978_300_760_000_000],
        [978_300_760_000_000_000],
        pd.to_datetime(["2000-12-31T22:12:40"]),
        pd.to_datetime(["2000-12-31T22:12:40"]).as_unit("ns"),
        pd.to_datetime(["2000-12-31T22:12:40Z"]),
    ],
    ids=str,
)
def test_times_in_a_frame_may_be_in_any_unit(times: Any) -> None:
    frame = pd.DataFrame({"UserID": [5], "Timestamp": times})
    assert make_query_frame(frame, DATASET).rows() == [(5, 978_300_760)]
    assert make_query_frame(pl.DataFrame({"UserID": [5], "Timestamp": list(times)}), DATASET).rows() == [
        (5, 978_300_760)
    ]


@pytest.mark.parametrize("make", [pl.DataFrame, pd.DataFrame, pa.table], ids=lambda m: m.__name__)
def test_users_alone_share_one_time(make: Any) -> None:
    expected = [(5, 1_000), (9, 1_000)]
    assert make_query_frame(make({"user_id": [5, 9]}), DATASET, at=1_000).rows() == expected
    for users in ([5, 9], (5, 9), np.array([5, 9]), pd.Series([5, 9]), pl.Series([5, 9])):
        assert make_query_frame(users, DATASET, at=1_000).rows() == expected


def test_queries_with_times_take_no_further_time() -> None:
    frame = pd.DataFrame({"UserID": [5], "watchedAt": [1_000]})
    with pytest.raises(
        QueryError, match="queries have times of their own, in the column watchedAt: leave at out"
    ):
        make_query_frame(frame, DATASET, at=2_000)
    with pytest.raises(QueryError, match=r"queries\[0\], UserID: \(5, 1000\) is not a whole number"):
        make_query_frame([(5, 1_000)], DATASET, at=2_000)


def test_numbers_that_cannot_even_be_written_are_refused() -> None:
    huge = 10**5_000
    with pytest.raises(
        QueryError, match=r"queries\[0\], UserID: a number of 16610 bits doesn't fit into 64 bits"
    ):
        make_query_frame([(huge, 3)], DATASET)
    with pytest.raises(QueryError, match="at: a number of 16610 bits is not a time"):
        make_query_frame(5, DATASET, at=huge)


def test_a_time_for_all_that_is_none_is_named() -> None:
    with pytest.raises(QueryError, match="at: 'yesterday' is not a time; expected POSIX seconds or ISO 8601"):
        make_query_frame(5, DATASET, at="yesterday")


PLAYS = pd.DataFrame({"account": ["ann", "bob"], "sku": ["tt1", "tt2"], "seen": ["2024-01-05", "2024-01-06"]})
TEXTS = Dataset.from_frames(PLAYS, columns={"user": "account", "movie": "sku", "time": "seen"})


@pytest.mark.parametrize(
    "queries",
    [
        [("ann", 1_000), ("zoë/1", 1_000)],
        pl.DataFrame({"UserID": ["ann", "zoë/1"], "Timestamp": [1_000, 1_000]}),
        pd.DataFrame({"account": ["ann", "zoë/1"], "seen": [1_000, 1_000]}),
        pd.DataFrame({"user": ["ann", "zoë/1"], "time": [1_000, 1_000]}, dtype=object),
        pa.table({"account": ["ann", "zoë/1"], "time": [1_000, 1_000]}),
    ],
    ids=lambda queries: type(queries).__name__,
)
def test_text_ids_stay_as_they_are(queries: Any) -> None:
    assert make_query_frame(queries, TEXTS).rows() == [("ann", 1_000), ("zoë/1", 1_000)]


def test_no_queries_of_text_ids_give_an_empty_frame() -> None:
    assert (
        make_query_frame(pl.DataFrame({"UserID": [], "Timestamp": []}), TEXTS).schema["UserID"] == pl.String
    )


@pytest.mark.parametrize(
    ("queries", "message"),
    [
        ([(5, 1_000)], r"queries\[0\], UserID: 5 is not a text; expected an id as text"),
        (
            pd.DataFrame({"UserID": [5], "Timestamp": [1]}),
            "queries: column UserID has type Int64; expected String",
        ),
        (
            pl.DataFrame({"UserID": ["ann", ""], "Timestamp": [1, 1]}),
            r"queries\[1\], UserID: the cell is empty",
        ),
        ("\ud800", "UserID: '.ud800' isn't valid Unicode; expected an id of 1 to 255 characters"),
    ],
    ids=["pairs", "frame", "empty", "surrogate"],
)
def test_ids_of_the_other_kind_and_empty_ones_are_refused(queries: Any, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        make_query_frame(queries, TEXTS)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (
            pd.DataFrame([["a", "b"]], columns=["user", "user"]),
            "queries: two columns have the same name; .*'user' 2",
        ),
        (pd.DataFrame({"user": ["ann", 5], "x": [1, 2]}), "queries, column user: can't be read"),
        (pd.DataFrame({"who": ["ann"]}), "queries: column UserID is missing; found who$"),
        (duckdb.sql("SELECT error('no luck') AS user"), r"queries: can't be read as a table \(.*no luck"),
    ],
    ids=["twice", "mixed", "missing", "failing"],
)
def test_a_frame_that_cannot_be_read_is_an_error_that_names_the_column(frame: Any, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        make_query_frame(frame, TEXTS, at=1_000)
