import pytest

from nextreel.wording import number_of


@pytest.mark.parametrize(
    ("n", "words"), [(0, "0 queries"), (1, "1 query"), (2, "2 queries"), (1234, "1,234 queries")]
)
def test_a_noun_follows_its_number(n: int, words: str) -> None:
    assert number_of(n, "query", "queries") == words


def test_most_nouns_take_an_s() -> None:
    assert (number_of(1, "row"), number_of(2, "row")) == ("1 row", "2 rows")
