"""Titles, paths, options and messages are printed as they are, whatever rich would take them for."""

from pathlib import Path

import polars as pl
import pytest

from tests.cli.commands import fail, succeed
from tests.cli.terminal.pseudo_terminal import show

TITLES = [
    "[/x] Closed (2001)",
    "[bold]Loud[/bold] (2002)",
    "A :heart: (2003)",
    "[link=x]y (2004)",
    "Back\\[slash] (2005)",
]
DIRECTORY = "my [/red] data"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data with titles in brackets, in directories with brackets, and a model fitted on it."""
    home = tmp_path_factory.mktemp("home")
    succeed("sample", DIRECTORY, "--users", 60, "--movies", 90, "--ratings", 1800, cwd=home)
    movies = pl.read_csv(home / DIRECTORY / "movies.csv", glob=False)
    titles = [TITLES[row % len(TITLES)] for row in range(len(movies))]
    movies.with_columns(pl.Series("Title", titles)).write_csv(home / DIRECTORY / "movies.csv")
    assert f"{DIRECTORY} is valid" in succeed("check", DIRECTORY, cwd=home)
    assert "Written to parts[b]." in succeed("split", DIRECTORY, "parts[b]", cwd=home)
    printed = succeed("fit", "parts[b]", "--out", "model[/i]", "--model", "popularity", cwd=home)
    assert "Saved to model[/i]" in printed
    return home


def test_titles_are_printed_as_they_are(home: Path) -> None:
    printed = succeed("recommend", "model[/i]", "--user", 3, "-k", 20, cwd=home)
    assert all(title in printed for title in TITLES)


def test_titles_are_printed_as_they_are_in_a_terminal(home: Path) -> None:
    shown = show("recommend", "model[/i]", "--user", 3, "-k", 20, columns=100, cwd=home)
    assert all(title in shown for title in TITLES)


def test_a_path_with_brackets_is_printed_as_it_is(home: Path) -> None:
    succeed("models", "add", "all[/v]", "model[/i]", "--name", "a", cwd=home)
    assert "all[/v]" in succeed("models", "list", "all[/v]", cwd=home)
    assert "Noted in model[/i]" in succeed("evaluate", "model[/i]", "parts[b]", "--save", cwd=home)


def test_a_contestant_with_brackets_keeps_its_name(home: Path) -> None:
    models = "[/b]=popularity,[red]=item-knn"
    printed = succeed("compare", "parts[b]", "--models", models, "--history", "live", "--k", 5, cwd=home)
    assert "[/b]" in printed
    assert "[red]" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", DIRECTORY, "--model", "[/x]"], "model '[/x]' is unknown"),
        (["fit", DIRECTORY, "--set", "[/x]=1"], "has no option '[/x]'"),
        (["check", "[/x]"], "[/x]: no such file or directory"),
        (["recommend", "[/x]", "--user", "1"], "[/x] isn't a directory"),
        (["recommend", "model[/i]", "--user", "1", "--at", "[/x]"], "'[/x]' is not a time"),
        (["compare", DIRECTORY, "--history", "[/x]"], "'[/x]': expected frozen, live"),
        (["tune", DIRECTORY, "--model", "[/x]"], "model '[/x]' is unknown"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_message_quotes_brackets_as_they_are(home: Path, arguments: list[str], message: str) -> None:
    assert message in fail(*arguments, cwd=home)


def test_control_characters_of_a_title_do_not_reach_the_terminal(home: Path, tmp_path: Path) -> None:
    succeed("sample", tmp_path / "data", "--users", 60, "--movies", 90, "--ratings", 1800)
    movies = pl.read_csv(tmp_path / "data" / "movies.csv")
    movies.with_columns(Title=pl.lit("Red \x1b[31malert\x07 (2001)")).write_csv(
        tmp_path / "data" / "movies.csv"
    )
    succeed("fit", "data", "--model", "popularity", cwd=tmp_path)
    printed = succeed("recommend", "model", "--user", 3, cwd=tmp_path)
    assert "Red ?[31malert? (2001)" in printed
    assert "\x1b" not in printed
