"""What counts as liked is said once, to `split`: every later command takes it from there."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nextreel.data.splitting.split_directory import read_train_test
from nextreel.prediction.saving import load
from tests.cli.commands import nextreel, succeed


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ratings of at most 3.5, of which none would count as liked by default, split with `--liked-from 3`."""
    home = tmp_path_factory.mktemp("liked")
    generator = np.random.default_rng(0)
    n = 1_500
    ratings = pl.DataFrame(
        {
            "account": [f"u{user}" for user in generator.integers(0, 40, n)],
            "sku": [f"m{movie}" for movie in generator.zipf(1.3, n) % 50],
            "stars": generator.choice([1.0, 2.5, 3.0, 3.5], n),
            "seen": np.sort(generator.integers(1_000_000_000, 1_020_000_000, n)),
        }
    )
    ratings.write_csv(home / "ratings.csv")
    succeed(
        *("split", home / "ratings.csv", home / "parts", "--liked-from", 3),
        *("--columns", "user=account,movie=sku,rating=stars,time=seen"),
    )
    succeed("fit", home / "parts", "--model", "item-knn", "--out", home / "model")
    return home


def read_json(text: str) -> dict[str, object]:
    value: dict[str, object] = json.loads(text)
    return value


def test_the_split_and_the_model_remember_it(home: Path) -> None:
    split = json.loads((home / "parts" / "split.json").read_text())
    assert split["threshold"] == 3
    assert split["data_format"]["scale"]["liked_from"] == 3
    assert read_train_test(home / "parts").train.positive_rating == 3
    assert load(home / "model").dataset.positive_rating == 3
    assert read_json(succeed("check", home / "parts", "--json"))["liked_from"] == 3


def test_the_queries_of_an_evaluation_are_what_is_liked(home: Path) -> None:
    facts = json.loads(succeed("evaluate", home / "model", home / "parts", "--json"))
    test = pl.read_csv(home / "parts" / "test.csv")
    assert facts["queries"] == (test["Rating"] >= 3).sum() > 0
    assert facts["protocol"]["threshold"] == 3


def test_the_queries_of_a_test_part_elsewhere_are_what_the_model_calls_liked(
    home: Path, tmp_path: Path
) -> None:
    (tmp_path / "later.csv").write_bytes((home / "parts" / "test.csv").read_bytes())
    facts = json.loads(succeed("evaluate", home / "model", tmp_path / "later.csv", "--json"))
    assert facts["protocol"]["threshold"] == 3


def test_a_comparison_takes_it_from_the_split(home: Path) -> None:
    facts = json.loads(
        succeed("compare", home / "parts", "--models", "popularity", "--history", "live", "--json")
    )
    assert facts["protocol"]["threshold"] == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ("audit", "--json"),
        ("tune", "--model", "item-knn", "--trials", 2),
        ("backtest", "--model", "popularity", "--every", "60d"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_nothing_would_be_liked_by_default_but_every_command_finds_something(
    home: Path, tmp_path: Path, arguments: tuple[object, ...]
) -> None:
    command, *options = arguments
    out = ("--out", tmp_path / "out") if command in ("tune", "backtest") else ()
    done = nextreel(command, home / "parts", *options, *out)
    assert done.returncode == 0, done.stderr


def test_leave_one_out_counts_every_rating(home: Path, tmp_path: Path) -> None:
    succeed(
        *("split", home / "ratings.csv", tmp_path / "parts", "--rule", "leave-one-out", "--liked-from", 3),
        *("--columns", "user=account,movie=sku,rating=stars,time=seen"),
    )
    facts = json.loads((tmp_path / "parts" / "split.json").read_text())
    assert facts["test"]["rows"] == facts["test"]["positives"] == facts["test"]["users"] == 40
    assert facts["data_format"]["scale"]["liked_from"] == 3


def test_leave_one_out_counts_every_weight(tmp_path: Path) -> None:
    rows = "".join(f"{user},{movie},{movie - 3},{movie + 1}\n" for user in range(5) for movie in range(4))
    (tmp_path / "plays.csv").write_text("user,item,rating,time\n" + rows)
    succeed("split", tmp_path / "plays.csv", tmp_path / "parts", "--rule", "leave-one-out", "--liked-from", 0)
    facts = json.loads((tmp_path / "parts" / "split.json").read_text())
    assert (facts["train"]["rows"], facts["test"]["rows"], facts["test"]["positives"]) == (15, 5, 5)
