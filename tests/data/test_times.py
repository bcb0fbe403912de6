import pytest

from nextreel.data.times import parse_moment, show_days, show_moment
from nextreel.errors import QueryError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("978300760", 978_300_760),
        ("2000-12-31T22:12:40", 978_300_760),
        ("2000-12-31T22:12:40Z", 978_300_760),
        ("2001-01-01T00:12:40+02:00", 978_300_760),
        ("2000-12-31", 978_220_800),
    ],
)
def test_a_moment_is_read_as_people_write_it(text: str, seconds: int) -> None:
    assert parse_moment(text) == seconds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("yesterday", "'yesterday' is no moment; expected POSIX seconds or ISO 8601"),
        ("978300760000", "that looks like milliseconds"),
        ("-5", "outside 1970 to 2100"),
        ("2150-01-01", "outside 1970 to 2100; expected"),
        ("9999-12-31", "outside 1970 to 2100; expected"),
    ],
)
def test_anything_else_is_an_error_that_says_what_is_expected(text: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        parse_moment(text)


def test_a_moment_is_shown_in_utc() -> None:
    assert show_moment(978_300_760) == "2000-12-31 22:12:40 UTC"


@pytest.mark.parametrize(
    ("seconds", "words"), [(43_200, "0.5 days"), (86_400, "1 day"), (2_592_000, "30 days")]
)
def test_a_length_is_shown_in_days(seconds: int, words: str) -> None:
    assert show_days(seconds) == words
