"""Timestamps and durations as people write them, and as they are shown."""

import re
import time
from datetime import UTC, datetime

from nextreel.errors import QueryError

DAY, WEEK = 86_400, 7 * 86_400
"""In seconds, as timestamps are."""
LATEST_TIMESTAMP = 4_102_444_800
"""2100-01-01: a later timestamp is taken for a mistake."""
LONGEST_DURATION = 100 * 365 * DAY
SECONDS_OF_UNIT = {"s": 1, "m": 60, "h": 3600, "d": DAY, "w": WEEK}
FEWEST_MILLISECONDS = 10**11
"""From this number on, a timestamp is probably meant in milliseconds: as such it lies in 1973 or later."""


def parse_timestamp(text: str) -> int:
    """POSIX seconds of "978300760", "2001-01-01", "2001-01-01T12:30:00+02:00" or "now"; UTC if no zone is named.

    Raises
    ------
    QueryError
        The text is none of these, or lies outside 1970 to 2100.
    """
    if text == "now":
        return int(datetime.now(UTC).timestamp())
    is_number = True
    try:
        seconds = int(text)
    except ValueError:
        seconds, is_number = _parse_iso(text), False
    if seconds < 0 or seconds >= LATEST_TIMESTAMP:
        hint = "; that looks like milliseconds" if is_number and seconds >= FEWEST_MILLISECONDS else ""
        raise QueryError(f"{text!r} lies outside 1970 to 2100{hint}; expected POSIX seconds or ISO 8601")
    return seconds


def parse_duration(text: str, option: str) -> int:
    """Whole seconds of "90s", "30m", "12h", "1.5d" or "8w".

    Raises
    ------
    QueryError
        The text is no duration, or one of less than a second or more than 100 years; the message names the option.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text, re.ASCII)
    seconds = round(float(found[1]) * SECONDS_OF_UNIT[found[2]]) if found else 0
    if seconds < 1:
        raise QueryError(
            f"{option} {text!r} is no duration; expected a number and s, m, h, d or w, such as 30m or 7d"
        )
    if seconds > LONGEST_DURATION:
        raise QueryError(f"{option} {text!r} is longer than 100 years; expected a duration such as 30d")
    return seconds


def end_of_this_second() -> int:
    """The timestamp to ask with about now, in POSIX seconds: what has happened in this second counts too."""
    return int(time.time()) + 1


def format_timestamp(seconds: int) -> str:
    """POSIX seconds for people, in UTC: "2001-01-01 12:30:00 UTC"."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def format_duration(seconds: int) -> str:
    """Seconds for people, in the largest unit that divides them: "30 days", "1 day", "12 hours"."""
    units = ((DAY, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
    length, unit = next((length, unit) for length, unit in units if seconds % length == 0)
    count = seconds // length
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def _parse_iso(text: str) -> int:
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise QueryError(
            f"{text!r} is no moment; expected POSIX seconds or ISO 8601, such as 2001-01-31T18:00"
        ) from None
    return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp())
