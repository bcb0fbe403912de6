"""One small Ray cluster for the tests of this folder, and a model with text ids."""

import os
import warnings
from collections.abc import Iterator
from logging import CRITICAL
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nextreel.data.dataset import Dataset
from nextreel.data.sources.synthetic_data import make_sample
from nextreel.models.item_knn import ItemKNN
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import save
from nextreel.scale.ray_cluster import ENVIRONMENT

OBJECT_STORE_BYTES = 100_000_000


@pytest.fixture(scope="session")
def ray() -> Iterator[Any]:
    import ray

    os.environ |= ENVIRONMENT
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        # Ray leaves the log files of the processes that it starts open.
        ray.init(
            "local",
            num_cpus=2,
            object_store_memory=OBJECT_STORE_BYTES,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=CRITICAL,
        )
        yield ray
        ray.shutdown()


@pytest.fixture(scope="session")
def address(ray: Any) -> str:
    """The address of the cluster, for another process on this machine."""
    return str(ray.get_runtime_context().gcs_address)


@pytest.fixture(scope="session")
def text_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model whose users and movies have texts for ids."""
    sample = make_sample(users=60, movies=90, ratings=1_800, seed=1)
    rows = sample.interactions.with_columns(
        UserID=pl.format("user-{}", "UserID"), MovieID=pl.format("tt{}", "MovieID")
    )
    dataset = Dataset.from_frames(rows)
    path = tmp_path_factory.mktemp("text") / "model"
    save(Predictor(ItemKNN().fit(dataset), dataset), path)
    return path
