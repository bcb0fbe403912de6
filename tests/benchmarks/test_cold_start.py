from pathlib import Path
from typing import Any

import polars as pl
import pytest

from benchmarks import new_movies, new_users
from nextreel.data.schema import MOVIES
from nextreel.testing.conformance import tiny_dataset


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Directory with the tiny data set as files."""
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


def test_an_empty_history_gets_the_list_of_popularity(data: Path) -> None:
    models = new_users_part(data, history=0)["models"]
    assert models["item-knn"] == models["popularity"]


def test_each_new_user_has_a_limited_number_of_queries(data: Path) -> None:
    part = new_users_part(data, history=1)
    assert part["users"] < part["queries"] <= 2 * part["users"]


def test_held_out_movies_are_listed_only_as_cold_start_movies(data: Path) -> None:
    config = {
        "split": {"rule": "clean", "positives": 2},
        "model": "ease",
        "newcomers": {"neighbours": 3},
        "share": 0.3,
        "at_least": 3,
        "seeds": [0, 1],
    }
    result = new_movies.measure(config, data)
    held_out = result["whole_catalog"]["held_out"]
    assert held_out["queries"] == result["queries_of_held_out"] > 0
    assert held_out["without_newcomers"]["Recall@10"]["mean"] == 0
    assert len(result["exposure"]) == 2
