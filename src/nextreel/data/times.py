"""Timestamps and durations: parsing what people write, and formatting them for people."""

import re
import time
from datetime import UTC, datetime

from nextreel.errors import QueryError
from nextreel.wording import shorten

DAY, WEEK = 86_400, 7 * 86_400
"""Lengths of a day and of a week in seconds, the unit of timestamps."""
LATEST_TIMESTAMP = 4_102_444_800
"""Highest accepted timestamp, 2100-01-01 UTC; a later one is probably a mistake, such as milliseconds."""
EXPECTED_TIME = "expected POSIX seconds or ISO 8601"
LONGEST_DURATION = 100 * 365 * DAY
"""Highest accepted duration in seconds, 100 years; a longer one is probably a mistake."""
SECONDS_OF_UNIT = {"s": 1, "m": 60, "h": 3600, "d": DAY, "w": WEEK}
LOWEST_MILLISECONDS = 10**11
"""A timestamp of at least this number is probably in milliseconds, in which it is a time in 1973 or later."""
SMALLER_UNITS = {10**17: "nanoseconds", 10**14: "microseconds", LOWEST_MILLISECONDS: "milliseconds"}
"""Unit that a timestamp is probably in by its lowest number, the largest first."""
YEAR_OR_DATE = re.compile(r"(19[7-9]\d|20\d\d)((\d\d)(\d\d))?", re.ASCII)
"""A year such as 2001, or a date such as 20010131: 4 or 8 digits that hardly anybody means as seconds of 1970."""


def parse_timestamp(text: str) -> int:
    """Return POSIX seconds from a text such as "978300760", "2001-01-01", "2001-01-01T12:30:00+02:00" or "now".

    A year such as "2001", or a date without dashes such as "20010131", stands for its first second. A date or a time
    without a time zone is in UTC.

    Raises
    ------
    QueryError
        The text has another form, or the time isn't between 1970 and 2100.
    """
    if text == "now":
        return int(datetime.now(UTC).timestamp())
    if (start := YEAR_OR_DATE.fullmatch(text)) is not None:
        text = f"{start[1]}-{start[3] or '01'}-{start[4] or '01'}"
    try:
        seconds = int(text)
    except ValueError:
        seconds = _parse_iso(text)
        if not 0 <= seconds < LATEST_TIMESTAMP:
            raise QueryError(f"{text!r} lies outside 1970 to 2100; {EXPECTED_TIME}") from None
        return seconds
    return check_seconds(seconds)


def check_seconds(seconds: int) -> int:
    """Return POSIX seconds; QueryError if they lie outside 1970 to 2100, as milliseconds and smaller units do."""
    if 0 <= seconds < LATEST_TIMESTAMP:
        return seconds
    unit = next((lowest for lowest in SMALLER_UNITS if seconds >= lowest), None)
    as_seconds = 0 if unit is None else seconds * LOWEST_MILLISECONDS // unit // 1000
    hint = f"; that looks like {SMALLER_UNITS[unit]} (of {as_seconds})" if unit is not None else ""
    raise QueryError(f"{str(seconds)!r} lies outside 1970 to 2100{hint}; {EXPECTED_TIME}")


def _parse_iso(text: str) -> int:
    try:
        return parse_iso(text)
    except ValueError:
        raise QueryError(f"{text!r} is not a time; {EXPECTED_TIME}, such as 2001-01-31T18:00") from None


def parse_iso(text: str) -> int:
    """Return POSIX seconds from a date or time in ISO 8601; without a time zone it is in UTC, fractions round down.

    Raises
    ------
    ValueError
        The text has another form.
    """
    parsed = datetime.fromisoformat(text).replace(microsecond=0)
    return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp())


def parse_duration(text: str, option: str) -> int:
    """Return whole seconds from a text such as "90s", "30m", "12h", "1.5d" or "8w".

    Raises
    ------
    QueryError
        The text isn't a duration, or the duration is shorter than a second or longer than 100 years. The message
        names the `option` that the text was given for.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text, re.ASCII)
    # The number may be too long for a float, which is infinite then.
    length = min(float(match[1]) * SECONDS_OF_UNIT[match[2]], 2.0 * LONGEST_DURATION) if match else 0.0
    seconds = round(length)
    if seconds < 1:
        raise QueryError(
            f"{option} {text!r} is not a duration; expected a number and s, m, h, d or w, such as 30m or 7d"
        )
    if seconds > LONGEST_DURATION:
        raise QueryError(
            f"{option} {shorten(text, 100)!r} is longer than 100 years; expected a duration such as 30d"
        )
    return seconds


def end_of_this_second() -> int:
    """Return the timestamp of a query about now, in POSIX seconds.

    A history holds what is strictly before its timestamp, so this is the second after the current one.
    """
    return int(time.time()) + 1


def format_timestamp(seconds: int) -> str:
    """Return POSIX seconds as a time in UTC, such as "2001-01-01 12:30:00 UTC"."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def format_duration(seconds: int) -> str:
    """Return a duration in the largest unit that divides it, such as "30 days", "1 day" or "12 hours"."""
    units = ((DAY, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
    length, unit = next((length, unit) for length, unit in units if seconds % length == 0)
    count = seconds // length
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
