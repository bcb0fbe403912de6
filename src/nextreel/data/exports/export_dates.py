"""The dates in exports: ISO 8601, POSIX seconds, and dates in the order of an account's country.

Whether 3/4/21 is in March or in April is decided from the whole column: by a number above 12, by dots, which only
countries with the day first use, or by the order of the rows, which are the newest first or last in only one of the two
readings. If all this leaves both possible, nobody can know, and it isn't guessed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Literal

from nextreel.data.times import DAY, check_seconds, parse_iso
from nextreel.errors import QueryError
from nextreel.wording import shorten

DayOrder = Literal["day-first", "month-first"]
"""Whether a date such as 3/4/21 begins with the day or with the month."""

POSIX = re.compile(r"[0-9]{5,12}", re.ASCII)
"""A number of seconds, unlike a year or a date without dashes."""
YEAR_FIRST = re.compile(r"([0-9]{4})\s*[-/.]\s*([0-9]{1,2})\s*[-/.]\s*([0-9]{1,2})\.?", re.ASCII)
YEAR_LAST = re.compile(r"([0-9]{1,2})\s*([-/.])\s*([0-9]{1,2})\s*[-/.]\s*([0-9]{4}|[0-9]{2})\.?", re.ASCII)
WITH_CLOCK = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ].+", re.ASCII | re.DOTALL)
OLD_IMDB = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) +([0-9]{1,2}) [0-9:]{8} ([0-9]{4})", re.ASCII)
"""The form of IMDb until 2017, such as Sat Dec 31 00:00:00 2016."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
EXPECTED = "expected a date such as 2021-03-04"
CENTURY = 2000
"""Century of years of two digits: the sites that write them are younger."""


@dataclass(frozen=True)
class ExportTime:
    """When a movie was watched or rated."""

    timestamp: int
    """POSIX seconds; of a day, its first second in UTC. A day before 1970 is 0."""
    is_day: bool
    """Whether only the day is known."""


def find_day_order(cells: Sequence[str]) -> DayOrder | None:
    """Return in which order the dates of a column are written; None if it can't be decided and makes a difference."""
    found = [match for cell in cells if (match := YEAR_LAST.fullmatch(cell.strip()))]
    first, second = [int(match[1]) for match in found], [int(match[3]) for match in found]
    n_day_first, n_month_first = (sum(12 < n <= 31 for n in numbers) for numbers in (first, second))
    if n_day_first != n_month_first:
        return "day-first" if n_day_first > n_month_first else "month-first"
    if all(a == b for a, b in zip(first, second, strict=True)) or any(match[2] == "." for match in found):
        return "day-first"
    years = [_full_year(match[4]) for match in found]
    is_sorted_by_month = _is_sorted(list(zip(years, first, second, strict=True)))
    is_sorted_by_day = _is_sorted(list(zip(years, second, first, strict=True)))
    if is_sorted_by_month == is_sorted_by_day:
        return None
    return "month-first" if is_sorted_by_month else "day-first"


def _is_sorted(dates: Sequence[tuple[int, int, int]]) -> bool:
    pairs = list(pairwise(dates))
    return all(a <= b for a, b in pairs) or all(a >= b for a, b in pairs)


def parse_time(text: str, order: DayOrder = "day-first") -> ExportTime:
    """Return the time that a cell holds; `order` is how its column writes dates.

    Raises
    ------
    ValueError
        The cell holds no date, one that doesn't exist, or one later than 2099.
    """
    text = text.strip()
    if POSIX.fullmatch(text):
        try:
            return ExportTime(check_seconds(int(text)), is_day=False)
        except QueryError as error:
            raise ValueError(str(error)) from None
    if WITH_CLOCK.fullmatch(text):
        try:
            seconds = parse_iso(text)
        except (ValueError, OverflowError):
            raise ValueError(f"{shorten(text, 40)!r} is not a date; {EXPECTED}") from None
        return ExportTime(_check(seconds, text), is_day=False)
    year, month, day = _split_date(text, order)
    try:
        midnight = datetime.combine(date(year, month, day), datetime.min.time(), UTC)
    except ValueError:
        raise ValueError(f"{shorten(text, 40)!r} is not a date; {EXPECTED}") from None
    return ExportTime(_check(int(midnight.timestamp()) // DAY * DAY, text), is_day=True)


def _check(seconds: int, text: str) -> int:
    try:
        return check_seconds(max(0, seconds))
    except QueryError:
        raise ValueError(f"{shorten(text, 40)!r} lies after 2099; {EXPECTED}") from None


def _split_date(text: str, order: DayOrder) -> tuple[int, int, int]:
    """Return year, month and day, which may not exist; ValueError for a text that is no date."""
    if found := YEAR_FIRST.fullmatch(text):
        return int(found[1]), int(found[2]), int(found[3])
    if found := YEAR_LAST.fullmatch(text):
        first, second, year = int(found[1]), int(found[3]), _full_year(found[4])
        return (year, second, first) if order == "day-first" else (year, first, second)
    if (found := OLD_IMDB.fullmatch(text)) and found[1] in MONTHS:
        return int(found[3]), MONTHS.index(found[1]) + 1, int(found[2])
    raise ValueError(f"{shorten(text, 40)!r} is not a date; {EXPECTED}")


def _full_year(text: str) -> int:
    return int(text) + (CENTURY if len(text) == 2 else 0)
