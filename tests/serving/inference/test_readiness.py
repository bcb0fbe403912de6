"""Readiness is shown by recommending: a service whose model fails or has nothing to recommend isn't ready."""

import numpy as np
import pytest

from nextreel.arrays import Float32Array, Int64Array
from nextreel.data.timeline import Histories
from nextreel.errors import NotReadyError, StoreError
from nextreel.models.popularity import Popularity
from nextreel.prediction.predictor import Predictor
from nextreel.serving.inference.engine import Engine
from nextreel.serving.inference.readiness import Readiness
from nextreel.serving.inference.service import Service
from nextreel.serving.storage.store import NewInteraction
from tests.serving.servers import LATE


class Failing(Popularity):
    """A model that fails from some moment on, and counts how often it is asked."""

    fails = False
    times_asked = 0

    def knows(self, histories: Histories) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        return np.ones(len(histories), dtype=np.bool_)

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        self.times_asked += 1
        if self.fails:
            raise FloatingPointError("a secret of the code")
        return super().score(histories, timestamps)


@pytest.fixture
def failing(service: Service, predictor: Predictor) -> Failing:
    """The model that the service has instead of its own."""
    model = Failing().fit(predictor.dataset)
    engine = service.engine
    service._engine = Engine(Predictor(model, predictor.dataset), engine.version, engine.follower)
    return model


def test_a_service_that_recommends_is_ready_and_says_how_far_it_is_behind(service: Service) -> None:
    readiness = Readiness(service)
    assert readiness.check() == 0
    service.store.add([NewInteraction(1, 2, 4.0, LATE)])
    assert readiness.check() == 1
    assert readiness.check() == 0


def test_a_service_that_cannot_recommend_is_not_ready_until_it_can(
    service: Service, failing: Failing, caplog: pytest.LogCaptureFixture
) -> None:
    readiness = Readiness(service)
    failing.fails = True
    for _ in range(3):
        with pytest.raises(NotReadyError, match=r"^recommending fails with FloatingPointError$"):
            readiness.check()
    assert caplog.messages == ["not ready: recommending fails with FloatingPointError"]
    failing.fails = False
    assert readiness.check() == 0


def test_what_was_just_proven_is_proven_again_only_for_other_data(service: Service, failing: Failing) -> None:
    readiness = Readiness(service)
    for _ in range(50):
        readiness.check()
    proven_once = failing.times_asked
    service.store.add([NewInteraction(1, 2, 4.0, LATE)])
    readiness.check()
    assert failing.times_asked > proven_once
    assert proven_once < 50


def test_a_service_whose_store_is_closed_to_it_is_not_ready(service: Service) -> None:
    readiness = Readiness(service)
    readiness.check()
    with service.store.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE movie_changes RENAME TO elsewhere")
    with pytest.raises(StoreError):
        readiness.check()


def test_a_catalog_whose_movies_were_all_deleted_is_no_fault(service: Service) -> None:
    for movie in service.engine.follower.catch_up().catalog.movies["MovieID"]:
        service.store.delete_movie(movie)
    assert Readiness(service).check() == 0
