import pytest

from nextreel.data.exports.export_dates import find_day_order, parse_time
from nextreel.data.times import parse_iso


@pytest.mark.parametrize(
    ("cells", "order"),
    [
        (["1/31/23", "1/2/23"], "month-first"),
        (["31/1/23", "1/2/23"], "day-first"),
        (["1.2.2023", "2.3.2023"], "day-first"),
        (["2/1/23", "1/12/23", "1/3/23"], "month-first"),
        (["1/2/23", "12/1/23", "3/1/23"], "day-first"),
        (["5/5/23"], "day-first"),
        (["2023-01-02"], "day-first"),
        (["1/2/23"], None),
        ([], "day-first"),
    ],
)
def test_the_order_of_day_and_month_is_that_of_the_column(cells: list[str], order: str | None) -> None:
    if cells == ["1/2/23"]:
        # One date is in order in both readings.
        assert find_day_order(cells) is None
    else:
        assert find_day_order(cells) == order


@pytest.mark.parametrize(
    ("text", "order", "day"),
    [
        ("2021-03-04", "day-first", "2021-03-04"),
        ("3/4/21", "month-first", "2021-03-04"),
        ("4/3/21", "day-first", "2021-03-04"),
        ("04.03.2021", "day-first", "2021-03-04"),
        ("2021. 3. 4.", "day-first", "2021-03-04"),
        ("2021/3/4", "day-first", "2021-03-04"),
        ("Thu Mar  4 00:00:00 2021", "day-first", "2021-03-04"),
    ],
)
def test_a_day_is_its_first_second(text: str, order: str, day: str) -> None:
    time = parse_time(text, order)  # type: ignore[arg-type]
    assert (time.timestamp, time.is_day) == (parse_iso(day), True)


def test_a_time_within_a_day_stays_one() -> None:
    assert parse_time("2021-03-04T10:00:00Z").timestamp == parse_iso("2021-03-04T10:00:00+00:00")
    assert parse_time("1600000000").is_day is False
