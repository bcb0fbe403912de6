from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nextreel.data.dataset import Dataset
from nextreel.data.sources.synthetic_data import make_sample, write_sample
from nextreel.data.splitting.split_directory import read_train_test, write_split
from nextreel.data.splitting.split_rules import SplitRule
from nextreel.errors import ConfigError, DataError
from nextreel.evaluation.comparison.contestants import ContestantRun, parse_contestants, run_contestant
from nextreel.evaluation.comparison.external_lists import read_external_lists
from nextreel.evaluation.comparison.leaderboard import compare_models
from nextreel.evaluation.protocol import EvaluationQueries
from nextreel.models.registry import create_model
from nextreel.models.training.epochs import Epoch, Training, write_epochs
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import save
from tests import warm_python
from tests.frames import catalog, interactions

TRAIN = Dataset.from_frames(interactions((1, 0, 5, 1), (2, 0, 5, 2), (2, 1, 5, 3), (3, 1, 4, 4)), catalog(6))
TEST = interactions((1, 1, 5, 10), (1, 2, 4, 11), (1, 3, 3, 12), (4, 1, 5, 13))
"""Three queries: user 1 twice, then user 4. The most popular movies are 0 and 1."""


def read(
    file: Path, *rows: tuple[int, ...], k: int = 2, exclude_seen: bool = True
) -> tuple[list[list[int]], int]:
    names = ["UserID", "Timestamp", *(f"MovieID{place}" for place in range(1, len(rows[0]) - 1))]
    pl.DataFrame(rows, schema=names, orient="row").write_csv(file)
    lists, n_in_file = read_external_lists(
        file, EvaluationQueries.from_split(TRAIN, TEST, "frozen"), k, exclude_seen
    )
    return lists.tolist(), n_in_file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "theirs.csv"


def test_each_query_gets_the_row_of_its_user_and_timestamp(file: Path) -> None:
    lists, n_in_file = read(file, (4, 13, 3, 2), (1, 11, 4, 5), (1, 10, 5, 4), (9, 9, 0, 1))
    assert (lists, n_in_file) == ([[5, 4], [4, 5], [3, 2]], 3)


def test_a_query_without_a_row_is_ranked_by_popularity(file: Path) -> None:
    lists, n_in_file = read(file, (1, 10, 5, 4))
    assert (lists, n_in_file) == ([[5, 4], [1, 2], [0, 1]], 1)


def test_longer_lists_are_cut(file: Path) -> None:
    assert read(file, (1, 10, 5, 4, 3), (1, 11, 5, 4, 3), (4, 13, 5, 4, 3))[0] == [[5, 4]] * 3


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((1, 10, 5, 9), "theirs.csv, column MovieID2: movie 9 is outside the catalog (user 1 at 10)"),
        ((1, 10, 4, 4), "theirs.csv, column MovieID1: movie 4 stands twice in one list (user 1 at 10)"),
        (
            (1, 10, 5, 0),
            "theirs.csv, column MovieID2: movie 0 is in the user's history already (user 1 at 10)",
        ),
        (
            (1, 10, 5),
            "theirs.csv, line 1, column MovieID2: missing; the header has UserID, Timestamp, MovieID1",
        ),
    ],
)
def test_a_list_with_a_movie_that_is_not_allowed_is_refused(
    file: Path, row: tuple[int, ...], message: str
) -> None:
    with pytest.raises(DataError) as caught:
        read(file, row)
    assert message in str(caught.value)


def test_seen_movies_may_stand_where_they_are_not_excluded(file: Path) -> None:
    assert read(file, (1, 10, 5, 0), (1, 11, 0, 5), (4, 13, 1, 2), exclude_seen=False)[1] == 3


