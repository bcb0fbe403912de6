"""What the model keeps of the histories that it was asked about, for the next query about them."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from nextreel.models.transformer import Transformer, TransformerConfig
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import save
from nextreel.serving.inference import engine as engines
from nextreel.serving.inference.engine import Engine
from nextreel.serving.inference.list_requests import RecommendationRequest
from nextreel.serving.inference.service import Service
from nextreel.serving.storage.model_versions import VersionDirectory
from nextreel.serving.storage.store import NewInteraction, Store
from nextreel.testing import tiny_dataset
from tests.serving.inference.lists import scored_lists
from tests.serving.ratings import ignore_progress
from tests.serving.servers import LATE


@pytest.fixture(scope="module")
def transformer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    dataset = tiny_dataset()
    model = Transformer(TransformerConfig(dimensions=8, window=16, epochs=1)).fit(dataset)
    path = tmp_path_factory.mktemp("model") / "saved"
    save(Predictor(model, dataset), path)
    return path


@pytest.fixture
def service(store: Store, transformer: Path) -> Service:
    store.import_dataset(tiny_dataset(), ignore_progress)
    return Service(store, VersionDirectory.open(transformer))


def n_kept(engine: Engine) -> int:
    model = engine._predictor.model
    assert isinstance(model, Transformer)
    assert model.known_windows is not None
    return len(model.known_windows)


def requests_of(users: Sequence[int]) -> list[RecommendationRequest]:
    return [RecommendationRequest(user, LATE) for user in users]


def test_what_is_kept_gives_the_same_lists_until_there_is_another_rating(
    service: Service, store: Store
) -> None:
    engine, requests = service.engine, requests_of([0, 7, 14])
    first = scored_lists(engine.recommend(requests))
    assert n_kept(engine) == 3
    again = scored_lists(engine.recommend(requests))
    assert [[movie for movie, _ in row] for row in again] == [[movie for movie, _ in row] for row in first]
    for row, row_again in zip(first, again, strict=True):
        assert [score for _, score in row_again] == pytest.approx([score for _, score in row], rel=1e-5)

    movie = first[0][0][0]
    service.remember([NewInteraction(0, movie, 1.0, LATE - 1)])
    after = scored_lists(engine.recommend(requests))
    anew = scored_lists(Engine.open(engine.version, store).recommend(requests))
    assert movie not in [shown for shown, _ in after[0]]
    for row, row_anew in zip(after, anew, strict=True):
        assert [movie for movie, _ in row] == [movie for movie, _ in row_anew]


def test_an_erasure_makes_every_process_forget_what_it_keeps(service: Service, store: Store) -> None:
    other = Engine.open(service.engine.version, store)
    for engine in (service.engine, other):
        engine.recommend(requests_of([0, 7]))
        assert n_kept(engine) == 2
    service.erase(0)
    assert n_kept(service.engine) == 0
    other.forget_erased()
    assert n_kept(other) == 0


def test_what_a_query_keeps_that_began_before_an_erasure_is_forgotten_too(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.erase(0)
    service.engine.recommend(requests_of([7]))
    service.maintain()
    assert n_kept(service.engine) == 0
    monkeypatch.setattr(engines, "OVERLAP_SECONDS", 0)
    service.engine.recommend(requests_of([7]))
    service.maintain()
    assert n_kept(service.engine) == 1


def test_nothing_is_kept_of_guests(service: Service) -> None:
    rated = tuple(NewInteraction(5, movie, 4.0, LATE - 9) for movie in (0, 3, 6))
    result = service.engine.recommend([RecommendationRequest(5, LATE, history=rated, explain=True)])[0]
    assert (result.fallback, result.history_length) == (None, 3)
    assert n_kept(service.engine) == 0
