"""The journal of erasures: a file beside the database of SQLite that outlives it, so that a restore can replay them.

    nextreel.db            the store
    nextreel.db.erasures   its journal: a line that names the store, then a line of JSON for each erasure

An erasure is in the journal before its transaction commits, so that there is none that only the database knows. The
file holds hidden ids, and the secret that they were made with is in the store and its backups only: by itself it says
when somebody was erased, but of nobody whether it was them.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

import orjson
from pydantic import TypeAdapter

from nextreel.errors import StoreError
from nextreel.serving.storage.people.erasure_log import LoggedErasure

ENDING = ".erasures"
TAIL_BYTES = 4096
"""Length of the end of the file in which the last whole line is looked for; a line has about 80 bytes."""
OWNER_ONLY = 0o600
"""Permissions of the file: nobody but its owner reads or writes it."""

_ENTRY = TypeAdapter(LoggedErasure)


def journal_of(database: Path) -> Path:
    """Return the name of the journal of a store, or of a copy of it beside a backup."""
    return database.with_name(database.name + ENDING)


def append_erasures(file: Path, store: str, log: Sequence[LoggedErasure]) -> None:
    """Write what the journal lacks of the log of a store, to the disk. No other process may write it at the same time.

    A line that was written in part, when a process or the machine died, is overwritten. The journal of another store in
    this place is kept under another name.

    Parameters
    ----------
    file : Path
        The journal; it is created if it is missing.
    store : str
        Identity of the store.
    log : Sequence[LoggedErasure]
        All erasures of the store in their order; the last one is written even if its id is there already, since
        the transaction of the erasure that had this id before may have failed.

    Raises
    ------
    StoreError
        The journal can't be read or written.
    """
    with _translated_errors(file):
        if file.exists() and (other := _read_store(file)) not in ("", store):
            file.rename(file.with_name(f"{file.name}.{other[:8]}"))
        with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT, OWNER_ONLY), "r+b") as stream:
            last_id, end = _find_end(stream)
            stream.seek(end)
            stream.truncate()
            if not end:
                stream.write(orjson.dumps({"store": store}) + b"\n")
            entries = [entry for entry in log[:-1] if entry.id > last_id] + [*log[-1:]]
            stream.write(b"".join(orjson.dumps(asdict(entry)) + b"\n" for entry in entries))
            stream.flush()
            os.fsync(stream.fileno())


def read_journal(file: Path, store: str) -> list[LoggedErasure]:
    """Return the erasures of a journal; a last line that was written in part is left out.

    Raises
    ------
    StoreError
        The file can't be read, is no journal, or is that of another store.
    """
    with _translated_errors(file):
        if _read_store(file) != store:
            raise StoreError(f"{file} holds the erasures of another store")
        lines = file.read_bytes().split(b"\n")[1:-1]
        return [_ENTRY.validate_python(orjson.loads(line)) for line in lines]


def journal_store(file: Path) -> str:
    """Return the identity of the store that a journal is of; raises StoreError as `read_journal` does."""
    with _translated_errors(file):
        return _read_store(file)


def _read_store(file: Path) -> str:
    """Return the identity of the store that a journal is of; "" if not even its first line was written."""
    with file.open("rb") as stream:
        line = stream.readline(TAIL_BYTES)
    return (
        TypeAdapter(dict[str, str]).validate_python(orjson.loads(line))["store"] if line[-1:] == b"\n" else ""
    )


def _find_end(stream: BinaryIO) -> tuple[int, int]:
    """Return the id of the last erasure and the position behind its line, both 0 for a new file."""
    size = stream.seek(0, os.SEEK_END)
    start = max(0, size - TAIL_BYTES)
    stream.seek(start)
    tail = stream.read()
    end = tail.rfind(b"\n") + 1
    last_line = tail[:end].rstrip(b"\n").rpartition(b"\n")[2]
    fields = orjson.loads(last_line) if end else {}
    return int(fields.get("id", 0)), start + end if end else 0


@contextmanager
def _translated_errors(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"{file}: {error.strerror or error}") from error
    except (ValueError, KeyError) as error:
        raise StoreError(f"{file} is damaged or no journal of erasures: {error}") from None
