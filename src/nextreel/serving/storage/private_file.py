"""Who may read the file of a store: only its owner, since it holds what people watched and the hashes of the keys."""

import contextlib
import os
from pathlib import Path

PRIVATE = 0o600
OTHERS = 0o077
"""Bits of a file's mode that let the group and others in."""
COMPANIONS = ("-wal", "-shm")
"""Endings of the files that SQLite keeps beside its main file; it creates them with the main file's mode."""


def create_private(file: Path) -> None:
    """Create an empty file that only its owner may read and write, unless there is a file.

    SQLite takes an empty file for a new database, and says better than we could what is wrong with a file that can't be
    created.
    """
    with contextlib.suppress(OSError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE))


def describe_openness(file: Path) -> str | None:
    """Return a sentence about the files of a store that others may read or write; None if only the owner may.

    Windows has other permissions, which this doesn't look at.
    """
    if os.name == "nt":
        return None
    open_files = []
    for path in (file, *(file.with_name(f"{file.name}{ending}") for ending in COMPANIONS)):
        with contextlib.suppress(OSError):
            if path.stat().st_mode & OTHERS:
                open_files.append(str(path))
    if not open_files:
        return None
    return (
        f"other users of this machine may open {open_files[0]}, which holds personal data: chmod 600 "
        f"{' '.join(open_files)} keeps them out"
    )
