"""Zip archives that may be damaged: whatever the many parsers behind a zip raise is one kind of error."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from zipfile import BadZipFile, ZipFile

from nextreel.data.reading.csv_text import check_regular

try:
    from lzma import LZMAError
except ImportError:  # a Python that was built without lzma, which refuses such members with a RuntimeError
    LZMAError = zlib.error  # type: ignore[assignment,misc]

DAMAGE = (
    BadZipFile,
    EOFError,
    LZMAError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What reading a damaged archive raises; bz2 raises OSError."""


@contextmanager
def open_zip(path: Path) -> Iterator[ZipFile]:
    """Open a zip for reading its members within the block.

    Raises
    ------
    DataError
        The path is a pipe or a device.
    OSError
        The file can't be opened.
    BadZipFile
        The archive is damaged, in its directory or in a member that is read, or it needs a password or a newer unzip.
    """
    check_regular(path)
    with path.open("rb") as file, open_zip_file(file) as archive:
        yield archive


@contextmanager
def open_zip_file(file: BinaryIO) -> Iterator[ZipFile]:
    """Open a zip that is open as a file already; raises BadZipFile as `open_zip` does."""
    try:
        with ZipFile(file) as archive:
            yield archive
    except DAMAGE as error:
        raise BadZipFile(str(error) or type(error).__name__) from error
