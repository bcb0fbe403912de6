from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest

from nextreel.data.dataset import Dataset
from nextreel.errors import QueryError
from nextreel.prediction.predictor import make_query_frame
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
        ((2**70, 3), f"queries[1], UserID: {2**70} doesn't fit into 64 bits; expected a whole number from 0"),
        (
            (1, 1_700_000_000_000),
            "queries[1], Timestamp: 1700000000000 looks like milliseconds; expected POSIX",
        ),
        (
            (1, datetime(2022, 1, 1, tzinfo=UTC)),
            "queries[1], Timestamp: 2022-01-01 00:00:00+00:00 is not a whole number; expected POSIX seconds, such as "
            "int(time.timestamp())",
        ),
    ],
    ids=str,
)
def test_an_invalid_query_is_named_with_its_position(wrong: Any, message: str) -> None:
    with pytest.raises(QueryError) as caught:
        make_query_frame([(5, 1_000), wrong], DATASET)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"UserID": [1]}, "queries: column Timestamp is missing; found UserID"),
        (
            {"UserID": [1.0], "Timestamp": [5]},
            "queries: column UserID has type Float64; expected Int64, a whole",
        ),
        (
            {"UserID": [1], "Timestamp": [datetime(2022, 1, 1)]},
            "queries: column Timestamp has type Datetime(",
        ),
        (
            {"UserID": [1, 2], "Timestamp": [5, None]},
            "queries[1], Timestamp: None is not a whole number; expected POSIX seconds",
        ),
        ({"UserID": [-1], "Timestamp": [5]}, "queries[0], UserID: -1 is negative; expected a whole number"),
    ],
    ids=str,
)
def test_a_frame_that_holds_no_queries_is_refused(columns: dict[str, list[Any]], message: str) -> None:
    with pytest.raises(QueryError) as caught:
        make_query_frame(pl.DataFrame(columns), DATASET)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("queries", [5, None, "queries.csv"])
def test_anything_but_pairs_or_a_frame_is_refused(queries: Any) -> None:
    with pytest.raises(
        QueryError, match=r"expected pairs \(UserID, Timestamp\) or a polars DataFrame of them"
    ):
        make_query_frame(queries, DATASET)
