"""Times as people have them: one unit for a column, UTC without a zone, fractions rounded down, doubts noted."""

from pathlib import Path

import pytest

from nextreel.data.data_format import DataFormat
from nextreel.data.reading.data_profile import profile_directory
from nextreel.data.reading.table_reader import read_tables
from nextreel.errors import DataError

SECOND = 1_112_485_987  # 2005-04-02 23:53:07 UTC

SAME = {
    "seconds": str(SECOND),
    "milliseconds": f"{SECOND}999",
    "microseconds": f"{SECOND}999999",
    "nanoseconds": f"{SECOND}999999999",
    "blank": "2005-04-02 23:53:07",
    "T": "2005-04-02T23:53:07",
    "Z": "2005-04-02T23:53:07Z",
    "UTC": "2005-04-02 23:53:07 UTC",
    "fraction": "2005-04-02T23:53:07.999Z",
    "fraction of pandas": "2005-04-02 23:53:07.999999999",
    "fraction after a comma": '"2005-04-02 23:53:07,5"',
    "zone": "2005-04-03T01:53:07+02:00",
    "zone without a colon": "2005-04-02T18:53:07-0500",
    "zone after a blank": "2005-04-03 05:23:07 +05:30",
    "basic form": "20050402T235307Z",
    "zone of hours": "2005-04-03T01:53:07+02",
    "quoted": '"2005-04-02 23:53:07"',
}
DAYS = {
    "date": "2005-04-02",
    "date at midnight": "2005-04-02T00:00",
    "date of pandas": "2005-04-02 00:00:00",
    "week date": "2005-W13-6",
}


def read(path: Path, *times: str) -> list[int]:
    path.write_text("user,item,when\n" + "".join(f"{n},7,{time}\n" for n, time in enumerate(times)))
    return read_tables(path, DataFormat.request({"time": "when"})).interactions["Timestamp"].to_list()


@pytest.mark.parametrize("name", SAME)
def test_a_time_is_read(tmp_path: Path, name: str) -> None:
    assert read(tmp_path / "c.csv", SAME[name], SAME[name]) == [SECOND, SECOND]


@pytest.mark.parametrize("name", DAYS)
def test_a_date_is_its_first_second(tmp_path: Path, name: str) -> None:
    assert read(tmp_path / "c.csv", DAYS[name]) == [1_112_400_000]


def test_forms_of_iso_8601_may_be_mixed(tmp_path: Path) -> None:
    forms = [time for time in SAME.values() if "-" in time]
    assert set(read(tmp_path / "c.csv", *forms)) == {SECOND}


@pytest.mark.parametrize("name", ["milliseconds", "microseconds", "nanoseconds"])
def test_the_unit_holds_for_the_whole_column(tmp_path: Path, name: str) -> None:
    unit = {"milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}[name]
    assert read(tmp_path / "c.csv", *(str(unit * t) for t in (SECOND, 100_000_000))) == [SECOND, 100_000_000]


WRONG = {
    "milliseconds among seconds": ([str(SECOND)] * 2_000 + [f"{SECOND}000"], 2_002, "looks like milliseconds; expected POSIX seconds"),
    "seconds among milliseconds": ([f"{SECOND}000"] * 2_000 + [str(SECOND)], 2_002, "looks like seconds; expected milliseconds"),
    "nanoseconds among microseconds": ([f"{SECOND}000000"] * 3 + [f"{SECOND}000000000"], 5, "looks like nanoseconds; expected microseconds"),
    "ISO among seconds": ([str(SECOND)] * 3 + ["2005-04-02"], 5, "'2005-04-02' is not a number; expected POSIX seconds"),
    "slashes": (["2005-04-02", "02/04/2005"], 3, "'02/04/2005' is ambiguous"),
    "only slashes": (["02/04/2005 10:00"], 2, "'02/04/2005 10:00' is ambiguous"),
    "slashes with the year first": (["2005/04/02"], 2, "'2005/04/02' is ambiguous"),
    "words": (["yesterday"], 2, "'yesterday' is not a time in ISO 8601"),
    "nothing": ([str(SECOND), ""], 3, "the cell is empty; expected POSIX seconds"),
    "nothing among ISO": (["2005-04-02", ""], 3, "the cell is empty; expected a time in ISO 8601"),
    "a fraction of a second": ([f"{SECOND}.5"], 2, "is not a whole number; expected POSIX seconds"),
    "before 1970": (["-1"], 2, "-1 is negative"),
    "after 2100": (["2105-01-01"], 2, "2105-01-01 lies outside 1970 to 2100"),
    "a leap second": (["2005-04-02 23:59:60"], 2, "'2005-04-02 23:59:60' is not a time in ISO 8601"),
    "a zone of 99 hours": (["2005-04-02T10:00+99:00"], 2, "'2005-04-02T10:00+99:00' is not a time in ISO 8601"),
    "hour 25": (["2005-04-02 25:00:00"], 2, "'2005-04-02 25:00:00' is not a time in ISO 8601"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_time_is_an_error_with_its_line_and_column(tmp_path: Path, name: str) -> None:
    times, line, reason = WRONG[name]
    with pytest.raises(DataError) as error:
        read(tmp_path / "c.csv", *times)
    first = str(error.value).splitlines()[0]
    assert first.startswith(f"c.csv, line {line}, column when: ")
    assert reason in first


DOUBTFUL = {
    "dates as numbers": (["20050402", "20231114"], "the times look like dates, such as 20050402"),
    "seconds divided by 1,000": (["1112485", "1112486"], "may be seconds divided by 1,000"),
    "counters": (["1", "2"], "may be seconds divided by 1,000"),
    "pandas' microseconds divided by 10 ** 9": (["1112", "1113"], "no POSIX times at all"),
}


@pytest.mark.parametrize("name", DOUBTFUL)
def test_times_that_are_probably_something_else_are_noted(tmp_path: Path, name: str) -> None:
    times, note = DOUBTFUL[name]
    (tmp_path / "c.csv").write_text("user,item,time\n" + "".join(f"1,7,{time}\n" for time in times))
    assert any(note in text for text in profile_directory(tmp_path / "c.csv").notes)


def test_ordinary_times_are_not_noted(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text(f"user,item,time\n1,7,{SECOND}\n1,7,20050402\n")
    assert profile_directory(tmp_path / "c.csv").notes == ()
