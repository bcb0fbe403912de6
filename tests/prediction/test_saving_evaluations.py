import json
from pathlib import Path
from typing import Any

import pytest

from nextreel.artifacts import MANIFEST, OWN_SHA256
from nextreel.errors import ArtifactError
from nextreel.models.popularity import Popularity, PopularityConfig
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import add_evaluation, load, save
from nextreel.testing import tiny_dataset


def fit(window_days: float = 9) -> Predictor:
    dataset = tiny_dataset()
    return Predictor(Popularity(PopularityConfig(window_days=window_days)).fit(dataset), dataset)


def figures(mean: float, k: int = 10, sha256: str = "one") -> dict[str, Any]:
    return {
        "protocol": {"k": k},
        "test": {"file": "test.csv", "sha256": sha256},
        "metrics": {"NDCG@10": mean},
    }


@pytest.fixture
def model(tmp_path: Path) -> Path:
    save(fit(), tmp_path / "model")
    return tmp_path / "model"


def evaluations(model: Path) -> list[Any]:
    return list(json.loads((model / MANIFEST).read_text())["evaluations"])


def test_an_evaluation_is_added_to_the_manifest_and_nothing_else_changes(model: Path) -> None:
    before = {file.name: file.read_bytes() for file in model.iterdir()}
    add_evaluation(fit(), model, figures(0.1))
    after = {file.name: file.read_bytes() for file in model.iterdir()}
    entries, manifest = json.loads(before.pop(MANIFEST)), json.loads(after.pop(MANIFEST))
    assert manifest.pop("evaluations") == [figures(0.1)]
    assert manifest.pop(OWN_SHA256) != entries.pop(OWN_SHA256)
    assert manifest == entries
    assert after == before


def test_an_evaluation_replaces_the_one_of_the_same_protocol_and_test_part(model: Path) -> None:
    for result in (figures(0.1), figures(0.2, k=5), figures(0.3, sha256="other"), figures(0.4)):
        add_evaluation(fit(), model, result)
    assert evaluations(model) == [figures(0.2, k=5), figures(0.3, sha256="other"), figures(0.4)]


def test_an_evaluation_of_another_model_is_refused(model: Path) -> None:
    with pytest.raises(ArtifactError, match="isn't the model that was evaluated"):
        add_evaluation(fit(window_days=8), model, figures(0.1))
    assert load(model).model.config == PopularityConfig(window_days=9)


def test_no_evaluation_is_added_to_a_damaged_model(model: Path) -> None:
    (model / "model.safetensors").write_bytes(b"")
    with pytest.raises(ArtifactError, match="it was truncated or changed"):
        add_evaluation(fit(), model, figures(0.1))