def test_two_different_lists_for_one_query_are_refused(file: Path) -> None:
    with pytest.raises(DataError, match=r"theirs\.csv has two different lists for user 1 at 10"):
        read(file, (1, 10, 5, 4), (1, 10, 4, 5))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    write_sample(make_sample(users=80, movies=80, ratings=2400), home / "data")
    write_split(home / "data", home / "parts", SplitRule.for_rule("clean"))
    parts = read_train_test(home / "parts")
    predictor = Predictor(create_model("item-knn").fit(parts.train), parts.train)
    save(predictor, home / "saved", {"fit": {"fit_seconds": 1.25}})
    lists = EvaluationQueries.from_split(parts.train, parts.test, "frozen").rank_with(predictor.model, 10)
    columns = {f"MovieID{n + 1}": parts.train.movie_ids[lists.movies[:, n]] for n in range(10)}
    queries = EvaluationQueries.from_split(parts.train, parts.test, "frozen").rows.select(
        "UserID", "Timestamp"
    )
    queries.with_columns(**columns).write_parquet(home / "lists.parquet")
    return home


def run(home: Path, model: str) -> ContestantRun:
    (contestant,) = parse_contestants([model], {})
    return run_contestant(contestant, read_train_test(home / "data"), ["frozen"], 10)


def test_a_saved_model_and_a_file_of_its_lists_give_the_same_lists_as_the_model(home: Path) -> None:
    fitted = run(home, "item-knn").lists["frozen"].movies
    saved = run(home, f"mine={home / 'saved'}")
    file = run(home, f"theirs={home / 'lists.parquet'}")
    np.testing.assert_array_equal(saved.lists["frozen"].movies, fitted)
    np.testing.assert_array_equal(file.lists["frozen"].movies, fitted)
    assert (saved.model, saved.fit_seconds, saved.peak_memory_gib) == ("item-knn", 1.25, None)
    assert (file.model, file.fit_seconds, file.lists["frozen"].seconds) == ("lists.parquet", None, None)


def test_all_three_kinds_stand_in_one_leaderboard(home: Path) -> None:
    warm_python.fork_processes()
    models = ["item-knn", f"mine={home / 'saved'}", f"theirs={home / 'lists.parquet'}"]
    board = compare_models(home / "parts", parse_contestants(models, {}), None, ["frozen"], [10])
    facts: Any = board.facts()
    figures = [model["histories"]["frozen"]["metrics"]["NDCG@10"] for model in facts["models"]]
    assert figures[0] == figures[1] == figures[2]
    assert facts["models"][2]["histories"]["frozen"]["queries_per_second"] is None


def test_a_saved_model_of_other_interactions_is_refused(home: Path) -> None:
    (contestant,) = parse_contestants([f"mine={home / 'saved'}"], {})
    with pytest.raises(ConfigError, match="fitted on other interactions than the train part"):
        run_contestant(contestant, read_train_test(home / "data", "global"), ["frozen"], 10)


def test_a_saved_model_takes_no_options(home: Path) -> None:
    with pytest.raises(ConfigError, match="fitted already: it takes no options"):
        parse_contestants([f"mine={home / 'saved'}"], {"mine.regularization": 5})


def test_a_run_has_the_epochs_of_the_fit_for_a_fitted_and_for_a_saved_model(
    home: Path, tmp_path: Path
) -> None:
    parts, epochs = read_train_test(home / "parts"), list[Epoch]()
    model = create_model("funk-svd", {"epochs": 2, "dimensions": 4})
    model.fit(parts.train, Training(on_epoch=epochs.append))
    save(Predictor(model, parts.train), tmp_path / "saved", {"fit": {}}, partial(write_epochs, epochs))
    (fitted,) = parse_contestants(["funk-svd"], {"funk-svd.epochs": 2, "funk-svd.dimensions": 4})
    run_epochs = run_contestant(fitted, parts, ["frozen"], 10).epochs
    assert [(epoch.number, epoch.train_loss) for epoch in run_epochs] == [
        (epoch.number, epoch.train_loss) for epoch in epochs
    ]
    (saved,) = parse_contestants([f"mine={tmp_path / 'saved'}"], {})
    assert run_contestant(saved, parts, ["frozen"], 10).epochs == epochs
