"""Whatever a file of options or the command line says: a model is created, or there is one ConfigError."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextreel.errors import ConfigError
from nextreel.models.registry import built_in_names, create_model, model_class, read_toml

NAMES = [name for name in built_in_names() if name not in ("funk-svd", "transformer", "blend")]
"""Those without torch, which takes seconds to import; their options are of the same classes."""
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("options")


@given(st.sampled_from(NAMES), st.data())
def test_any_value_of_any_option(name: str, data: st.DataObject) -> None:
    option = data.draw(st.sampled_from([*model_class(name).Config.model_fields, "x"]))
    with suppress(ConfigError):
        create_model(name, {option: data.draw(VALUES)})


@given(st.sampled_from(NAMES), st.dictionaries(st.text(max_size=8), VALUES, max_size=3))
def test_any_options(name: str, options: dict[str, object]) -> None:
    with suppress(ConfigError):
        create_model(name, options)


@given(data=st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_any_bytes_behind_the_name_of_a_model(home: Path, data: bytes) -> None:
    file = home / "best.toml"
    file.write_bytes(b'model = "als"\n[options]\n' + data)
    with suppress(ConfigError):
        read_toml(file)


@given(st.data())
def test_a_changed_byte_of_a_file_of_options(home: Path, data: st.DataObject) -> None:
    changed = bytearray(b'model = "als"\n\n[options]\nfactors = 64\nregularization = 12.5\n')
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    file = home / "changed.toml"
    file.write_bytes(changed)
    with suppress(ConfigError):
        read_toml(file)
