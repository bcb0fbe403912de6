"""A server of ratings from 1 to 10, of which 7 and more are liked, below a sub-path."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nextreel.data.dataset import Dataset
from nextreel.data.reading.table_reader import read_dataset
from nextreel.models.item_knn import ItemKNN
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import save
from nextreel.serving.storage.store import Store
from tests.cli.commands import fail, succeed
from tests.serving.servers import LATE, Server, serving


def fit(path: Path) -> Dataset:
    random = np.random.default_rng(0)
    rows = [
        (
            user,
            f"m {movie}/x",
            float(random.integers(1, 11)),
            1_600_000_000 + 1000 * int(random.integers(1_000)),
        )
        for user in range(20)
        for movie in random.choice(30, 12, replace=False).tolist()
    ]
    rows.append((1, "m 1/x", 10.0, 5))
    rows.append((1, "m 2/x", 1.0, 6))
    frame = pl.DataFrame(rows, schema=["UserID", "MovieID", "Rating", "Timestamp"], orient="row")
    dataset = Dataset.from_frames(frame, liked_from=7)
    save(Predictor(ItemKNN().fit(dataset), dataset), path)
    return dataset


@pytest.fixture(scope="module")
def rated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    directory = tmp_path_factory.mktemp("rated")
    fit(directory / "model")
    return directory / "model", f"sqlite:///{directory}/nextreel.db"


@pytest.fixture(scope="module")
def api(rated: tuple[Path, str]) -> Iterator[Server]:
    with serving(*rated, "--root-path", "/films") as started:
        yield started


def test_a_rating_lies_on_the_scale(api: Server) -> None:
    row = {"user_id": 900, "movie_id": "m 3/x", "rating": 9.5, "timestamp": LATE}
    assert api.ok("POST", "/v1/interactions", json=row)["rating"] == 9.5
    assert api.ok("GET", "/films/v1/users/900/history")["history"][0]["rating"] == 9.5
    assert api.ok("GET", "/films/v1/users/900")["interactions"][0]["rating"] == 9.5
    for wrong, detail in (
        (0.5, "rating: Input should be greater than or equal to 1"),
        (11, "rating: Input should be less than or equal to 10"),
        (None, "rating: Field required"),
        ("9", "rating: expected a number from 1 to 10"),
        (True, "rating: expected a number from 1 to 10"),
    ):
        problem = api.problem(422, "POST", "/v1/interactions", json={**row, "rating": wrong})
        assert problem["detail"] == detail


def test_an_escaped_slash_works_below_a_sub_path(api: Server) -> None:
    for address in ("/films/v1/movies/m%201%2Fx", "/v1/movies/m%201%2fx"):
        assert api.ok("GET", address)["movie_id"] == "m 1/x"
        assert api.ok("GET", f"{address}/similar?k=3")["movies"]


def test_the_kinds_of_users_and_movies_may_differ(api: Server) -> None:
    problem = api.problem(422, "POST", "/v1/recommendations", json={"user_id": "1", "exclude": [3]})
    assert [error["field"] for error in problem["errors"]] == ["user_id", "exclude[0]"]
    assert "the ids of users are numbers here" in problem["errors"][0]["detail"]
    assert "the ids of movies are texts here" in problem["errors"][1]["detail"]


def test_the_store_knows_what_is_liked_and_writes_it(
    rated: tuple[Path, str], api: Server, tmp_path: Path
) -> None:
    model, url = rated
    with Store.open(url) as store:
        scale = store.data_format.scale
        assert scale is not None
        assert (scale.lowest, scale.highest, scale.liked_from) == (1, 10, 7)
    succeed("models", "data", model, tmp_path / "out", "--store", url)
    assert read_dataset(tmp_path / "out").scale == scale


def test_a_model_of_stars_is_refused(rated: tuple[Path, str], api: Server, tmp_path: Path) -> None:
    frame = pl.DataFrame(
        [(1, "m 1/x", 4.0, 5)], schema=["UserID", "MovieID", "Rating", "Timestamp"], orient="row"
    )
    dataset = Dataset.from_frames(frame)
    save(Predictor(ItemKNN().fit(dataset), dataset), tmp_path / "stars")
    said = fail("serve", tmp_path / "stars", "--store", rated[1])
    assert "has ratings from 0.5 to 5, but the store" in said
    assert "has ratings from 1 to 10" in said
