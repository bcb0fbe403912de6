from pathlib import Path
from typing import Any

import polars as pl
import pytest

from benchmarks import new_movies, new_users
from nextreel.data.schema import MOVIES
from nextreel.testing.conformance import tiny_dataset


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The tiny dataset as files."""
    dataset = tiny_dataset()
    dataset.interactions().write_csv(tmp_path / "ratings_train.csv")
    movies = dataset.movies.with_columns(pl.col("Genres").list.join("|")).select(MOVIES.schema.names())
    movies.write_csv(tmp_path / "movies.csv")
    return tmp_path


def new_users_part(data: Path, history: int) -> dict[str, Any]:
    config = {
        "share": 0.5,
        "seed": 0,
        "histories": [history],
        "positives": 2,
        "models": {"popularity": {}, "item-knn": {}},
    }
    part: dict[str, Any] = new_users.measure(config, data)["parts"][0]
    return part


def test_popularity_is_no_better_than_itself(data: Path) -> None:
    difference = new_users_part(data, history=3)["models"]["popularity"]["above_popularity"]["NDCG@10"]
    assert difference == {"mean": 0, "low": 0, "high": 0}


def test_an_empty_history_is_answered_by_popularity(data: Path) -> None:
    models = new_users_part(data, history=0)["models"]
    assert models["item-knn"] == models["popularity"]


def test_each_new_user_is_asked_for_a_few_positives(data: Path) -> None:
    part = new_users_part(data, history=1)
    assert part["users"] < part["queries"] <= 2 * part["users"]


def test_movies_held_out_are_never_listed_without_newcomers(data: Path) -> None:
    config = {
        "split": {"rule": "clean", "positives": 2},
        "model": "ease",
        "newcomers": {"neighbours": 3},
        "share": 0.3,
        "at_least": 3,
        "seeds": [0, 1],
    }
    found = new_movies.measure(config, data)
    held_out = found["whole_catalog"]["held_out"]
    assert held_out["queries"] == found["queries_of_held_out"] > 0
    assert held_out["without_newcomers"]["Recall@10"]["mean"] == 0
    assert len(found["exposure"]) == 2
