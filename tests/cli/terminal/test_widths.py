"""Tables in terminals of 60 and 80 columns: names are there, and nothing is wider than the screen.

Commands that continue what they wrote before have one --out for both widths, so that only the first one computes.
"""

from pathlib import Path

import pytest

from nextreel.models.registry import DEFAULT_MODEL
from nextreel.serving.storage.model_versions import VersionDirectory
from tests.cli.commands import succeed
from tests.cli.terminal.pseudo_terminal import show

pytestmark = pytest.mark.parametrize("columns", [60, 80])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a small sample, its split and a model fitted on it."""
    home = tmp_path_factory.mktemp("home")
    succeed("sample", "data", "--users", 60, "--movies", 90, "--ratings", 1800, cwd=home)
    succeed("split", "data", "parts", cwd=home)
    succeed("fit", "parts", "--out", "model", cwd=home)
    return home


def show_table(home: Path, columns: int, *arguments: object) -> str:
    shown = show(*arguments, columns=columns, cwd=home)
    too_wide = [line for line in shown.splitlines() if "nextreel" not in line and len(line) > columns]
    assert not too_wide
    return shown


def has_whole_words(shown: str, *words: str) -> bool:
    return all(any(word in line for line in shown.splitlines()) for word in words)


def test_the_demo_names_both_models(home: Path, columns: int) -> None:
    shown = show_table(home, columns, "demo", "--data", "data", "--out", f"demo-{columns}")
    table = shown.partition("95 % intervals")[2].partition("$ nextreel recommend")[0]
    assert has_whole_words(table, "popularity", DEFAULT_MODEL, "NDCG@10", "Recall@10", "MRR@10")
    assert "…" not in table


def test_evaluate_names_the_model_and_each_metric(home: Path, columns: int) -> None:
    shown = show_table(home, columns, "evaluate", "model", "parts")
    assert has_whole_words(shown, DEFAULT_MODEL, "NDCG@10", "Recall@10", "MRR@10")
    assert "…" not in shown


def test_compare_names_each_model_and_each_figure(home: Path, columns: int) -> None:
    shown = show_table(home, columns, "compare", "parts", "--models", "popularity,item-knn", "--slices")
    assert has_whole_words(shown, "popularity", "item-knn", "NDCG@20", "Queries/s", "Coverage")
    assert "…" not in shown


def test_recommend_shows_every_title_in_full(home: Path, columns: int) -> None:
    shown = show_table(home, columns, "recommend", "model", "--user", 3, "--scores")
    assert has_whole_words(shown, "Movie", "MovieID", "Score", "(19", "(20")
    assert "…" not in shown


def test_backtest_names_both_ways_of_refitting(home: Path, columns: int) -> None:
    options = ("--model", "popularity", "--every", "300d", "--out", "backtest")
    shown = show_table(home, columns, "backtest", "data", *options)
    assert has_whole_words(shown, "2022", "Refitted", "everyone")
    assert "…" not in shown


def test_tune_fits_the_screen(home: Path, columns: int) -> None:
    options = ("--model", "item-knn", "--trials", 2, "--out", "tuned")
    shown = show("tune", "parts", *options, columns=columns, cwd=home)
    assert "NDCG@10 of the defaults" in shown


def test_the_versions_of_a_model_have_their_names(home: Path, columns: int) -> None:
    directory = home / f"versions-{columns}"
    VersionDirectory.create(directory).add(home / "model", "a-version-with-a-long-name")
    shown = show_table(home, columns, "models", "list", directory.name)
    assert has_whole_words(shown, "current", "a-version-with-a-long-name", DEFAULT_MODEL)


def test_check_fits_the_screen(home: Path, columns: int) -> None:
    shown = show_table(home, columns, "check", "data")
    assert "█" in shown
    assert "…" not in shown
