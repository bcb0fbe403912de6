"""Where a data directory comes from: the server's store that wrote it, if one did."""

from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from nextreel.errors import DataError

ORIGIN_FILE: Final = "store.json"
"""File beside the data that a store wrote; it names the store."""


class DataOrigin(BaseModel):
    """What the file says."""

    model_config = ConfigDict(extra="allow")

    store: str
    """Identity of the store, a random text that it got when it was created."""


def write_origin(directory: Path, store: str) -> None:
    """Note in a data directory which store wrote it."""
    text = DataOrigin(store=store).model_dump_json(indent=2)
    (directory / ORIGIN_FILE).write_text(text + "\n", encoding="utf-8")


def read_origin(directory: Path) -> str | None:
    """Return the identity of the store that wrote a data directory; None if no store did.

    Raises
    ------
    DataError
        The directory has the file, but it can't be read.
    """
    file = directory / ORIGIN_FILE
    try:
        return DataOrigin.model_validate_json(file.read_bytes()).store
    except (FileNotFoundError, NotADirectoryError):  # the data may be one file, too
        return None
    except (OSError, ValidationError) as error:
        reason = error.strerror if isinstance(error, OSError) else error.errors(include_url=False)[0]["msg"]
        raise DataError(
            f"{file}: can't be read ({reason}); nextreel models data wrote it: write the data again, or delete the file"
        ) from error
