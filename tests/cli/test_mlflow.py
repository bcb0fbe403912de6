from pathlib import Path

import pytest
from mlflow import MlflowClient

from nextreel.data.sources.synthetic_data import make_sample, write_sample
from nextreel.data.splitting.split_directory import write_split
from nextreel.data.splitting.split_rules import SplitRule
from tests.cli.commands import fail, succeed


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file://{tmp_path}/store")
    write_sample(make_sample(users=60, movies=80, ratings=1600), tmp_path / "data")
    write_split(tmp_path / "data", tmp_path / "parts", SplitRule.for_rule("clean"))
    return tmp_path


def test_a_fit_and_its_evaluation_can_be_logged(home: Path) -> None:
    succeed("fit", "parts", "--model", "popularity", "--mlflow", cwd=home)
    succeed("evaluate", "model", "parts", "--mlflow", cwd=home)
    client = MlflowClient(f"file://{home}/store")
    runs = {run.info.run_name: run.data for run in client.search_runs(["0"])}
    assert set(runs) == {"fit popularity", "evaluate popularity"}
    assert "frozen/NDCG_at_10_low" in runs["evaluate popularity"].metrics
    for run in runs.values():
        assert run.params == {"model": "popularity", "window_days": "None"}
        assert run.tags["split"] == '{"rule": "clean", "positives": 5, "threshold": 4.0}'


def test_an_unreachable_store_is_an_error_before_the_fit(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert "nextreel: MLflow: " in fail("fit", "parts", "--model", "popularity", "--mlflow", cwd=home)
    assert not (home / "model").exists()
