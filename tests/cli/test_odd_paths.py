"""Names of directories and files that look like patterns, or like a home directory, are only names, in every command."""

from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from nextreel.cli import app

NAME = "~/data* d[x] a?b {a,b} 50%25"


def run(*arguments: object) -> None:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.exception or result.output


def test_every_command_takes_such_a_name_literally(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    home = Path(NAME)
    data, parts, model, queries = home / "data", home / "parts", home / "model", home / "queries.parquet"
    run("sample", data, "--users", 60, "--movies", 90, "--ratings", 1800)
    run("check", data, "--quarantine", home / "bad.csv", "--clean", home / "clean")
    run("split", data, parts)
    run("fit", parts, "--model", "popularity", "--out", model)
    run("evaluate", model, parts, "--save", "--json-file", home / "figures.json")
    run("recommend", model, "--user", 1)
    run("recommend", model, "--queries", parts / "test.csv", "--out", home / "lists.parquet")
    with queries.open("wb") as file:
        pl.DataFrame({"UserID": [1, 2]}).write_parquet(file)
    run("recommend", model, "--queries", queries, "--at", "now", "--out", home / "lists.csv")
    run("audit", data)
    run("tune", parts, "--model", "ease", "--trials", 2, "--out", home / "tuning")
    run("fit", parts, "--config", home / "tuning" / "best.toml", "--out", home / "tuned")
    for _ in range(2):  # the second one resumes
        run("backtest", data, "--model", "popularity", "--out", home / "backtest")
    run("models", "add", home / "versions", model, "--name", "a")
    run("models", "promote", home / "versions", "a")
    assert len((home / "lists.csv").read_text().splitlines()) == 3
    assert (home / "lists.parquet").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["~"]


def test_a_pattern_may_be_in_a_directory_whose_name_looks_like_one(tmp_path: Path) -> None:
    (tmp_path / "d[x]").mkdir()
    for number in (1, 2):
        rows = f"UserID,MovieID,Rating,Timestamp\n{number},7,4,90000000{number}\n"
        (tmp_path / "d[x]" / f"part-{number}.csv").write_text(rows)
    run("check", tmp_path / "d[x]" / "part-*.csv")
