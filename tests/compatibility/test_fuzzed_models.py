"""A saved model with a changed array, sealed again, is refused or recommends as any model does: every kind of model."""

import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nextreel
from nextreel.arrays import Arrays, read_arrays, write_arrays
from nextreel.errors import ArtifactError
from tests.resealing import reseal

SAVED = Path(__file__).parent / "saved_1_0"
MODELS = sorted(path.stem for path in SAVED.glob("*.csv") if path.stem != "queries")
USERS = [1, 2, 40, 999_999]
ODD_NUMBERS = [0, 1, -1, 2, 59, 60, 10**6, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63)]
ODD_FLOATS = [0.0, -0.0, 1e-45, 1e4, -1e4, 1e30, float("nan"), float("inf")]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copies of all models, which each test leaves as it found them."""
    home = tmp_path_factory.mktemp("fuzzed")
    for name in MODELS:
        shutil.copytree(SAVED / name, home / name)
    return home


def change(arrays: Arrays, data: st.DataObject) -> Arrays:
    """Return arrays of which one has other values, another order or another length."""
    name = data.draw(st.sampled_from(sorted(arrays)))
    array = np.array(arrays[name])
    kind = data.draw(st.sampled_from(["values", "order", "length"]))
    if kind == "values" and array.size:
        odd = ODD_FLOATS if array.dtype.kind == "f" else ODD_NUMBERS
        for _ in range(data.draw(st.integers(1, 3))):
            place, value = data.draw(st.integers(0, array.size - 1)), data.draw(st.sampled_from(odd))
            with np.errstate(over="ignore"):
                array.flat[place] = np.array(value).astype(array.dtype)
    elif kind == "order" and array.ndim:
        array = array[np.random.default_rng(data.draw(st.integers(0, 99))).permutation(len(array))]
    elif array.ndim:
        array = np.resize(array, (data.draw(st.integers(0, len(array) + 2)), *array.shape[1:]))
    return {**arrays, name: array}


@pytest.mark.parametrize("name", MODELS)
@given(data=st.data())
@settings(max_examples=settings().max_examples // 12, suppress_health_check=list(HealthCheck))
def test_a_model_with_a_changed_array_is_refused_or_recommends(
    home: Path, name: str, data: st.DataObject
) -> None:
    model = home / name
    file = model / data.draw(st.sampled_from(["model.safetensors", "interactions.safetensors"]))
    whole, manifest = file.read_bytes(), (model / "manifest.json").read_bytes()
    try:
        with suppress(ArtifactError):
            write_arrays(change(read_arrays(file), data), file)
            reseal(model)
            lists = nextreel.load(model).recommend(USERS, k=5, at=2_000_000_000)
            assert len(lists) == 5 * len(USERS)
    finally:
        file.write_bytes(whole)
        (model / "manifest.json").write_bytes(manifest)
