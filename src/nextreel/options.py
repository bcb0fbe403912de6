"""Options by name, as from a file or the command line: typed, and refused in a sentence."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from nextreel.errors import ConfigError

KINDS = {
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "string": "text",
}
BOUNDS = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "up to", "exclusiveMaximum": "below"}
"""How messages say the terms of JSON Schema."""


@dataclass(frozen=True)
class Range:
    """Search range of a numeric option, given beside it in `Annotated[...]`; integers if both ends are."""

    low: float
    """Smallest value."""
    high: float
    """Largest value."""
    log: bool = False
    """Whether values are drawn uniformly on a logarithmic scale."""

    @property
    def integer(self) -> bool:
        """Whether the values are integers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def contains(self, value: object) -> bool:
        """Whether `value` lies within the range; None doesn't."""
        return isinstance(value, int | float) and self.low <= value <= self.high


@dataclass(frozen=True)
class Choice:
    """Search range of an option that has a few values worth trying, given beside it in `Annotated[...]`."""

    values: tuple[int, ...]
    """The values."""

    def contains(self, value: object) -> bool:
        """Whether `value` is one of the values."""
        return value in self.values


class Options(BaseModel):
    """Base of all groups of options: immutable, and an unknown or impossible one is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    @classmethod
    def parse(cls, options: Mapping[str, object], owner: str = "the model") -> Self:
        """Check options by name; ConfigError says which one of the owner's is wrong and what is allowed."""
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
        group: Any = cls
        for each in groups:
            group = group.model_fields[each].annotation
        if first["type"] == "extra_forbidden":
            close = get_close_matches(name, group.model_fields)
            known = ", ".join([*close, *(each for each in group.model_fields if each not in close)])
            whose = f"option {'.'.join(groups)} of {owner}" if groups else owner
            return f"{whose} has no option {name!r}; its options: {known}"
        value = first["input"]
        shown = repr(value) if isinstance(value, str) else json.dumps(value, default=repr)
        schema = group.model_json_schema()["properties"][name]
        allowed = "a finite number" if first["type"] == "finite_number" else _describe(schema)
        return f"option {'.'.join([*groups, name])} of {owner} is {shown}; expected {allowed}"


def _describe(schema: Mapping[str, Any]) -> str:
    """What a schema allows: "a whole number from 1 or null"."""
    if "anyOf" in schema:
        # Null goes without saying where it is what an option has that isn't named.
        kinds = [
            kind for kind in schema["anyOf"] if kind != {"type": "null"} or schema["default"] is not None
        ]
        return " or ".join(map(_describe, kinds))
    if "enum" in schema:
        *others, last = schema["enum"]
        return f"{', '.join(others)} or {last}"
    if "type" not in schema:
        return "options by name"
    bounds = ", ".join(f"{word} {schema[term]}" for term, word in BOUNDS.items() if term in schema)
    return f"{KINDS[schema['type']]} {bounds}".rstrip()
