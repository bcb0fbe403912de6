"""Models by name: nextreel's own, those of installed packages, and those that the running program registered.

Every module or package directly in `nextreel.models` is a model, except those in SHARED; its file name is its name,
so `item_knn.py` is the model `item-knn`. Another package adds a model with an entry point in the group
`nextreel.models`: its name is the model's name, its value `package.module:Class`. A program or notebook adds one with
`register_model`. Listing the names imports no model.
"""

import inspect
import re
import sys
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from inspect import cleandoc
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, TypeVar

import nextreel.models
from nextreel.documents import read_toml_file
from nextreel.errors import ConfigError, MissingExtraError, how_to_install

if TYPE_CHECKING:
    from nextreel.models.base import Recommender

PRESETS = {"fast": "sequential-ridge", "best": "blend", "baseline": "funk-svd", "simple": "popularity"}
"""Model names by purpose, usable wherever a model's name is, for people who don't want to read papers first."""
DEFAULT_MODEL = "sequential-ridge"
SHARED = (
    "base",
    "canonical_signs",
    "common_users",
    "fit_cost",
    "recent_popularity",
    "registry",
    "saved_state",
    "training",
    "user_vectors",
)
"""Modules and packages directly in `nextreel.models` that aren't models."""
GROUP = "nextreel.models"
"""Name of the entry point group by which other installed packages add models."""
NAME = re.compile("[a-z0-9]+(-[a-z0-9]+)*")

R = TypeVar("R", bound="Recommender")

_registered: dict[str, type["Recommender"]] = {}
"""Model classes that this process gave to `register_model`, by model name."""


def model_names() -> list[str]:
    """Return the names of all models: nextreel's own in alphabetical order, then the others."""
    own = built_in_names()
    return [*own, *sorted((_entry_points().keys() | _registered.keys()) - set(own))]


@cache
def built_in_names() -> tuple[str, ...]:
    """Return the names of nextreel's own models, in alphabetical order."""
    modules = (module.name for module in iter_modules(nextreel.models.__path__))
    return tuple(sorted(module.replace("_", "-") for module in modules if module not in SHARED))


def model_class(name: str) -> type["Recommender"]:
    """Return the class of a model or a preset, importing its module.

    Raises
    ------
    ConfigError
        There is no model of this name, or its module doesn't define exactly one.
    MissingExtraError
        The model needs a package that isn't installed.
    """
    name = PRESETS.get(name, name)
    if name in _registered:
        return _registered[name]
    entry = _entry_points().get(name)
    if entry is None:
        names = ", ".join((*PRESETS, *model_names()))
        raise ConfigError(f"model {name!r} is unknown; expected one of {names}")
    try:
        classes = _find_classes(entry)
    except ModuleNotFoundError as error:
        command = f": {how_to_install('neural')}" if error.name == "torch" else ""
        raise MissingExtraError(f"{name} needs {error.name}, which isn't installed{command}") from error
    if len(classes) != 1:
        raise ConfigError(
            f"model {name!r}: {entry.value} has {len(classes)} classes derived from Recommender; expected one"
        )
    return classes[0]


def create_model(name: str, options: Mapping[str, object] | None = None) -> "Recommender":
    """Create an unfitted model from the name of a model or a preset and its options by name.

    Raises ConfigError for an unknown model or option, MissingExtraError for a package that isn't installed.
    """
    cls = model_class(name)
    return cls(cls.Config.parse(options or {}, PRESETS.get(name, name)))


def model_name(model: "Recommender") -> str:
    """Return the name by which `create_model` finds the class of a model; ConfigError if there is none."""
    cls = type(model)
    for name, registered in _registered.items():
        if registered is cls:
            return name
    for name, entry in _entry_points().items():
        # A module that isn't imported can't be where the class of this model comes from.
        if entry.module in sys.modules and _find_classes(entry) == [cls]:
            return name
    raise ConfigError(
        f"{cls.__module__}:{cls.__qualname__} isn't a registered model, so it can't be saved by name: "
        f"register it with nextreel.register_model or an entry point in the group {GROUP}"
    )


def model_docstring(name: str) -> str:
    """Return the docstring of a model's module (of its class if the module has none).

    Raises ConfigError and MissingExtraError as `model_class` does.
    """
    cls = model_class(name)
    home = cls.__module__ if name in _registered else _entry_points()[PRESETS.get(name, name)].module
    return cleandoc(import_module(home).__doc__ or cls.__doc__ or name)


def register_model(cls: type[R], name: str | None = None) -> type[R]:
    """Register a model of your own in this process, so that it can be created, fitted, saved and loaded by name.

    Returns the class, so this works as a decorator. A package should have an entry point instead: the command line
    and a server find that by themselves.

    Parameters
    ----------
    cls : type[Recommender]
        The model.
    name : str | None
        Lower-case words joined by hyphens. None takes the name of the file: `my_model.py` becomes `my-model`.

    Raises
    ------
    ConfigError
        The name is malformed, or it belongs to a preset, a model of nextreel's or another class.
    """
    name = name if name is not None else _name_of_file(cls)
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"model name {name!r}: expected lower-case words joined by hyphens, such as my-model"
        )
    # A notebook cell or a module that runs again defines the same class anew, which takes the old one's place.
    other = _registered.get(name, cls)
    if name in (*PRESETS, *built_in_names()) or _path(other) != _path(cls):
        raise ConfigError(f"model name {name!r} is taken; choose another one")
    _registered[name] = cls
    return cls


def read_toml(file: Path) -> tuple[str, dict[str, object]]:
    """Read the name of a model and its options from a file such as `nextreel tune` writes.

    Raises
    ------
    ConfigError
        The file can't be read, isn't of that form, or has an unknown model or option.
    """
    try:
        content = read_toml_file(file)
        model, options = content.pop("model", None), content.pop("options", {})
        if content or not isinstance(model, str) or not isinstance(options, dict):
            raise ConfigError('expected model = "NAME" and a table [options], and nothing else')
        create_model(model, options)
    except OSError as error:
        raise ConfigError(f"{file}: can't be read ({error.strerror})") from None
    except (ValueError, ConfigError) as error:
        raise ConfigError(f"{file}: {error}") from None
    return model, options


@cache
def _entry_points() -> dict[str, EntryPoint]:
    """Return where to import each model from, by model name; another package can't replace one of nextreel's models."""
    own = [EntryPoint(name, f"nextreel.models.{name.replace('-', '_')}", GROUP) for name in built_in_names()]
    return {entry.name: entry for entry in (*entry_points(group=GROUP), *own)}


def _find_classes(entry: EntryPoint) -> list[type["Recommender"]]:
    """Import the class that an entry point names, or the model classes that its module or package defines."""
    from nextreel.models.base import Recommender

    module = import_module(entry.module)
    if entry.attr:
        candidates = [getattr(module, entry.attr, None)]
    else:
        candidates = [
            value
            for value in vars(module).values()
            if f"{getattr(value, '__module__', None)}.".startswith(f"{entry.module}.")
        ]
    return [
        cls
        for cls in candidates
        if isinstance(cls, type) and issubclass(cls, Recommender) and not inspect.isabstract(cls)
    ]


def _name_of_file(cls: type["Recommender"]) -> str:
    try:
        file = Path(inspect.getfile(cls))
    except (OSError, TypeError):
        raise ConfigError(f"{cls.__qualname__} isn't defined in a file: name the model") from None
    return (file.parent.name if file.stem == "__init__" else file.stem).replace("_", "-")


def _path(cls: type["Recommender"]) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__
