import pytest

from nextreel.wording import number_of, shorten


@pytest.mark.parametrize(
    ("n", "words"), [(0, "0 queries"), (1, "1 query"), (2, "2 queries"), (1234, "1,234 queries")]
)
def test_a_noun_follows_its_number(n: int, words: str) -> None:
    assert number_of(n, "query", "queries") == words


def test_most_nouns_take_an_s() -> None:
    assert (number_of(1, "row"), number_of(2, "row")) == ("1 row", "2 rows")


def test_a_long_text_loses_its_middle() -> None:
    assert shorten("0123456789", 10) == "0123456789"
    assert shorten("0123456789a", 9) == "012345 [...] 89a"
