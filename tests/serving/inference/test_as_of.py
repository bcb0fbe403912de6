"""The server's lists are those of Predictor with the same saved model, and no later interaction changes them."""

from pathlib import Path

import numpy as np
import polars as pl

from nextreel.data.dataset import Dataset
from nextreel.data.reading.table_reader import read_dataset
from nextreel.data.schema import MOVIE_ID
from nextreel.data.sources.movielens import convert
from nextreel.models.sequential_ridge import SequentialRidge, SequentialRidgeConfig
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import load, save
from tests.serving.servers import Server, serving


def draw_queries(dataset: Dataset, count: int) -> pl.DataFrame:
    """Draw queries of users at the time of one of their ratings, or some time before or after."""
    random = np.random.default_rng(0)
    row = random.integers(0, len(dataset.timeline), count)
    timestamps = dataset.timeline.timestamps[row] + random.choice([-86_400, 0, 1, 30 * 86_400], count)
    return pl.DataFrame({"UserID": dataset.user_ids[dataset.timeline.users[row]], "Timestamp": timestamps})


def online_lists(queries: pl.DataFrame, server: Server) -> list[list[tuple[int, float]]]:
    batch = [{"user_id": user, "timestamp": timestamp} for user, timestamp in queries.iter_rows()]
    results = server.ok("POST", "/v1/recommendations/batch", json={"queries": batch})["answers"]
    return [[(movie["movie_id"], movie["score"]) for movie in result["movies"]] for result in results]


def offline_lists(queries: pl.DataFrame, predictor: Predictor) -> list[list[tuple[int, float]]]:
    rows = list(predictor.recommend(queries).select(MOVIE_ID, "Score").iter_rows())
    return [rows[start : start + 10] for start in range(0, len(rows), 10)]


def check_that_lists_stay(model: Path, store_url: str, count: int) -> None:
    predictor = load(model)
    queries = draw_queries(predictor.dataset, count)
    expected = offline_lists(queries, predictor)
    with serving(model, store_url) as server:
        assert online_lists(queries, server) == expected
        user, timestamp = queries.row(0)
        link = server.ok("GET", f"/v1/users/{user}/recommendations?at={timestamp}")
        assert [movie["movie_id"] for movie in link["movies"]] == [movie for movie, _ in expected[0]]

        latest, movie = max(queries["Timestamp"].to_list()), int(predictor.dataset.movie_ids[0])
        future = [
            {"user_id": user, "movie_id": movie, "rating": 5, "timestamp": latest + later}
            for user in queries["UserID"].unique().to_list()
            for later in (0, 1_000)
        ]
        for start in range(0, len(future), 1_000):
            rows = future[start : start + 1_000]
            server.ok("POST", "/v1/interactions/batch", json={"interactions": rows})
        assert online_lists(queries, server) == expected

        before = server.recommend(user, latest + 2_000)
        server.rate(user, before["movies"][0]["movie_id"], 5, latest + 1_500)
        after = server.recommend(user, latest + 2_000)
        assert after["history_length"] == before["history_length"] + 1
        assert before["movies"][0]["movie_id"] not in [movie["movie_id"] for movie in after["movies"]]


def test_of_a_sample(model: Path, store_url: str) -> None:
    check_that_lists_stay(model, store_url, 300)


def test_of_movielens_100k(movielens_100k: Path, tmp_path: Path) -> None:
    convert(movielens_100k, tmp_path / "data")
    dataset = read_dataset(tmp_path / "data")
    options = SequentialRidgeConfig(most_movies=1_200, dimensions=32, hidden=64, rank=64)
    save(Predictor(SequentialRidge(options).fit(dataset), dataset), tmp_path / "model")
    check_that_lists_stay(tmp_path / "model", f"sqlite:///{tmp_path}/nextreel.db", 1_000)
