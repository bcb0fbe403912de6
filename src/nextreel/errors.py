"""Every error that nextreel raises on purpose, as one tree.

    NextreelError
    ├── DataError           a file or a frame holds what it may not hold
    ├── DownloadError       a data set couldn't be fetched
    ├── ConfigError         a model's option is unknown or out of range
    ├── QueryError          a question that can't be answered: an unknown movie, a k beyond the catalog
    ├── ArtifactError       a saved model is missing, damaged, or of a newer format
    ├── NotFittedError      a model was asked before it was fitted
    ├── StoreError          the server's database can't be reached, read or written
    │   └── IdempotencyError    an Idempotency-Key came again with another body
    └── MissingExtraError   an optional dependency isn't installed

The command line prints the message alone and exits with 1; a traceback means a bug of ours.
"""

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

from nextreel.deprecation import warn_renamed


class NextreelError(Exception):
    """Base of all errors that a user can cause and mend."""


@dataclass(frozen=True)
class DataProblem:
    """One thing wrong at one place of a file."""

    file: str
    line: int | None
    """Line in the file, counted from 1, the header included; None when the whole file is meant."""
    column: str | None
    message: str
    """What was found and what was expected."""

    def __str__(self) -> str:
        place = [self.file]
        if self.line is not None:
            place.append(f"line {self.line}")
        if self.column is not None:
            place.append(f"column {self.column}")
        return f"{', '.join(place)}: {self.message}"


class DataError(NextreelError):
    """A file or frame holds what it may not hold; `problems` lists each place."""

    SHOWN = 20

    def __init__(self, problems: list[DataProblem] | str, total: int | None = None) -> None:
        self.problems = [] if isinstance(problems, str) else problems
        self.total = total if total is not None else len(self.problems)
        if isinstance(problems, str):
            super().__init__(problems)
            return
        lines = [str(problem) for problem in self.problems[: self.SHOWN]]
        if self.total > len(lines):
            left = self.total - len(lines)
            lines.append(f"... and {left:,} more {'problem' if left == 1 else 'problems'}")
        super().__init__("\n".join(lines))


class DownloadError(NextreelError):
    """A data set couldn't be fetched; what has arrived is kept for the next try."""


class ConfigError(NextreelError):
    """A model's option is unknown or out of range."""


class QueryError(NextreelError):
    """A question that can't be answered as asked."""


class ArtifactError(NextreelError):
    """A saved model is missing, damaged, or of a newer format."""


class NotFittedError(NextreelError):
    """A model was asked before it was fitted."""


class StoreError(NextreelError):
    """The server's database can't be reached, read or written; nothing is half written."""


class IdempotencyError(StoreError):
    """An Idempotency-Key came again with another body."""


class MissingExtraError(NextreelError):
    """An optional dependency isn't installed."""


def require(module: str, extra: str) -> ModuleType:
    """Import an optional dependency, or say in one line how to get it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"this needs {module}, which isn't installed: pip install 'nextreel[{extra}]'"
        ) from error


def __getattr__(name: str) -> object:
    if name == "Problem":
        warn_renamed("nextreel.errors.Problem", "DataProblem")
        return DataProblem
    raise AttributeError(f"module 'nextreel.errors' has no attribute {name!r}")
