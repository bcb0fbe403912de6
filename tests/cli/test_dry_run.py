"""`nextreel fit --dry-run`: what a fit would take."""

from pathlib import Path

import pytest

from nextreel import machine
from tests.cli.commands import fail, succeed


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    succeed("sample", "data", "--users", 60, "--movies", 90, "--ratings", 1800, cwd=home)
    return home


def test_it_says_how_long_and_how_much_memory_and_writes_nothing(home: Path) -> None:
    printed = succeed("fit", "data", "--model", "popularity", "--dry-run", cwd=home)
    assert printed.startswith("popularity would learn from 1,800 interactions of 60 users and 90 movies")
    assert "in about less than a second on" in printed
    assert "0.1 GiB of memory" in printed
    assert [path.name for path in home.iterdir()] == ["data"]


def test_a_fit_that_needs_more_memory_than_there_is_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "usable_memory", lambda: 1000)
    for options in (["--dry-run"], []):
        message = fail("fit", "data", "--model", "popularity", "--out", "new", *options, cwd=home)
        assert message.startswith("nextreel: Popularity would need about 0.0 GiB of memory")
    assert [path.name for path in home.iterdir()] == ["data"]
