"""The start of a backtest, as it is given to the command."""

import pytest

from nextreel.errors import QueryError
from nextreel.evaluation.backtesting.backtest_windows import parse_start
from tests.frames import interactions

ROWS = interactions(*((user, movie, 5, 100 * user + movie) for user in range(10) for movie in range(10)))


@pytest.mark.parametrize(
    ("text", "start"), [("60%", 600), ("0.5%", 0), ("1970-01-01T00:05", 300), ("250", 250)]
)
def test_a_share_or_a_time_is_a_start(text: str, start: int) -> None:
    assert parse_start(text, ROWS, "--start") == start


@pytest.mark.parametrize("text", ["0%", "100%", "-5%", "many%", "%", "nan%"])
def test_another_share_is_refused(text: str) -> None:
    with pytest.raises(QueryError, match=r"--start '.*': expected a share between 0% and 100%"):
        parse_start(text, ROWS, "--start")
