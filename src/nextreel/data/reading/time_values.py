"""Times as Python programs hold them: seconds, text, datetimes and dates, those of NumPy and pandas among them."""

import math
from datetime import UTC, date, datetime, timedelta
from numbers import Integral, Real

import numpy as np

from nextreel.data.schema import EXPECTED
from nextreel.data.times import LATEST_TIMESTAMP, end_of_this_second, format_timestamp, parse_timestamp
from nextreel.data.value_checks import explain_cell
from nextreel.errors import QueryError

Time = int | str | date | np.datetime64
"""A time: POSIX seconds, ISO 8601, or a date or datetime, among which are those of pandas. Without a time zone it is
in UTC; fractions of a second round down."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_timestamp(value: object) -> int:
    """Return a time as POSIX seconds.

    Raises
    ------
    ValueError
        The value is no time, or one outside 1970 to 2100; the message quotes it and says what was expected.
    """
    if type(value) is int and 0 <= value < LATEST_TIMESTAMP:
        return value
    if isinstance(value, bool):
        raise ValueError(f"{value} is not a time; expected {_EXPECTED}")
    if isinstance(value, Integral):
        if abs(int(value)) >> 64:  # such a number may have too many digits to be written
            raise ValueError(
                f"a number of {int(value).bit_length()} bits is not a time; expected {_EXPECTED}"
            )
        if problem := explain_cell("timestamp", str(value)):
            raise ValueError(problem)
        return int(value)
    if isinstance(value, str):
        try:
            return parse_timestamp(value)
        except QueryError as error:
            raise ValueError(str(error)) from None
    if isinstance(value, date | np.datetime64):
        return _from_datetime(value)
    if isinstance(value, Real) and math.isfinite(value):
        raise ValueError(
            f"{value!r} is not a whole number; expected {EXPECTED['timestamp']}, such as int(time.time())"
        )
    raise ValueError(f"{value!r} is not a time; expected {_EXPECTED}")


def to_timestamp_or_now(at: object) -> int:
    """Return the time that a caller gave as `at` as POSIX seconds; about now if it is None.

    Raises QueryError for anything but a time.
    """
    if at is None:
        return end_of_this_second()
    try:
        return to_timestamp(at)
    except ValueError as error:
        raise QueryError(f"at: {error}") from None


def _from_datetime(value: date | np.datetime64) -> int:
    if value != value:  # NaT, which isn't equal to itself, is pandas' and NumPy's missing time
        raise ValueError(f"NaT is not a time; expected {_EXPECTED}")
    if isinstance(value, np.datetime64):
        seconds = int(value.astype("datetime64[s]").astype(np.int64))
    else:
        midnight_or_time = value if isinstance(value, datetime) else datetime(*value.timetuple()[:3])
        aware = midnight_or_time if midnight_or_time.tzinfo else midnight_or_time.replace(tzinfo=UTC)
        seconds = (aware - EPOCH) // timedelta(seconds=1)
    if not 0 <= seconds < LATEST_TIMESTAMP:
        raise ValueError(f"{value} lies outside {format_timestamp(0)[:4]} to 2100; expected {_EXPECTED}")
    return seconds


_EXPECTED = "POSIX seconds, ISO 8601 or a datetime"
