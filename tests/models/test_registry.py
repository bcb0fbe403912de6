import json
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest

import nextreel
from nextreel.artifacts import format_manifest
from nextreel.errors import ArtifactError, ConfigError, MissingExtraError
from nextreel.models import registry
from nextreel.models.ease import EASE
from nextreel.models.popularity import Popularity, PopularityConfig
from nextreel.models.registry import (
    PRESETS,
    built_in_names,
    create_model,
    model_class,
    model_docstring,
    model_name,
    model_names,
    register_model,
)
from nextreel.scale.ray_fits import FITTED_BY_TASKS
from nextreel.testing import tiny_dataset


class FileNamed(Popularity):
    """A model of these tests, named by their file."""


@pytest.fixture(autouse=True)
def without_registered_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})


def add_entry_point(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Pretend that an installed package has this entry point."""
    entry = EntryPoint(name, value, registry.GROUP)
    entries = {**registry._entry_points(), name: entry}
    monkeypatch.setattr(registry, "_entry_points", lambda: entries)


def add_module(monkeypatch: pytest.MonkeyPatch, name: str, **content: type) -> None:
    """Pretend that a module of this name is imported."""
    module = ModuleType(name, "What the module says.")
    vars(module).update(content)
    monkeypatch.setitem(sys.modules, name, module)


@pytest.mark.parametrize("name", built_in_names())
def test_every_name_leads_to_a_model_that_knows_its_name(name: str) -> None:
    assert model_name(create_model(name)) == name


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_leads_to_a_model(preset: str) -> None:
    assert model_class(preset) is model_class(PRESETS[preset])


@pytest.mark.parametrize("name", built_in_names())
def test_every_option_of_every_model_is_explained(name: str) -> None:
    fields = model_class(name).Config.model_fields
    assert [option for option, field in fields.items() if not field.description] == []


def test_the_models_with_a_budget_are_those_that_the_help_names() -> None:
    budgeted = [name for name in built_in_names() if "minutes" in model_class(name).Config.model_fields]
    assert budgeted == ["blend", "transformer"]


def test_options_reach_the_model() -> None:
    assert create_model("simple", {"window_days": 7}).config == PopularityConfig(window_days=7)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 7}, "popularity has no option 'window'; its options: window_days"),
        ({"window_days": "long"}, "option window_days of popularity is 'long'; expected a number above 0"),
    ],
)
def test_a_wrong_option_is_an_error_that_names_it(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        create_model("popularity", options)


def test_an_unknown_model_is_an_error_that_lists_the_names() -> None:
    with pytest.raises(ConfigError, match="model 'oracle' is unknown; expected one of fast, "):
        create_model("oracle")


def test_a_model_of_ones_own_has_no_name_until_it_is_registered() -> None:
    with pytest.raises(
        ConfigError, match="isn't a registered model, so it can't be saved by name: register it"
    ):
        model_name(FileNamed())
    register_model(FileNamed, "my-model")
    assert model_name(FileNamed()) == "my-model"


def test_the_built_in_models_are_the_modules_but_the_shared_ones() -> None:
    folder = Path(registry.__file__).parent
    modules = {
        path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    expected = modules - {"__init__", *registry.SHARED}
    assert {name.replace("-", "_") for name in built_in_names()} == expected
    assert set(registry.SHARED) <= modules
    assert set(PRESETS.values()) <= set(built_in_names())


def test_a_new_module_is_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "brand_new.py").write_text(
        "from nextreel.models.ease import EASE\n\nclass BrandNew(EASE):\n    pass\n"
    )
    monkeypatch.setattr("nextreel.models.__path__", [*nextreel.models.__path__, str(tmp_path)])
    for cached in (built_in_names, registry._entry_points):
        cached.cache_clear()
    try:
        assert "brand-new" in model_names()
        model = create_model("brand-new", {"regularization": 5})
        assert (type(model).__name__, model_name(model)) == ("BrandNew", "brand-new")
    finally:
        sys.modules.pop("nextreel.models.brand_new", None)
        for cached in (built_in_names, registry._entry_points):
            cached.cache_clear()


def test_an_imported_model_is_not_the_model_of_a_module() -> None:
    assert {model_class("blend").__name__, model_class("next-choices").__name__} == {"Blend", "NextChoices"}


def test_help_and_import_load_neither_a_model_nor_a_heavy_library() -> None:
    code = """
import sys
import nextreel
from nextreel.cli import app
from nextreel.models.registry import model_names
app(["fit", "--help"], standalone_mode=False)
assert "transformer" in model_names()
heavy = {"torch", "numpy", "polars", "scipy", "optuna", "fastapi", "sqlalchemy"}
models = {name for name in sys.modules if name.startswith("nextreel.models.")}
print(sorted(heavy & sys.modules.keys()), sorted(models))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[] ['nextreel.models.registry']"


def test_an_entry_point_adds_a_model_after_the_built_in_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    add_entry_point(monkeypatch, "file-named", f"{__name__}:FileNamed")
    assert model_names() == [*built_in_names(), "file-named"]
    assert model_class("file-named") is FileNamed
    assert model_name(FileNamed()) == "file-named"
    assert model_docstring("file-named") == FileNamed.__doc__


def test_an_entry_point_may_name_a_module_with_one_model(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = type("Mine", (Popularity,), {"__module__": "mine.impl"})
    add_module(monkeypatch, "mine", Mine=mine, EASE=EASE)
    add_entry_point(monkeypatch, "mine", "mine")
    assert model_class("mine") is mine
    assert model_docstring("mine") == "What the module says."


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("mine", "model 'broken': mine has 2 classes derived from Recommender; expected one"),
        ("mine:Missing", "model 'broken': mine:Missing has 0 classes derived from Recommender; expected one"),
        ("mine:Number", "model 'broken': mine:Number has 0 classes derived from Recommender; expected one"),
    ],
)
def test_an_entry_point_without_one_model_is_an_error(
    monkeypatch: pytest.MonkeyPatch, value: str, message: str
) -> None:
    one, two = (type(name, (Popularity,), {"__module__": "mine"}) for name in ("One", "Two"))
    add_module(monkeypatch, "mine", One=one, Two=two, Number=int)
    add_entry_point(monkeypatch, "broken", value)
    with pytest.raises(ConfigError) as caught:
        create_model("broken")
    assert message in str(caught.value)


