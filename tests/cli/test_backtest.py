from pathlib import Path

import pytest

from nextreel.data.sources.synthetic_data import make_sample, write_sample
from tests.cli.commands import fail, succeed


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    write_sample(make_sample(users=60, movies=80, ratings=1600), home / "data")
    return home


def test_backtest_prints_windows_ages_and_what_they_say(home: Path) -> None:
    arguments = ("--model", "ease", "--set", "regularization=50", "--every", "20w", "--out", "out")
    printed = succeed("backtest", "data", *arguments, cwd=home)
    for part in (
        "ease, NDCG@10 by window; 95 % intervals",
        "NDCG@10 of all windows, by users",
        "new in the window",
        "NDCG@10 by age of the model that was never refitted",
        "0 to 140 days",
        "After the first window, a refit every 140 days is worth",
        "Written to out",
    ):
        assert part in printed
    written = {file.name for file in (home / "out").iterdir()}
    figures = {"backtest.json", "backtest.csv", "backtest.svg", "backtest.png"}
    assert written == {*figures, "plan.json", "windows", "first-model"}


def test_a_backtest_starts_at_a_date_and_may_leave_refits_out(home: Path) -> None:
    arguments = ("--model", "popularity", "--every", "365d", "--start", "2023-01-01", "--refit", "never")
    printed = succeed("backtest", "data", *arguments, "--out", "never", cwd=home)
    assert "2023-01-01" in printed
    assert "NDCG@10 without a refit: 0." in printed
    assert "Difference" not in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--every", "month"], "--every 'month' is not a duration; expected a number and s, m, h, d or w"),
        (["--start", "100%"], "--start '100%': expected a share between 0% and 100%"),
        (["--every", "6000w"], "--every '6000w' is longer than 100 years"),
        (["--every", "nand"], "--every 'nand' is not a duration; expected a number and s, m, h, d or w"),
        (["--out", "data"], "data exists and holds no plan.json"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_clear_message(home: Path, arguments: list[str], message: str) -> None:
    assert message in fail("backtest", "data", *arguments, cwd=home)
