"""Output in encodings that lack characters of titles and tables: question marks and ASCII lines, never a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from nextreel.cli import app
from tests.cli.commands import make_environment, nextreel, succeed

TITLE = "千と千尋 — Amélie — Łódź (2001)"
ENCODINGS = ["cp1252", "latin-1", "ascii", "cp437"]
COMMAND_NAMES = [command.callback.__name__ for command in app.registered_commands if command.callback]
COMMANDS = [
    ["check", "data"],
    ["recommend", "model", "--user", "3"],
    ["recommend", "model", "--user", "3", "--json"],
    ["evaluate", "model", "parts"],
    ["compare", "parts", "--models", "Łódź=popularity", "--history", "live"],
    ["recommend", "nothing—here", "--user", "3"],
    ["fit", "data", "--model", "千"],
    ["serve", "--help"],
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data whose titles have characters that most encodings lack, and a model fitted on it."""
    home = tmp_path_factory.mktemp("home")
    succeed("sample", "data", "--users", 60, "--movies", 90, "--ratings", 1800, cwd=home)
    movies = pl.read_csv(home / "data" / "movies.csv")
    movies.with_columns(Title=pl.lit(TITLE)).write_csv(home / "data" / "movies.csv")
    succeed("split", "data", "parts", cwd=home)
    succeed("fit", "parts", "--out", "model", "--model", "popularity", cwd=home)
    return home


def run(home: Path, arguments: list[str], **variables: str) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-m", "nextreel", *arguments]
    environment = make_environment(**variables)
    return subprocess.run(command, cwd=home, env=environment, capture_output=True, check=False)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_no_command_ends_in_a_traceback(home: Path, arguments: list[str], encoding: str) -> None:
    done = nextreel(*arguments, cwd=home, encoding=encoding)
    assert "Traceback" not in done.stderr
    assert done.returncode == (1 if arguments[1] == "nothing—here" or "千" in arguments else 0), done.stderr


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_tables_are_drawn_with_ascii_characters(home: Path, encoding: str) -> None:
    printed = nextreel("recommend", "model", "--user", 3, cwd=home, encoding=encoding).stdout
    assert "+----" in printed
    assert "?? " not in printed.splitlines()[1]


@pytest.mark.parametrize(
    ("encoding", "title"),
    [
        ("cp1252", "???? — Amélie — ?ód? (2001)"),
        ("latin-1", "???? ? Amélie ? ?ód? (2001)"),
        ("ascii", "???? ? Am?lie ? ??d? (2001)"),
        ("utf-8", TITLE),
    ],
)
def test_a_character_that_the_encoding_lacks_is_replaced(home: Path, encoding: str, title: str) -> None:
    printed = run(home, ["recommend", "model", "--user", "3"], PYTHONIOENCODING=encoding).stdout.decode(
        encoding
    )
    assert title in printed


def test_the_locale_c_without_utf_8_works(home: Path) -> None:
    done = run(
        home, ["recommend", "model", "--user", "3"], LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0"
    )
    assert done.returncode == 0, done.stderr
    assert b"????" in done.stdout


def test_bars_of_a_profile_are_ascii_where_blocks_are_missing(home: Path) -> None:
    printed = run(home, ["check", "data"], PYTHONIOENCODING="latin-1").stdout.decode("latin-1")
    assert "####" in printed


def test_a_path_that_is_not_utf_8_is_printed_with_a_question_mark(tmp_path: Path) -> None:
    done = run(tmp_path, ["check", os.fsdecode(b"caf\xe9")])
    assert done.stderr == b"nextreel: caf?: no such file or directory\n"


def test_the_help_of_every_command_is_ascii() -> None:
    for command in COMMAND_NAMES:
        assert succeed(command, "--help").isascii(), command
