"""A server that needs more memory than there is is refused before it loads anything."""

import re
import shutil
from pathlib import Path

import pytest

from nextreel import machine
from nextreel.errors import TooLargeError
from nextreel.machine import GIB
from nextreel.models.transformer import Transformer, TransformerConfig
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import load, save
from nextreel.serving.inference.engine import CACHE_BYTES
from nextreel.serving.memory_need import (
    BYTES_PER_LIKE,
    BYTES_PER_PROCESS,
    BYTES_PER_READ_ROW,
    estimate_memory,
    require_memory_to_serve,
)
from nextreel.serving.storage.store import Store
from tests.cli.commands import fail


def test_the_message_says_how_much_is_needed_and_what_to_change(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "usable_memory", lambda: GIB // 2)
    with pytest.raises(
        TooLargeError,
        match=r"^A server of 4 workers would need about 0\.6 GiB of memory for 3,000 interactions of "
        r"150 movies, and 0\.5 GiB are free: start fewer --workers$",
    ):
        require_memory_to_serve({model: True}, workers=4)


def test_one_worker_is_allowed_where_four_are_not(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "usable_memory", lambda: GIB // 2)
    require_memory_to_serve({model: True}, workers=1)


def test_rows_that_are_read_from_the_store_take_more_in_each_worker(model: Path) -> None:
    (shared, mapped), (also_shared, read) = (estimate_memory(model, is_mapped) for is_mapped in (True, False))
    assert shared == also_shared
    assert read - mapped == 3_000 * (BYTES_PER_READ_ROW - BYTES_PER_LIKE)


def test_an_experiment_takes_the_memory_of_both_models(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Path(shutil.copytree(model, tmp_path / "other"))
    most = BYTES_PER_PROCESS + int(1.5 * sum(estimate_memory(model, is_mapped=True)))
    monkeypatch.setattr(machine, "usable_memory", lambda: int(most / machine.MEMORY_SHARE))
    require_memory_to_serve({model: True}, workers=1)
    with pytest.raises(TooLargeError):
        require_memory_to_serve({model: True, other: True}, workers=1)


def test_the_command_refuses_before_it_fills_the_store(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "usable_memory", lambda: 1_000)
    url = f"sqlite:///{tmp_path}/nextreel.db"
    assert re.search("A server would need about 0.1 GiB", fail("serve", model, "--store", url))
    monkeypatch.undo()
    with Store.open(url) as store:
        assert store.is_empty


def test_a_model_that_keeps_histories_needs_memory_for_them(model: Path, tmp_path: Path) -> None:
    dataset = load(model).dataset
    transformer = Transformer(TransformerConfig(dimensions=8, window=16, epochs=1)).fit(dataset)
    save(Predictor(transformer, dataset), tmp_path / "transformer")
    of_each, of_each_caching = (
        estimate_memory(saved, is_mapped=True)[1] for saved in (model, tmp_path / "transformer")
    )
    assert of_each_caching - of_each == CACHE_BYTES
