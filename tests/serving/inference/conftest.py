"""A store with a data set, and a service and an engine over it."""

from pathlib import Path

import pytest

from nextreel.prediction.predictor import Predictor
from nextreel.serving.inference.engine import Engine
from nextreel.serving.inference.service import Service
from nextreel.serving.storage.model_versions import VersionDirectory
from nextreel.serving.storage.store import Store
from tests.serving.ratings import ignore_progress


@pytest.fixture
def filled(store: Store, predictor: Predictor) -> Store:
    """A store that holds the data set of the predictor."""
    store.import_dataset(predictor.dataset, ignore_progress)
    return store


@pytest.fixture
def service(filled: Store, model: Path) -> Service:
    return Service(filled, VersionDirectory.open(model))


@pytest.fixture
def engine(service: Service) -> Engine:
    return service.engine


@pytest.fixture
def other(service: Service, filled: Store) -> Engine:
    """The engine of another process on the same store."""
    return Engine.open(service.engine.version, filled)
