"""Letting only one run at a time write to a directory that several runs add to."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nextreel.atomic_files.unfinished import take_lock
from nextreel.errors import ArtifactError


@contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """Keep other runs that ask for it out of an existing directory during the block; the system lets go of what ends.

    Where there is no flock (Windows, some network file systems), nobody is kept out.

    Raises
    ------
    ArtifactError
        Another run is in the directory.
    """
    try:
        held = take_lock(directory)
    except BlockingIOError:
        raise ArtifactError(f"{directory}: another run is writing to it; wait until it has ended") from None
    try:
        yield
    finally:
        if held is not None:
            os.close(held)
