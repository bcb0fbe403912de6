"""The models that can be fitted, with their options, defaults and one-line descriptions."""

import json
from dataclasses import asdict, dataclass
from typing import Self

from pydantic import JsonValue
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from nextreel.errors import MissingExtraError
from nextreel.models.base import ModelConfig
from nextreel.models.registry import DEFAULT_MODEL, PRESETS, model_class, model_docstring, model_names


@dataclass(frozen=True)
class ListedOption:
    """An option of a model, as `--set` takes it."""

    name: str
    default: JsonValue
    """The default; None also for an option that stands for a group of options."""
    is_group: bool
    """Whether this is a group of options, such as those of a model within a model: `--set GROUP.OPTION=VALUE`."""
    description: str


@dataclass(frozen=True)
class ListedModel:
    """A model with its options."""

    name: str
    preset: str | None
    """Name of the preset that stands for the model, if any."""
    is_default: bool
    """Whether `nextreel fit` takes this model if none is named."""
    description: str
    """The first sentence of the model's documentation, or what is missing to use the model."""
    options: list[ListedOption]

    @classmethod
    def of(cls, name: str) -> Self:
        """Describe a model by name; one that needs a package which isn't installed has no options."""
        preset = next((short for short, model in PRESETS.items() if model == name), None)
        try:
            fields = model_class(name).Config.model_fields
            description = _first_sentence(model_docstring(name))
        except MissingExtraError as error:
            return cls(name, preset, name == DEFAULT_MODEL, str(error), [])
        options = [
            ListedOption(
                option,
                None if (is_group := isinstance(default := info.get_default(), ModelConfig)) else default,
                is_group,
                _in_one_line(info.description or ""),
            )
            for option, info in fields.items()
        ]
        return cls(name, preset, name == DEFAULT_MODEL, description, options)

    def to_json(self) -> dict[str, JsonValue]:
        """Return the description as `nextreel models --json` prints it."""
        return asdict(self)


def list_models() -> list[ListedModel]:
    """Describe all models that are installed or registered."""
    return [ListedModel.of(name) for name in model_names()]


def print_models(console: Console) -> None:
    """Print each model with its options."""
    for model in list_models():
        notes = [
            note
            for note in (model.preset and f"preset {model.preset}", model.is_default and "default")
            if note
        ]
        console.print(Text.assemble((model.name, "bold"), f"  ({', '.join(notes)})" if notes else ""))
        console.print(Padding(Text(model.description), (0, 0, 0, 2), expand=False))
        options = Table.grid(padding=(0, 2, 0, 0))
        options.add_column(no_wrap=True)
        options.add_column()
        for option in model.options:
            value = ".OPTION=VALUE" if option.is_group else f"={json.dumps(option.default)}"
            options.add_row(f"--set {option.name}{value}", option.description)
        console.print(Padding(options, (0, 0, 0, 4), expand=False))
        console.print()


def _first_sentence(docstring: str) -> str:
    paragraph = _in_one_line(docstring.split("\n\n")[0])
    sentence, stop, _ = paragraph.partition(". ")
    return sentence + stop.strip() if stop else paragraph


def _in_one_line(text: str) -> str:
    return " ".join(text.split())
