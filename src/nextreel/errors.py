"""The errors that nextreel raises deliberately.

    NextreelError
    ├── DataError           a file or a frame is missing, malformed or inconsistent
    ├── DownloadError       a data set couldn't be downloaded
    ├── ConfigError         an option is unknown or has an invalid value
    ├── QueryError          a query is invalid, such as an unknown movie or a k larger than the catalog
    ├── ArtifactError       a saved model is missing, damaged, or in an unsupported format
    ├── NotFittedError      a model was used before it was fitted
    ├── TooLargeError       a fit or a server would need more memory than there is
    ├── StoreError          the server's database can't be reached, read or written
    │   ├── IdempotencyError    an Idempotency-Key was reused for a different request body
    │   └── UnusableStoreError  the server's database is damaged, or its file was deleted or replaced
    ├── NotReadyError       the server can't recommend, though its store can be read
    └── MissingExtraError   an optional dependency isn't installed

The command line prints only the message and exits with status 1. A traceback means a bug in nextreel.
"""

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

from nextreel.wording import shorten


class NextreelError(Exception):
    """Base class of all errors that a user can cause and fix."""


@dataclass(frozen=True)
class DataProblem:
    """Something wrong at one place in a data file, such as an invalid cell."""

    file: str
    line: int | None
    """Line in the file, counted from 1, the header included; None if the problem isn't on one line."""
    column: str | None
    """Name of the column; None if the problem isn't in one column."""
    message: str
    """What the file has at this place, and what was expected instead."""

    def __str__(self) -> str:
        place = [self.file]
        if self.line is not None:
            place.append(f"line {self.line}")
        if self.column is not None:
            place.append(f"column {self.column}")
        return shorten(f"{', '.join(place)}: {self.message}")


class DataError(NextreelError):
    """A file or a frame is missing, malformed or inconsistent.

    Attributes
    ----------
    problems : list[DataProblem]
        Problems by place, at most the first 20 of a file; empty for an error that concerns a whole directory or frame.
    total : int
        Number of problems found, including those that `problems` doesn't list.
    is_partial : bool
        Whether reading stopped after so many problems, so that there may be more than `total`.
    """

    SHOWN = 20
    """Number of problems that the message of a DataError lists: enough to see a pattern, few enough for one screen."""

    def __init__(
        self, problems: list[DataProblem] | str, total: int | None = None, is_partial: bool = False
    ) -> None:
        self.problems = [] if isinstance(problems, str) else problems
        self.total = total if total is not None else len(self.problems)
        self.is_partial = is_partial
        if isinstance(problems, str):
            super().__init__(problems)
            return
        lines = [str(problem) for problem in self.problems[: self.SHOWN]]
        if self.total > len(lines):
            others = self.total - len(lines)
            count = f"at least {others:,}" if is_partial else f"{others:,}"
            lines.append(f"... and {count} more {'problem' if others == 1 else 'problems'}")
        super().__init__("\n".join(lines))


class DownloadError(NextreelError):
    """A data set couldn't be downloaded. The part that has arrived is kept, so that another attempt can resume."""


class ConfigError(NextreelError):
    """An option is unknown or has an invalid value."""


class QueryError(NextreelError):
    """A query is invalid, such as an unknown movie or a k larger than the catalog."""


class ErasedMeanwhileError(QueryError):
    """A user was erased while a request with their ratings waited for its turn."""


class ArtifactError(NextreelError):
    """A saved model is missing, damaged, or in an unsupported format."""


class NotFittedError(NextreelError):
    """A model was used before it was fitted."""


class TooLargeError(NextreelError):
    """A fit or a server would need more memory than there is; nothing was allocated yet."""


class StoreError(NextreelError):
    """The server's database can't be reached, read or written. A failed write leaves no partial change."""


class IdempotencyError(StoreError):
    """An Idempotency-Key was reused for a different request body."""


class UnusableStoreError(StoreError):
    """The server's database is damaged, or its file was deleted or replaced: trying again doesn't help.

    Attributes
    ----------
    told : str
        What clients may know of it: unlike the message, it names no file and no host.
    """

    def __init__(self, message: str, told: str) -> None:
        self.told = told
        super().__init__(message)


class NotReadyError(NextreelError):
    """The server can't recommend, though its store can be read."""


class MissingExtraError(NextreelError):
    """An optional dependency isn't installed."""


def how_to_install(extra: str) -> str:
    """Return how to install an extra from nextreel's source, since no package index has nextreel."""
    return f"in the directory of nextreel's source, run pip install '.[{extra}]'"


def require(module: str, extra: str) -> ModuleType:
    """Import a module that belongs to an optional extra.

    Raises
    ------
    MissingExtraError
        The module, or one that it needs itself, isn't installed; the message says how to install it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        missing = error.name or module
        raise MissingExtraError(
            f"this needs {missing}, which isn't installed: {how_to_install(extra)}"
        ) from error
