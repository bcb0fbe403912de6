import pytest

from nextreel.data.times import format_duration, format_timestamp, parse_duration, parse_timestamp
from nextreel.errors import QueryError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("978300760", 978_300_760),
        ("2000-12-31T22:12:40", 978_300_760),
        ("2000-12-31T22:12:40Z", 978_300_760),
        ("2001-01-01T00:12:40+02:00", 978_300_760),
        ("2000-12-31", 978_220_800),
        ("20001231", 978_220_800),
        ("2000", 946_684_800),
        ("1234", 1_234),
        ("12345678", 12_345_678),
    ],
)
def test_a_timestamp_is_read_as_people_write_it(text: str, seconds: int) -> None:
    assert parse_timestamp(text) == seconds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("yesterday", "'yesterday' is not a time; expected POSIX seconds or ISO 8601"),
        ("978300760000", r"that looks like milliseconds \(of 978300760\); expected POSIX seconds"),
        ("978300760000000", r"that looks like microseconds \(of 978300760\)"),
        ("978300760000000000", r"that looks like nanoseconds \(of 978300760\)"),
        ("20001301", "'2000-13-01' is not a time; expected POSIX seconds or ISO 8601"),
        ("-5", "outside 1970 to 2100"),
        ("2150-01-01", "outside 1970 to 2100; expected"),
        ("9999-12-31", "outside 1970 to 2100; expected"),
    ],
)
def test_anything_else_is_an_error_that_says_what_is_expected(text: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        parse_timestamp(text)


def test_a_timestamp_is_shown_in_utc() -> None:
    assert format_timestamp(978_300_760) == "2000-12-31 22:12:40 UTC"


@pytest.mark.parametrize(
    ("text", "seconds", "shown"),
    [
        ("90s", 90, "90 seconds"),
        ("90m", 5_400, "90 minutes"),
        ("1h", 3_600, "1 hour"),
        ("1.5d", 129_600, "36 hours"),
        ("1d", 86_400, "1 day"),
        ("8w", 4_838_400, "56 days"),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: int, shown: str) -> None:
    assert parse_duration(text, "--every") == seconds
    assert format_duration(seconds) == shown


@pytest.mark.parametrize(
    "text", ["", "7", "d", "0d", "-1d", "7dd", "²d", "nand", "infd", "1e3d", "0.2s", "month"]
)
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(
        QueryError, match=f"--every {text!r} is not a duration; expected a number and s, m, h, d or w"
    ):
        parse_duration(text, "--every")


def test_a_duration_has_at_most_100_years() -> None:
    assert parse_duration("36500d", "--every") == 36_500 * 86_400
    with pytest.raises(QueryError, match="--every '36501d' is longer than 100 years"):
        parse_duration("36501d", "--every")
    for digits in (400, 5000):  # more than a float holds, and than Python parses as an integer
        with pytest.raises(QueryError, match=r"--every '9+ \[\.\.\.\] 9+d' is longer than 100 years"):
            parse_duration("9" * digits + "d", "--every")
