"""No output replaces other work in silence: a sentence and nothing written, unless `--force` is given."""

import json
from pathlib import Path

import pytest

from tests.cli.commands import fail, succeed


@pytest.fixture
def home(tmp_path: Path) -> Path:
    succeed("sample", "data", "--users", 60, "--movies", 90, "--ratings", 1800, cwd=tmp_path)
    return tmp_path


def read_manifest(home: Path) -> dict[str, object]:
    return dict(json.loads((home / "model" / "manifest.json").read_text()))


def fit(*more: object) -> tuple[object, ...]:
    return "fit", "data", "--model", "popularity", *more


def test_the_same_model_on_the_same_data_may_be_fitted_again(home: Path) -> None:
    succeed(*fit(), cwd=home)
    succeed(*fit("--set", "window_days=30"), cwd=home)
    assert read_manifest(home)["config"] == {"window_days": 30.0}


def test_another_model_is_replaced_only_by_force(home: Path) -> None:
    succeed(*fit(), cwd=home)
    before = read_manifest(home)
    message = fail("fit", "data", "--model", "item-knn", cwd=home)
    assert message.startswith("nextreel: model holds a model popularity (until 20")
    assert "nothing was written: name another directory with --out, or replace it with --force" in message
    assert read_manifest(home) == before
    succeed("fit", "data", "--model", "item-knn", "--force", cwd=home)
    assert read_manifest(home)["model"] == "item-knn"


def test_a_model_of_other_data_is_replaced_only_by_force(home: Path) -> None:
    succeed(*fit(), cwd=home)
    before = read_manifest(home)
    succeed("sample", "data", "--users", 61, "--movies", 90, "--ratings", 1800, "--force", cwd=home)
    assert "model holds popularity, fitted on other data" in fail(*fit(), cwd=home)
    assert read_manifest(home) == before
    succeed(*fit("--force"), cwd=home)


def test_a_damaged_model_is_replaced_only_by_force(home: Path) -> None:
    succeed(*fit(), cwd=home)
    (home / "model" / "manifest.json").write_text("{")
    assert "is damaged" in fail(*fit(), cwd=home)
    succeed(*fit("--force"), cwd=home)


def test_a_directory_of_something_else_is_not_replaced_even_by_force(home: Path) -> None:
    assert "data exists and isn't a saved model" in fail(*fit("--out", "data", "--force"), cwd=home)


def test_the_same_split_may_be_written_again(home: Path) -> None:
    assert succeed("split", "data", "parts", cwd=home) == succeed("split", "data", "parts", cwd=home)


@pytest.mark.parametrize("change", ["rule", "positives", "data"])
def test_another_split_is_replaced_only_by_force(home: Path, change: str) -> None:
    succeed("split", "data", "parts", cwd=home)
    before = {file.name: file.read_bytes() for file in (home / "parts").iterdir()}
    options = {"rule": ("--rule", "course"), "positives": ("--positives", 4), "data": ()}[change]
    if change == "data":
        succeed("sample", "data", "--users", 61, "--movies", 90, "--ratings", 1800, "--force", cwd=home)
    message = fail("split", "data", "parts", *options, cwd=home)
    assert message == (
        "nextreel: parts holds another split, by the rule clean; nothing was written: name another directory, or "
        "replace it with --force\n"
    )
    assert {file.name: file.read_bytes() for file in (home / "parts").iterdir()} == before
    succeed("split", "data", "parts", *options, "--force", cwd=home)


def test_a_damaged_split_is_replaced_only_by_force(home: Path) -> None:
    succeed("split", "data", "parts", cwd=home)
    (home / "parts" / "split.json").write_text("[]")
    assert "parts holds a damaged split.json; nothing was written" in fail("split", "data", "parts", cwd=home)
    succeed("split", "data", "parts", "--force", cwd=home)


def test_another_sample_is_replaced_only_by_force(home: Path) -> None:
    size = ("--users", 60, "--movies", 90, "--ratings", 1800)
    succeed("sample", "data", *size, cwd=home)
    before = (home / "data" / "ratings_train.csv").read_bytes()
    assert "data holds another sample" in fail("sample", "data", *size, "--seed", 1, cwd=home)
    assert (home / "data" / "ratings_train.csv").read_bytes() == before
    succeed("sample", "data", *size, "--seed", 1, "--force", cwd=home)


def test_a_report_replaces_a_report_but_no_other_file(home: Path) -> None:
    arguments = ("compare", "data", "--models", "popularity", "--history", "live", "--report", "report.html")
    (home / "report.html").write_text("<!doctype html><title>My page</title>")
    assert "report.html exists and isn't a report of nextreel's; nothing was written" in fail(
        *arguments, cwd=home
    )
    assert "My page" in (home / "report.html").read_text()
    succeed(*arguments, "--force", cwd=home)
    succeed(*arguments, cwd=home)


def test_quarantined_rows_and_clean_tables_replace_nothing_without_force(home: Path) -> None:
    arguments = ("check", "data", "--quarantine", "bad.csv", "--clean", "clean")
    (home / "bad.csv").write_text("my notes")
    assert "bad.csv exists already; nothing was written" in fail(*arguments, cwd=home)
    (home / "bad.csv").unlink()
    succeed(*arguments, cwd=home)
    (home / "bad.csv").unlink()
    assert "clean exists and isn't empty; nothing was written" in fail(*arguments, cwd=home)
    succeed(*arguments, "--force", cwd=home)


def test_a_demo_on_other_data_replaces_an_earlier_one_only_by_force(home: Path) -> None:
    succeed("sample", "more", "--users", 70, "--movies", 90, "--ratings", 2100, cwd=home)
    succeed("demo", "--data", "data", cwd=home)
    assert "demo/split holds another split" in fail("demo", "--data", "more", cwd=home)
    succeed("demo", "--data", "more", "--force", cwd=home)
