"""Moments as people write them."""

import time
from datetime import UTC, datetime

from nextreel.data.schema import LARGEST_INTEGER, LATEST_TIMESTAMP
from nextreel.data.timeline import DAY
from nextreel.errors import QueryError


def parse_moment(text: str) -> int:
    """POSIX seconds of "978300760", "2001-01-01", "2001-01-01T12:30:00+02:00" or "now"; UTC where no zone is named."""
    if text == "now":
        return int(datetime.now(UTC).timestamp())
    try:
        seconds, least_milliseconds = int(text), 10**11
    except ValueError:
        seconds, least_milliseconds = _parse_iso(text), LARGEST_INTEGER
    if seconds < 0 or seconds >= LATEST_TIMESTAMP:
        hint = "; that looks like milliseconds" if seconds >= least_milliseconds else ""
        raise QueryError(f"{text!r} lies outside 1970 to 2100{hint}; expected POSIX seconds or ISO 8601")
    return seconds


def end_of_this_second() -> int:
    """The moment that a question about now is asked as of: what has happened in this very second counts too."""
    return int(time.time()) + 1


def show_moment(seconds: int) -> str:
    """A moment for people, UTC: "2001-01-01 12:30:00 UTC"."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def show_days(seconds: int) -> str:
    """A length of time for people: "30 days", "1 day", "0.5 days"."""
    return f"{seconds / DAY:g} {'day' if seconds == DAY else 'days'}"


def _parse_iso(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise QueryError(
            f"{text!r} is no moment; expected POSIX seconds or ISO 8601, such as 2001-01-31T18:00"
        ) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
