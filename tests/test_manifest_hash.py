"""No changed byte of a saved model, its manifest included, gives another answer or a crash."""

import json
import random
import shutil
from itertools import cycle
from pathlib import Path

import polars as pl
import pytest

from nextreel.artifacts import MANIFEST, OWN_SHA256
from nextreel.errors import ArtifactError
from nextreel.models.popularity import Popularity, PopularityConfig
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import load, save
from nextreel.testing import tiny_dataset

SAMPLED = 60
"""Number of bytes of each file but the manifest that are changed, one at a time."""
MASKS = (1, 0x20, 0xFF)
"""Bits that are changed in a byte, in turn: the lowest one, the one between `a` and `A`, or all."""


def answers(directory: Path) -> list[object]:
    predictor = load(directory)
    users = [0, 7, 14, 9_999]
    lists = predictor.recommend(users, k=5, at=3_000_000, titles=True)
    return [*lists.rows(), predictor.model.config, predictor.dataset.format]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    dataset, directory = tiny_dataset(), tmp_path_factory.mktemp("hash") / "model"
    dataset = dataset.with_interactions(dataset.interactions().filter(pl.col("UserID") < 50))
    model = Popularity(PopularityConfig(window_days=9)).fit(dataset)
    save(Predictor(model, dataset), directory, {"fit": {"fit_seconds": 1.5}, "split": {"rule": "course"}})
    return directory


def test_a_changed_byte_is_an_error_or_changes_nothing(saved: Path, tmp_path: Path) -> None:
    """Every byte of the manifest is changed, and some of each other file."""
    expected = answers(saved)
    model = Path(shutil.copytree(saved, tmp_path / "model"))
    generator = random.Random(1)
    for file in sorted(model.iterdir()):
        content = file.read_bytes()
        places = range(len(content))
        chosen = places if file.name == MANIFEST else generator.sample(places, len(MASKS) * SAMPLED)
        for place, mask in zip(chosen, cycle(MASKS)):
            file.write_bytes(content[:place] + bytes([content[place] ^ mask]) + content[place + 1 :])
            try:
                found = answers(model)
            except ArtifactError:
                continue
            assert found == expected, f"byte {place} of {file.name}"
        file.write_bytes(content)
    assert answers(model) == expected


def test_a_manifest_that_was_edited_is_an_error_that_names_it(saved: Path, tmp_path: Path) -> None:
    model = Path(shutil.copytree(saved, tmp_path / "model"))
    text = (model / MANIFEST).read_text()
    (model / MANIFEST).write_text(text.replace('"window_days": 9.0', '"window_days": 8.0'))
    with pytest.raises(ArtifactError, match=r"manifest\.json doesn't match its SHA-256: it was changed"):
        load(model)


def test_a_manifest_of_before_without_a_hash_of_its_own_is_read(saved: Path, tmp_path: Path) -> None:
    model = Path(shutil.copytree(saved, tmp_path / "model"))
    entries = json.loads((model / MANIFEST).read_text())
    assert len(entries.pop(OWN_SHA256)) == 64
    (model / MANIFEST).write_text(json.dumps(entries))
    assert answers(model) == answers(saved)
