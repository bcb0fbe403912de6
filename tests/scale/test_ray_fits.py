"""Fits on a Ray cluster: the same models as in one process."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nextreel.data.dataset import Dataset
from nextreel.data.sources.synthetic_data import make_sample, write_sample
from nextreel.models import common_users
from nextreel.models.registry import create_model
from nextreel.models.training.epochs import Training
from nextreel.prediction.saving import load
from nextreel.scale.ray_tasks import RayTasks
from tests.cli.commands import fail, succeed


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    sample = make_sample(users=60, movies=80, ratings=1600)
    return Dataset.from_frames(sample.interactions, sample.movies, sample.users)


@pytest.mark.parametrize("name", ["als", "ease", "item-knn", "sequential-ridge"])
def test_a_fit_in_many_tasks_is_the_fit_of_one_process(
    ray: Any, name: str, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(common_users, "PAIRS_AT_ONCE", 1000)
    monkeypatch.setattr("nextreel.models.als.ENTRIES_AT_ONCE", 200)
    monkeypatch.setattr("nextreel.models.als.BLOCKS_PER_TASK", 3)
    monkeypatch.setattr("nextreel.models.sequential_ridge.ridge_model.INTERACTIONS_PER_PART", 300)
    here = create_model(name, {}).fit(dataset).state
    there = create_model(name, {}).fit(dataset, Training(run_tasks=RayTasks(ray))).state
    for array, values in here.items():
        expected, found = values.astype(np.float64), there[array].astype(np.float64)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def test_a_model_that_was_fitted_on_a_cluster_is_one_like_any_other(ray: Any, tmp_path: Path) -> None:
    write_sample(make_sample(users=60, movies=80, ratings=1600), tmp_path / "films")
    succeed("ingest", "films", "data", cwd=tmp_path)
    for place in ("local", "ray"):
        printed = succeed("fit", "data", "--model", "ease", "--on", place, "--out", place, cwd=tmp_path)
        assert "ease learned from 1,600 interactions of 60 users" in printed
    here, there = load(tmp_path / "local"), load(tmp_path / "ray")
    for array, values in here.model.state.items():
        np.testing.assert_array_equal(there.model.state[array], values)
    assert there.dataset.fingerprint == here.dataset.fingerprint


def test_a_model_that_a_cluster_doesnt_fit_is_refused_in_one_sentence(tmp_path: Path) -> None:
    message = fail("fit", tmp_path, "--model", "popularity", "--on", "ray", cwd=tmp_path)
    assert message == (
        "nextreel: popularity is fitted on one machine: leave --on out; a Ray cluster fits als, blend, ease, item-knn, "
        "sequential-ridge and transformer\n"
    )
