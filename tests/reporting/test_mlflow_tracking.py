import json
import sys
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from nextreel import __version__
from nextreel.data.sources.synthetic_data import make_sample, write_sample
from nextreel.errors import DataError, MissingExtraError, NextreelError
from nextreel.evaluation.comparison.contestants import Contestant
from nextreel.evaluation.comparison.leaderboard import Leaderboard, compare_models
from nextreel.models.popularity import Popularity, PopularityConfig
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import save
from nextreel.reporting.mlflow_tracking import log_evaluation, log_fit, log_leaderboard, tracked
from nextreel.testing import tiny_dataset
from tests import warm_python

EPOCHS = [
    {"number": 1, "train_loss": 0.9, "validation_loss": 1.1, "seconds": 2.0, "validation_ndcg": 0.11},
    {"number": 2, "train_loss": 0.8, "validation_loss": None, "seconds": 2.0, "validation_ndcg": None},
]
EVALUATION: dict[str, Any] = {
    "model": "popularity",
    "config": {"window_days": 9.0},
    "fitted_on": {"sha256": "5bd1"},
    "nextreel": __version__,
    "protocol": {"history": "live", "k": 10},
    "split": {"rule": "clean"},
    "test": {"file": "test.csv", "sha256": "77aa"},
    "metrics": {"NDCG@10": {"mean": 0.2, "low": 0.1, "high": 0.3}},
}


@pytest.fixture(autouse=True)
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """A client of a file store, which is ready at once; a database would take half a minute."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file://{tmp_path}/store")
    return MlflowClient(f"file://{tmp_path}/store")


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Leaderboard:
    warm_python.fork_processes()
    home = tmp_path_factory.mktemp("home")
    write_sample(make_sample(users=60, movies=80, ratings=1600), home)
    return compare_models(
        home, [Contestant("newest", "popularity", {"window_days": 5})], None, ["live"], [10]
    )


def runs(client: MlflowClient) -> list[Run]:
    return list(client.search_runs([experiment.experiment_id for experiment in client.search_experiments()]))


def only_run(client: MlflowClient) -> Run:
    [run] = runs(client)
    return run


def artifacts(client: MlflowClient, run: Run) -> list[str]:
    return [file.path for file in client.list_artifacts(run.info.run_id)]


def fit_model(directory: Path) -> Path:
    def add_curve(target: Path) -> None:
        (target / "history.json").write_text(json.dumps(EPOCHS))
        (target / "loss.svg").write_text("<svg/>")

    dataset = tiny_dataset()
    predictor = Predictor(Popularity(PopularityConfig(window_days=9)).fit(dataset), dataset)
    fit = {"fit_seconds": 4.5, "best_epoch": 1, "validation_ndcg": 0.11}
    save(predictor, directory / "model", {"fit": fit, "split": {"rule": "clean"}}, add_curve)
    return directory / "model"


def test_a_fit_is_logged_with_its_options_data_and_split(client: MlflowClient, tmp_path: Path) -> None:
    with tracked("fit popularity"):
        log_fit(fit_model(tmp_path))
    run = only_run(client)
    assert (run.info.run_name, run.info.status) == ("fit popularity", "FINISHED")
    assert run.data.params == {"model": "popularity", "window_days": "9.0"}
    assert run.data.tags["nextreel"] == __version__
    assert run.data.tags["data_sha256"] == tiny_dataset().fingerprint
    assert json.loads(run.data.tags["split"]) == {"rule": "clean"}


def test_each_epoch_is_a_step_and_the_best_epoch_has_its_own_metrics(
    client: MlflowClient, tmp_path: Path
) -> None:
    with tracked("fit"):
        log_fit(fit_model(tmp_path))
    run = only_run(client)

    def curve(name: str) -> list[tuple[int, float]]:
        return [(metric.step, metric.value) for metric in client.get_metric_history(run.info.run_id, name)]

    assert curve("train_loss") == [(1, 0.9), (2, 0.8)]
    assert curve("validation_loss") == [(1, 1.1)]
    assert curve("validation_ndcg") == [(1, 0.11)]
    metrics = {name: run.data.metrics[name] for name in ("fit_seconds", "best_epoch", "best_validation_ndcg")}
    assert metrics == {"fit_seconds": 4.5, "best_epoch": 1, "best_validation_ndcg": 0.11}


def test_the_loss_curve_and_the_manifest_are_artifacts_but_not_the_weights(
    client: MlflowClient, tmp_path: Path
) -> None:
    with tracked("fit"):
        log_fit(fit_model(tmp_path))
    assert artifacts(client, only_run(client)) == ["history.json", "loss.svg", "manifest.json"]


def test_an_evaluation_is_logged_with_its_interval_and_protocol(client: MlflowClient) -> None:
    with tracked("evaluate"):
        log_evaluation(EVALUATION)
    run = only_run(client)
    assert run.data.metrics == {
        "live/NDCG_at_10": 0.2,
        "live/NDCG_at_10_low": 0.1,
        "live/NDCG_at_10_high": 0.3,
    }
    assert run.data.params == {"model": "popularity", "window_days": "9.0"}
    assert json.loads(run.data.tags["protocol"]) == EVALUATION["protocol"]
    assert (run.data.tags["data_sha256"], run.data.tags["test_sha256"]) == ("5bd1", "77aa")
    assert artifacts(client, run) == ["evaluation_live.json"]


def test_an_evaluation_is_added_to_the_run_that_the_environment_names(
    client: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tracked("fit"):
        log_fit(fit_model(tmp_path))
    monkeypatch.setenv("MLFLOW_RUN_ID", only_run(client).info.run_id)
    with tracked("evaluate"):
        log_evaluation(EVALUATION)
    assert {"live/NDCG_at_10", "train_loss"} <= only_run(client).data.metrics.keys()


def test_a_leaderboard_is_a_run_with_a_nested_run_for_each_model(
    client: MlflowClient, board: Leaderboard
) -> None:
    with tracked("compare"):
        log_leaderboard(board)
    parent, model = sorted(runs(client), key=lambda run: "mlflow.parentRunId" in run.data.tags)
    assert artifacts(client, parent) == ["leaderboard.json"]
    assert model.info.run_name == "newest"
    assert model.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert model.data.params == {"model": "popularity", "window_days": "5.0"}
    expected = board.figures["live"]["newest"].metrics["NDCG@10"]
    logged = [model.data.metrics[f"live/NDCG_at_10{end}"] for end in ("", "_low", "_high")]
    assert logged == [expected.mean, expected.low, expected.high]
    assert {"fit_seconds", "peak_memory_gib", "live/queries_per_second"} <= model.data.metrics.keys()
    for run in (parent, model):
        assert run.data.tags["data_sha256"] == board.parts.train.fingerprint
        assert json.loads(run.data.tags["split"])["rule"] == "clean"
        assert json.loads(run.data.tags["protocol"])["main"] == "NDCG@10"


def test_a_run_whose_block_raises_is_logged_as_failed(client: MlflowClient) -> None:
    with pytest.raises(DataError, match="no rating"), tracked("fit"):
        raise DataError("no rating")
    assert only_run(client).info.status == "FAILED"


def test_nothing_is_logged_unless_wanted(client: MlflowClient) -> None:
    with tracked("fit", wanted=False):
        pass
    assert runs(client) == []


def test_an_unreachable_server_is_a_nextreel_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(NextreelError, match=r"MLflow: .*127\.0\.0\.1"), tracked("fit"):
        pass


def test_a_missing_extra_is_an_error_that_names_the_install_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(MissingExtraError, match=r"pip install '\.\[mlflow\]'"), tracked("fit"):
        pass
