"""Fitting on a data directory and saving, without a terminal."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from nextreel.artifacts import MANIFEST
from nextreel.data.sources.synthetic_data import make_sample, write_sample
from nextreel.data.splitting.split_directory import write_split
from nextreel.data.splitting.split_rules import SplitRule
from nextreel.errors import ArtifactError
from nextreel.models.registry import create_model
from nextreel.models.training.epochs import EPOCHS, Epoch
from nextreel.prediction.fitting import fit_and_save
from nextreel.prediction.manifest import ModelManifest
from nextreel.prediction.saving import load

FUNK_SVD: dict[str, object] = {"epochs": 2, "dimensions": 4}


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set that was split by the clean rule."""
    home = tmp_path_factory.mktemp("home")
    write_sample(make_sample(users=60, movies=80, ratings=1600), home / "data")
    write_split(home / "data", home / "parts", SplitRule.for_rule("clean"))
    return home / "parts"


def test_a_fitted_model_is_saved_with_the_split_and_the_duration_of_the_fit(
    parts: Path, tmp_path: Path
) -> None:
    predictor, facts = fit_and_save(create_model("popularity"), parts, tmp_path / "model")
    manifest = json.loads((tmp_path / "model" / MANIFEST).read_text())
    assert manifest["split"] == {"rule": "clean", "positives": 5, "threshold": 4.0}
    assert manifest["fit"] == {"fit_seconds": facts.fit_seconds}
    assert load(tmp_path / "model").dataset.fingerprint == predictor.dataset.fingerprint


def test_epochs_are_reported_and_saved_and_the_checkpoint_is_removed(parts: Path, tmp_path: Path) -> None:
    reported: list[Epoch] = []
    files: list[Path] = []

    def add_file(epochs: Sequence[Epoch], directory: Path) -> None:
        files.append(directory / f"{len(epochs)}.txt")
        files[0].write_text("added")

    out = tmp_path / "model"
    fit_and_save(create_model("funk-svd", FUNK_SVD), parts, out, on_epoch=reported.append, add_files=add_file)
    assert [epoch.number for epoch in reported] == [1, 2]
    assert {EPOCHS, "2.txt"} <= {file.name for file in out.iterdir()}
    assert list(tmp_path.iterdir()) == [out]


def test_an_interrupted_fit_keeps_its_checkpoint_and_is_resumed(parts: Path, tmp_path: Path) -> None:
    out, interrupted = tmp_path / "model", []

    def interrupt(epoch: Epoch) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_and_save(
            create_model("funk-svd", FUNK_SVD),
            parts,
            out,
            on_epoch=interrupt,
            on_interrupt=lambda: interrupted.append(out.exists()),
        )
    assert interrupted == [False]
    reported: list[Epoch] = []
    fit_and_save(create_model("funk-svd", FUNK_SVD), parts, out, resume=True, on_epoch=reported.append)
    assert [epoch.number for epoch in reported] == [1, 2]
    assert ModelManifest.read(out).model == "funk-svd"


def test_a_directory_that_is_no_saved_model_is_not_replaced(parts: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(ArtifactError, match="exists and isn't a saved model"):
        fit_and_save(create_model("popularity"), parts, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
