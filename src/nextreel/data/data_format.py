"""The format of a data set's files: what its columns are called, whether ids are text, and what its ratings mean.

A data set's format is decided once, when its files are first read. Splits and saved models remember it, so that no
later command asks again.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, FiniteFloat, JsonValue, ValidationError

from nextreel.data.ids import IdKind
from nextreel.data.rating_scale import RatingScale
from nextreel.data.schema import MOVIE_ID, ROLES, USER_ID
from nextreel.documents import read_json_file
from nextreel.errors import ConfigError, DataError

FORMAT_KEY = "data_format"
"""Key under which split.json, data.json and a model's manifest hold the format."""
PARTITIONS_FILE = "partitions.json"
"""Manifest of partitioned data, which `nextreel ingest` writes."""
REMEMBERING_FILES = ("split.json", "data.json", PARTITIONS_FILE)
"""Files of a data directory that may hold its format."""


class DataFormat(BaseModel):
    """The format of a data set, as far as it is known; None stands for what the files themselves will tell."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: Mapping[str, str] = {}
    """Name of the column in the user's files by role, such as {"user": "account_id"}."""
    user_ids: IdKind | None = None
    movie_ids: IdKind | None = None
    liked_from: FiniteFloat | None = None
    """Lowest rating that counts as liked, as the user gave it."""
    scale: RatingScale | None = None

    @classmethod
    def parse(cls, columns: str | None = None, liked_from: float | None = None) -> Self:
        """Return the format that a command line describes, such as `user=account_id,movie=sku,time=watched_at`.

        Raises
        ------
        ConfigError
            The text has another form, or names a role that no column has.
        """
        return cls.request(_parse_pairs(columns) if columns else {}, liked_from)

    @classmethod
    def request(cls, columns: Mapping[str, str] | None = None, liked_from: float | None = None) -> Self:
        """Return the format that a caller describes: the names of columns by role, and what counts as liked.

        Raises
        ------
        ConfigError
            A role is one that no column has, or `liked_from` isn't a finite number.
        """
        for role in columns or {}:
            if role not in ROLES:
                raise ConfigError(f"no column has the role {role!r}; expected one of {', '.join(ROLES)}")
        try:
            return cls(columns=dict(columns or {}), liked_from=liked_from)
        except ValidationError as error:
            raise ConfigError(f"liked_from is {liked_from!r}; expected a finite number") from error

    def kind_of(self, column: str) -> IdKind | None:
        """Return the kind of the ids in the column UserID or MovieID, None if the files themselves will tell."""
        return {USER_ID: self.user_ids, MOVIE_ID: self.movie_ids}.get(column)

    def with_request(self, request: Self | None) -> Self:
        """Return this remembered format with what a caller asks for in addition: names of columns, and `liked_from`."""
        if request is None:
            return self
        return self.model_copy(
            update={"columns": {**self.columns, **request.columns}, "liked_from": request.liked_from}
        )

    def to_json(self) -> dict[str, JsonValue]:
        """Return what JSON files hold of the format; empty for numeric ids, usual names of columns, and plain stars."""
        facts: dict[str, JsonValue] = {}
        if self.columns:
            facts["columns"] = dict(self.columns)
        facts |= {name: "text" for name in ("user_ids", "movie_ids") if getattr(self, name) == "text"}
        if self.scale not in (None, RatingScale()):
            facts["scale"] = self.scale.model_dump()
        return facts


ANY_FORMAT = DataFormat()
"""The format of files of which nothing is known yet."""


def write_format(directory: Path, format_: DataFormat) -> None:
    """Note in a data directory what its files are like, if they aren't as usual; their columns have the usual names."""
    facts = format_.model_copy(update={"columns": {}}).to_json()
    if facts:
        text = json.dumps({FORMAT_KEY: facts}, indent=2)
        (directory / REMEMBERING_FILES[1]).write_text(text + "\n", encoding="utf-8")


class _RememberedFacts(BaseModel):
    """The part of split.json or data.json that holds the format, under FORMAT_KEY."""

    data_format: DataFormat = ANY_FORMAT


def remembered_format(directory: Path) -> DataFormat:
    """Return the format that a data directory remembers, such as one that `nextreel split` wrote.

    Raises
    ------
    DataError
        The file that should hold the format is damaged.
    """
    for name in REMEMBERING_FILES:
        file = directory / name
        if not file.is_file():
            continue
        try:
            facts = _RememberedFacts.model_validate(read_json_file(file))
            return facts.data_format
        except (ValueError, OSError) as error:
            reason = str(error).splitlines()[0]
            raise DataError(
                f"{file} is damaged: {reason}; write it again, for example with nextreel split"
            ) from None
    return ANY_FORMAT


def _parse_pairs(text: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for pair in text.split(","):
        role, equals, name = (part.strip() for part in pair.partition("="))
        if not (role and equals and name):
            raise ConfigError(
                f"--columns {text!r}: {pair!r} isn't of the form role=column, such as user=account_id"
            )
        if role in pairs:
            raise ConfigError(f"--columns {text!r} names the role {role!r} twice")
        pairs[role] = name
    return pairs
