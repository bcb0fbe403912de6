"""JSON and TOML documents that a user gives, as files or texts: whatever is wrong with one is a ValueError.

Nested brackets are read, checked and shown by recursion, which fails beyond some hundred levels. No document of
nextreel's needs more than ten.
"""

import errno
import json
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import JsonValue

MOST_LEVELS = 100
"""Number of brackets within each other that a document may have."""
TOO_DEEP = f"it has more than {MOST_LEVELS} levels of brackets"


def parse_json(text: str) -> "JsonValue":
    """Parse a JSON text.

    Raises
    ------
    ValueError
        The text isn't JSON, is nested too deeply, or holds too long a number.
    """
    try:
        value: JsonValue = json.loads(text)
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
    _require_few_levels(value)
    return value


def read_json_file(file: Path) -> "JsonValue":
    """Read a JSON file in UTF-8.

    Raises
    ------
    OSError
        The file can't be read, or is a pipe or a device.
    ValueError
        It isn't JSON in UTF-8, is nested too deeply, or holds too long a number.
    """
    return parse_json(read_text_file(file))


def read_toml_file(file: Path) -> dict[str, object]:
    """Read a TOML file.

    Raises
    ------
    OSError
        The file can't be read, or is a pipe or a device.
    ValueError
        It isn't TOML, is nested too deeply, or holds too long a number.
    """
    try:
        content = tomllib.loads(read_text_file(file))
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
    _require_few_levels(content)
    return content


def read_text_file(file: Path) -> str:
    """Read a text file in UTF-8.

    Raises
    ------
    OSError
        The file can't be read, or is a pipe or a device.
    ValueError
        It isn't UTF-8.
    """
    if file.exists() and not file.is_file() and not file.is_dir():
        # To read a pipe would wait for a writer, and a device may never end.
        raise OSError(errno.EINVAL, "it is not a regular file", str(file))
    return file.read_text(encoding="utf-8")


def _require_few_levels(value: object) -> None:
    level = [value]
    for _ in range(MOST_LEVELS + 1):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return
    raise ValueError(TOO_DEEP)


def _children(value: object) -> Iterable[object]:
    match value:
        case dict():
            return value.values()
        case list():
            return value
        case _:
            return ()
