"""The fast and the exact CSV reader agree on ids, separators and times of every kind."""

from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from nextreel.data.data_format import ANY_FORMAT, DataFormat
from nextreel.data.frames import complete
from nextreel.data.reading.csv_kinds import find_text_ids, resolve_csv
from nextreel.data.reading.csv_text import SEPARATORS, open_csv
from nextreel.data.reading.exact_csv import read_exactly
from nextreel.data.reading.table_reader import read_table
from nextreel.data.schema import INTERACTIONS
from nextreel.errors import DataError, DataProblem

NUMBERS = st.integers(0, 2**63 - 1).map(str) | st.integers(0, 99).map(str)
TEXTS = (
    st.sampled_from(
        [
            "tt0111161",
            "007",
            "+7",
            "-1",
            "1.0",
            "00",
            "0",
            "9" * 19,
            "9" * 20,
            "null",
            "NaN",
            "é",
            " 7",
            "7 ",
            "#x",
            "",
            "\x07",
        ]
    )
    | st.uuids().map(str)
    | st.text(st.characters(codec="utf-8", exclude_characters='\0\r\n",\t;|'), min_size=1, max_size=5)
)
IDS = st.lists(NUMBERS, min_size=1, max_size=6) | st.lists(NUMBERS | TEXTS, min_size=1, max_size=6)
MOMENTS = st.datetimes(datetime(1969, 12, 30), datetime(2100, 1, 2))
ISO_TIMES = st.one_of(
    MOMENTS.map(lambda moment: moment.isoformat()),
    MOMENTS.map(lambda moment: moment.isoformat(" ", "seconds")),
    MOMENTS.map(lambda moment: moment.isoformat(timespec="milliseconds") + "Z"),
    MOMENTS.map(lambda moment: moment.isoformat(timespec="minutes") + "+05:30"),
    MOMENTS.map(lambda moment: f"{moment:%Y-%m-%d %H:%M:%S} -0800"),
    MOMENTS.map(lambda moment: f"{moment:%Y-%m-%d}"),
    st.sampled_from(
        [
            "2001-02-29",
            "2001-02-28T24:00:00",
            "2001-01-01T23:59:60",
            "1969-12-31T23:59:59.9",
            "2001-1-1",
            "2001-01-01T",
            "01/02/2001",
            "1969-12-31 23:59:59-01:00",
            "2001-01-01T10:00+99:00",
            "2001-01-01 10:00:00.1234567891",
        ]
    ),
)
UNITS = st.sampled_from([1, 10**3, 10**6, 10**9])
SECONDS = st.integers(10**8, 4_102_444_800)
UNIT_TIMES = st.tuples(UNITS, st.lists(SECONDS, min_size=6, max_size=6)).map(
    lambda drawn: [str(drawn[0] * second + drawn[0] - 1) for second in drawn[1]]
)
TIMES = (
    st.lists(ISO_TIMES, min_size=6, max_size=6)
    | UNIT_TIMES
    | st.lists(ISO_TIMES | UNIT_TIMES.map(lambda times: times[0]), min_size=6, max_size=6)
)
FORMATS = st.sampled_from(
    [ANY_FORMAT, DataFormat(user_ids="number", movie_ids="text"), DataFormat(liked_from=1)]
)


def outcome_of_reading(path: Path, format_: DataFormat, exactly: bool) -> pl.DataFrame | list[DataProblem]:
    """Return the frame, or the problems, of one of the ways of reading."""
    try:
        if not exactly:
            return read_table(path, INTERACTIONS, format_)
        text = open_csv(path, INTERACTIONS, format_)
        resolved = find_text_ids(text, resolve_csv(text, INTERACTIONS, format_), format_)
        return complete(read_exactly(text, resolved), INTERACTIONS)
    except DataError as error:
        return error.problems


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@given(
    users=IDS,
    movies=IDS,
    times=TIMES,
    separator=st.sampled_from(SEPARATORS),
    format_=FORMATS,
    rated=st.booleans(),
    quote=st.sampled_from(["", "", '"']),
)
def test_both_readers_agree(
    tmp_path_factory: pytest.TempPathFactory,
    end: str,
    users: list[str],
    movies: list[str],
    times: list[str],
    separator: str,
    format_: DataFormat,
    rated: bool,
    quote: str,
) -> None:
    ratings = [["4"]] * 6 if rated else [[]] * 6
    rows = [
        [user, f"{quote}{movie}{quote}", *rating, time]
        for user, movie, rating, time in zip(users, movies, ratings, times, strict=False)
    ]
    header = ["user_id", "movieId", *["rating"][: int(rated)], "timestamp"]
    path = tmp_path_factory.mktemp("any") / "t.csv"
    path.write_bytes("".join(separator.join(row) + end for row in [header, *rows]).encode())
    fast, exact = (outcome_of_reading(path, format_, exactly) for exactly in (False, True))
    if isinstance(exact, pl.DataFrame) and isinstance(fast, pl.DataFrame):
        assert_frame_equal(fast, exact)
    else:
        assert str(fast) == str(exact)