def test_a_model_whose_library_is_missing_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    add_entry_point(monkeypatch, "broken", "surely_not_installed:Model")
    with pytest.raises(MissingExtraError, match=r"broken needs surely_not_installed, which isn't installed$"):
        create_model("broken")


def test_a_package_cannot_replace_a_built_in_model(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("ease", f"{__name__}:FileNamed", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry])
    registry._entry_points.cache_clear()
    try:
        assert model_class("ease") is EASE
    finally:
        registry._entry_points.cache_clear()


def test_a_registered_class_is_named_by_its_file() -> None:
    assert register_model(FileNamed) is FileNamed
    assert model_names() == [*built_in_names(), "test-registry"]
    assert model_class("test-registry") is FileNamed
    assert model_docstring("test-registry") == FileNamed.__doc__


def test_registering_works_as_a_decorator_and_again_in_the_same_place() -> None:
    def define() -> type[Popularity]:
        @nextreel.register_model
        class Again(Popularity):
            pass

        return Again

    assert define() is not define()
    assert model_class("test-registry").__name__ == "Again"


@pytest.mark.parametrize("name", ["ease", "fast", "my-model"])
def test_a_name_that_is_taken_is_refused(name: str) -> None:
    register_model(Popularity, "my-model")
    with pytest.raises(ConfigError, match=f"model name '{name}' is taken"):
        register_model(FileNamed, name)


@pytest.mark.parametrize("name", ["", "My-Model", "my_model", "a=b", "../model", "ease,"])
def test_a_malformed_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="expected lower-case words joined by hyphens"):
        register_model(FileNamed, name)


def test_a_class_without_a_file_needs_a_name() -> None:
    homeless = type("Homeless", (Popularity,), {"__module__": "builtins"})
    with pytest.raises(ConfigError, match="Homeless isn't defined in a file: name the model"):
        register_model(homeless)


def test_a_registered_model_is_fitted_saved_and_loaded_by_its_name(tmp_path: Path) -> None:
    register_model(FileNamed)
    dataset = tiny_dataset()
    predictor = nextreel.fit(dataset, "test-registry", window_days=7)
    nextreel.save(predictor, tmp_path / "model")
    loaded = nextreel.load(tmp_path / "model").model
    assert type(loaded) is FileNamed
    assert loaded.config == PopularityConfig(window_days=7)


def test_a_saved_model_that_is_not_registered_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_model(FileNamed)
    nextreel.save(nextreel.fit(tiny_dataset(), "test-registry"), tmp_path / "model")
    monkeypatch.setattr(registry, "_registered", {})
    with pytest.raises(
        ArtifactError, match="the model 'test-registry', which isn't registered here: install"
    ):
        nextreel.load(tmp_path / "model")


@pytest.mark.parametrize("name", ["tests.models.test_registry:FileNamed", "nextreel.models.ease:EASE"])
def test_a_manifest_cannot_name_a_module(tmp_path: Path, name: str) -> None:
    nextreel.save(nextreel.fit(tiny_dataset(), "popularity"), tmp_path / "model")
    manifest = tmp_path / "model" / "manifest.json"
    manifest.write_text(format_manifest({**json.loads(manifest.read_text()), "model": name}))
    with pytest.raises(ArtifactError, match="which isn't registered here"):
        nextreel.load(tmp_path / "model")


def test_every_model_that_a_cluster_fits_is_named_where_others_are_refused() -> None:
    by_tasks = [name for name in built_in_names() if model_class(name).fits_by_tasks]
    assert sorted(by_tasks) == list(FITTED_BY_TASKS)
