"""Options by name, as a file or the command line gives them: typed, checked, and rejected with one clear sentence."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Self

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from pydantic.alias_generators import to_camel

from nextreel.errors import ConfigError
from nextreel.wording import shorten

TYPES = {
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "string": "text",
}
"""Words that messages to the user use for each type name of JSON Schema."""


@dataclass(frozen=True)
class Range:
    """Values of a numeric option that `nextreel tune` searches; stands in the `Annotated[...]` of the option's type."""

    low: float
    """Smallest value that the search tries."""
    high: float
    """Largest value that the search tries; the values are integers if `low` and `high` are."""
    log: bool = False
    """Whether the search draws values uniformly on a logarithmic rather than a linear scale."""

    @property
    def integer(self) -> bool:
        """Whether the search draws integers only, as it does if both ends are integers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def contains(self, value: object) -> bool:
        """Whether `value` lies within the range; None doesn't."""
        return isinstance(value, int | float) and self.low <= value <= self.high


@dataclass(frozen=True)
class Choice:
    """The few values of an option that `nextreel tune` tries; stands in the `Annotated[...]` of the option's type."""

    values: tuple[int, ...]
    """Values that the search chooses from."""

    def contains(self, value: object) -> bool:
        """Whether `value` is one of those that the search chooses from."""
        return value in self.values


class Options(BaseModel):
    """Base class of groups of options, such as those of a model: immutable, and strict about names and values."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    @classmethod
    def parse(cls, options: Mapping[str, object], owner: str = "the model") -> Self:
        """Create the group from a mapping of option names to values.

        Raises
        ------
        ConfigError
            A name is unknown or a value is invalid. The message names the option, its `owner`, and what is allowed.
        """
        try:
            return cls.model_validate(dict(options))
        except ValidationError as error:
            raise ConfigError(cls._explain(error, owner)) from None

    @classmethod
    def _explain(cls, error: ValidationError, owner: str) -> str:
        first = error.errors(include_url=False)[0]
        if first["type"] == "value_error":
            return f"{owner}: {first['ctx']['error']}"
        *groups, name = map(str, first["loc"])
        group = cls._find_group(groups)
        if first["type"] == "extra_forbidden":
            close = get_close_matches(name, group.model_fields)
            names = ", ".join([*close, *(other for other in group.model_fields if other not in close)])
            whose = f"option {'.'.join(groups)} of {owner}" if groups else owner
            return f"{whose} has no option {shorten(name, 100)!r}; its options: {names}"
        schema = ValueSchema.model_validate(group.model_json_schema()["properties"][name])
        allowed = "a finite number" if first["type"] == "finite_number" else schema.describe()
        option = f"option {'.'.join([*groups, name])} of {owner}"
        if first["type"] == "missing":
            return f"{option} is missing; expected {allowed}"
        value = first["input"]
        shown = shorten(repr(value) if isinstance(value, str) else json.dumps(value, default=repr), 100)
        return f"{option} is {shown}; expected {allowed}"

    @classmethod
    def _find_group(cls, path: list[str]) -> "type[Options]":
        """Return the class of a nested group; `path` has the option names that lead to it from this group."""
        group: type[Options] = cls
        for name in path:
            annotation = group.model_fields[name].annotation
            assert isinstance(annotation, type) and issubclass(annotation, Options)  # noqa: PT018
            group = annotation
        return group


class ValueSchema(BaseModel, alias_generator=to_camel):
    """The part of a JSON Schema that says which values an option may have."""

    type: str | None = None
    enum: list[str] = []
    any_of: list["ValueSchema"] = []
    minimum: int | float | None = None
    exclusive_minimum: int | float | None = None
    maximum: int | float | None = None
    exclusive_maximum: int | float | None = None
    default: JsonValue = None

    def describe(self) -> str:
        """Return the allowed values in words, such as "a whole number from 1 or null"."""
        if self.any_of:
            # Users know that an option whose default is null may be left out, so null isn't mentioned there.
            schemas = [schema for schema in self.any_of if schema.type != "null" or self.default is not None]
            return " or ".join(schema.describe() for schema in schemas)
        if self.enum:
            *others, last = self.enum
            return f"{', '.join(others)} or {last}"
        if self.type is None:
            return "options by name"
        bounds = {
            "from": self.minimum,
            "above": self.exclusive_minimum,
            "up to": self.maximum,
            "below": self.exclusive_maximum,
        }
        limits = ", ".join(f"{word} {bound}" for word, bound in bounds.items() if bound is not None)
        return f"{TYPES[self.type]} {limits}".rstrip()
