"""Which versions of the model hold a person."""

from pathlib import Path

import pytest

from nextreel.data.reading.table_reader import read_dataset
from nextreel.models.funk_svd import FunkSVD, FunkSVDConfig
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import save
from nextreel.serving.refit_data import write_data
from nextreel.serving.storage.model_versions import VersionDirectory
from nextreel.serving.storage.people.model_copies import find_copies
from nextreel.serving.storage.store import Store
from tests.serving.ratings import ignore_progress


@pytest.fixture
def versions(model: Path, tmp_path: Path) -> VersionDirectory:
    versions = VersionDirectory.create(tmp_path / "models")
    versions.add(model, "a")
    return versions


def test_a_version_that_was_fitted_on_data_with_a_user_holds_them(versions: VersionDirectory) -> None:
    assert find_copies(versions, 1) == ["a"]
    assert find_copies(versions, 90_001) == []


def test_the_next_refit_holds_them_no_more(
    versions: VersionDirectory, predictor: Predictor, sqlite_url: str, tmp_path: Path
) -> None:
    with Store.open(sqlite_url) as store:
        store.import_dataset(predictor.dataset, ignore_progress)
        store.erase_user(1)
        write_data(store, predictor.dataset, tmp_path / "out")
    dataset = read_dataset(tmp_path / "out")
    refitted = FunkSVD(FunkSVDConfig(dimensions=2, epochs=1)).fit(dataset)
    save(Predictor(refitted, dataset), tmp_path / "refitted")
    versions.add(tmp_path / "refitted", "b")
    assert find_copies(versions, 1) == ["a"]
    assert sorted(find_copies(versions, 2)) == ["a", "b"]  # their order is that of whole seconds


def test_factors_of_a_user_count_also_where_the_histories_lack_them(
    versions: VersionDirectory, predictor: Predictor, tmp_path: Path
) -> None:
    rows = predictor.dataset.interactions()
    fitted = FunkSVD(FunkSVDConfig(dimensions=2, epochs=1)).fit(predictor.dataset)
    others = predictor.dataset.with_interactions(rows.filter(rows["UserID"] != 1))
    save(Predictor(fitted, others), tmp_path / "factors")
    versions.add(tmp_path / "factors", "factors")
    assert "factors" in find_copies(versions, 1)


def test_a_version_that_cannot_be_read_counts(versions: VersionDirectory) -> None:
    (versions.find("a").path / "interactions.safetensors").write_bytes(b"?")
    assert find_copies(versions, 90_001) == ["a"]
    (versions.find("a").path / "manifest.json").write_text("{")
    assert find_copies(versions, 90_001) == ["a"]
