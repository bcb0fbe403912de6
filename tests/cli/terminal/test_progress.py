"""What is shown while a command works: stages and a clock in a terminal, nothing in a pipe."""

import re
from pathlib import Path

import pytest

from tests.cli.commands import succeed
from tests.cli.terminal.pseudo_terminal import show


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    succeed("sample", "data", "--users", 60, "--movies", 90, "--ratings", 1800, cwd=home)
    succeed("split", "data", "parts", cwd=home)
    succeed("fit", "parts", "--out", "model", cwd=home)
    return home


@pytest.mark.parametrize(
    ("arguments", "stage"),
    [
        (
            ["fit", "parts", "--out", "another"],
            r"Fitting sequential-ridge +0:0\d learning from 1,178 interactions",
        ),
        (["evaluate", "model", "parts"], r"Evaluating +0:0\d ranking its queries"),
        (
            ["recommend", "model", "--all-users", "--out", "a.csv"],
            r"Recommending +0:0\d ranking for 60 queries",
        ),
        (["check", "data"], r"Checking +0:0\d reading data"),
        (["compare", "parts", "--models", "popularity"], r"Comparing +0:0\d (reading data|popularity)"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_terminal_shows_the_stage_and_the_time(home: Path, arguments: list[str], stage: str) -> None:
    shown = show(*arguments, columns=100, cwd=home, stderr=True)
    assert re.search(stage, shown), shown


def test_no_bar_is_shown_before_a_part_of_the_work_is_done(home: Path) -> None:
    shown = show("compare", "parts", "--models", "popularity,item-knn", columns=100, cwd=home, stderr=True)
    assert " 0%" not in shown
    assert re.search(r"33%, 0:0\d.* item-knn", shown)


def test_a_pipe_gets_results_only(home: Path) -> None:
    printed = succeed("evaluate", "model", "parts", cwd=home)  # also checks that stderr is empty
    assert "ranking" not in printed
