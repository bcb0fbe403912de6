import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks.peers import recommend, scoring
from nextreel.data.dataset import Dataset
from nextreel.errors import DataError
from nextreel.evaluation.model_evaluation import Evaluation
from tests.frames import catalog, interactions

TRAIN = interactions((1, 0, 5, 1), (2, 0, 5, 2), (2, 1, 5, 3), (3, 1, 4, 4))
TEST = interactions((1, 1, 5, 10), (1, 2, 4, 11), (1, 3, 3, 12), (4, 1, 5, 13))
"""Three queries: user 1 twice, then user 4, who has no history. The most popular movies are 0 and 1."""
CONFIG = {"model": "test_peers newest", "options": {}, "k": 2, "seed": 0}
PACKAGES = ("polars",)


def fit(task: recommend.PeerTask) -> recommend.FittedPeer:
    """Fit a trivial peer, which recommends the movies 9 and 8 to everybody."""
    everybody = (
        task.train.select("UserID")
        .unique()
        .join(pl.DataFrame({"rank": [1, 2], "MovieID": [9, 8]}), how="cross")
    )
    return recommend.FittedPeer(lambda queries: recommend.lists_by_user(queries, everybody))


def lists(*rows: tuple[int, int, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["query", "rank", "MovieID"], orient="row")


def evaluate(*rows: tuple[int, int, int]) -> Evaluation:
    return scoring.evaluate_lists(lists(*rows), Dataset.from_frames(TRAIN, catalog(5)), TEST, k=2)


def test_a_peer_gets_the_train_rows_and_only_the_user_and_the_timestamp_of_each_query(
    tmp_path: Path,
) -> None:
    scoring.write_task(tmp_path, CONFIG, TRAIN)
    scoring.write_queries(tmp_path, TEST)
    assert pl.read_parquet(tmp_path / "queries.parquet").rows() == [(0, 1, 10), (1, 1, 11), (2, 4, 13)]
    assert pl.read_csv(tmp_path / "train.csv").rows() == TRAIN.rows()


def test_a_list_of_a_user_is_copied_to_all_queries_of_the_user() -> None:
    queries = pl.DataFrame({"query": [0, 1, 2], "UserID": [7, 8, 7]})
    lists = pl.DataFrame({"UserID": [7, 7], "rank": [1, 2], "MovieID": [5, 3]})
    assert recommend.lists_by_user(queries, lists).rows() == [(0, 1, 5), (0, 2, 3), (2, 1, 5), (2, 2, 3)]


def test_a_peer_reads_its_task_and_writes_its_lists_as_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(recommend.MODULES, "test_peers", __name__)
    scoring.write_task(tmp_path, CONFIG, TRAIN)
    scoring.write_queries(tmp_path, TEST)
    recommend.run_task(tmp_path)
    assert pl.read_parquet(tmp_path / "answers.parquet").rows() == [
        (0, 1, 9),
        (0, 2, 8),
        (1, 1, 9),
        (1, 2, 8),
    ]
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["versions"]["polars"] == pl.__version__


def test_a_peers_lists_are_ranked_as_ours_are() -> None:
    ranks = evaluate((0, 1, 1), (0, 2, 2), (1, 1, 1), (1, 2, 2), (2, 1, 3), (2, 2, 4)).ranks
    assert ranks.tolist() == [1, 2, 0]


def test_a_query_without_a_list_gets_the_list_of_popularity() -> None:
    evaluation = evaluate((0, 1, 2), (1, 1, 2))
    assert evaluation.ranks.tolist() == [0, 1, 2]
    assert evaluation.personal == 2


def test_a_short_list_misses_the_movies_that_are_not_in_it() -> None:
    assert evaluate((0, 2, 1), (1, 1, 4), (2, 1, 4)).ranks.tolist() == [2, 0, 0]


def test_the_metrics_are_means_over_the_queries() -> None:
    metrics = evaluate((0, 1, 1), (1, 2, 2), (2, 1, 3)).metrics
    assert metrics["Recall@2"].mean == pytest.approx(2 / 3)
    assert metrics["NDCG@2"].mean == pytest.approx((1 + 1 / np.log2(3)) / 3)


def test_a_test_row_in_the_train_part_is_counted() -> None:
    train = Dataset.from_frames(pl.concat([TRAIN, TEST[:1]]), catalog(5))
    assert scoring.evaluate_lists(lists((0, 1, 2)), train, TEST, k=2).learned_too == 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(0, 1, 0)], "seen"),
        ([(0, 1, 9)], "outside the catalog"),
        ([(0, 1, 1), (0, 2, 1)], "the same movie twice"),
        ([(0, 1, 1), (0, 1, 2)], "the same rank twice"),
        ([(0, 3, 1)], "ranks 1 to 2"),
        ([(0, 0, 1)], "ranks 1 to 2"),
        ([(3, 1, 1)], "queries 0 to 2"),
    ],
)
def test_lists_that_break_the_protocol_are_an_error(rows: list[tuple[int, int, int]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        evaluate(*rows)


def test_a_missing_environment_is_named_with_the_command_that_builds_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="make peers"):
        scoring.run_peer(tmp_path, {"environment": "nowhere"})
