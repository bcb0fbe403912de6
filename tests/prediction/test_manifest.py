import json
from pathlib import Path

import pytest

from nextreel.artifacts import MANIFEST, format_manifest
from nextreel.errors import ArtifactError
from nextreel.models.popularity import Popularity
from nextreel.prediction.manifest import FitFacts, FittedOn, ModelManifest
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import load, load_with_manifest, save
from nextreel.testing import tiny_dataset


@pytest.fixture
def model(tmp_path: Path) -> Path:
    dataset = tiny_dataset()
    save(Predictor(Popularity().fit(dataset), dataset), tmp_path / "model", {"fit": {"fit_seconds": 1.5}})
    return tmp_path / "model"


def test_the_manifest_states_the_data_and_the_fit(model: Path) -> None:
    manifest = ModelManifest.read(model)
    assert manifest.model == "popularity"
    assert manifest.data == FittedOn.of(tiny_dataset())
    assert manifest.fit == FitFacts(fit_seconds=1.5)
    assert load_with_manifest(model)[1] == manifest


def test_the_data_are_described_under_the_keys_of_the_file(model: Path) -> None:
    described = FittedOn.of(tiny_dataset()).model_dump(by_alias=True)
    assert list(described) == ["interactions", "users", "movies", "from", "until", "sha256"]
    assert json.loads((model / MANIFEST).read_text())["data"] == described


def test_a_manifest_without_a_model_is_damaged(model: Path) -> None:
    entries = json.loads((model / MANIFEST).read_text())
    del entries["model"]
    (model / MANIFEST).write_text(format_manifest(entries))
    for read in (ModelManifest.read, load):
        with pytest.raises(ArtifactError, match=r"manifest\.json is damaged: model: Field required"):
            read(model)


def test_a_directory_without_a_manifest_is_no_saved_model(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"has no manifest\.json; expected a model saved by"):
        ModelManifest.read(tmp_path)
