"""Models by name. A model's module loads only when it is asked for."""

import tomllib
from importlib import import_module
from pathlib import Path

from nextreel.errors import ConfigError, MissingExtraError
from nextreel.models.base import Recommender
from nextreel.models.names import MODELS, PRESETS


def model_class(name: str) -> type[Recommender]:
    """The class behind the name of a model or a preset; ConfigError lists the names there are."""
    name = PRESETS.get(name, name)
    if name not in MODELS:
        raise ConfigError(f"model {name!r} is unknown; expected one of {', '.join((*PRESETS, *MODELS))}")
    module, attribute = MODELS[name].split(":")
    try:
        found: type[Recommender] = getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{name} needs {error.name}, which isn't installed: pip install 'nextreel[neural]'"
        ) from error
    return found


def create_model(name: str, options: dict[str, object] | None = None) -> Recommender:
    """A model that isn't fitted yet, with options by name."""
    cls = model_class(name)
    return cls(cls.Config.parse(options or {}, PRESETS.get(name, name)))


def model_name(model: Recommender) -> str:
    """The name a model is registered under; ConfigError for a class of the user's own."""
    for name in MODELS:
        if type(model).__module__.startswith(MODELS[name].split(":")[0]) and model_class(name) is type(model):
            return name
    path = f"{type(model).__module__}:{type(model).__qualname__}"
    raise ConfigError(f"{path} isn't a registered model, so it can't be saved by name")


def read_toml(file: Path) -> tuple[str, dict[str, object]]:
    """The name of a model and its options, from a file of that form; ConfigError says what is wrong with it."""
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
        model, options = found.pop("model", None), found.pop("options", {})
        if found or not isinstance(model, str) or not isinstance(options, dict):
            raise ConfigError('expected model = "NAME" and a table [options], and nothing else')
        create_model(model, options)
    except OSError as error:
        raise ConfigError(f"{file}: can't be read ({error.strerror})") from None
    except (ValueError, ConfigError) as error:
        raise ConfigError(f"{file}: {error}") from None
    return model, options
