"""The files of an export: one CSV file, or the members of a zip. Everything is read in memory, within limits."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NoReturn
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from nextreel.data.reading.csv_text import GZIP_MAGIC, check_regular
from nextreel.data.sources.zip_archives import open_zip_file
from nextreel.errors import DataError, DataProblem
from nextreel.wording import shorten

MOST_BYTES = 10_000_000
"""Greatest size of an export in bytes, packed and unpacked: that of somebody with 50,000 movies is smaller."""
MOST_MEMBERS = 1_000
"""Greatest number of files in a zip; that of Letterboxd has some dozens, one for each list."""
BEGINNING = 4_096
"""Number of bytes of a file in a zip by which it is told whether it is one that is read."""
ZIP_MAGIC = b"PK\x03\x04"
LONGEST_NAME = 100
"""Number of characters of a file's name that messages show."""


@dataclass(frozen=True)
class ExportFile:
    """A file of an export, in memory."""

    name: str
    """Name of the file, for messages."""
    data: bytes


def read_export_file(path: Path) -> ExportFile:
    """Read a file of an export, or its zip, into memory.

    Raises
    ------
    DataError
        The file can't be read, or has more than MOST_BYTES bytes.
    """
    check_regular(path)
    try:
        with path.open("rb") as file:
            return ExportFile(path.name, file.read(MOST_BYTES + 1))
    except OSError as error:
        raise DataError([DataProblem(str(path), None, None, f"can't be read ({error.strerror})")]) from error


def unpack_export(file: ExportFile, is_known: Callable[[ExportFile], bool]) -> list[ExportFile]:
    """Return the files of an export: the file itself or, of a zip, those in its uppermost folder that are known.

    Letterboxd's zip repeats deleted and orphaned entries in folders of their own, which mustn't count.

    Parameters
    ----------
    file : ExportFile
        A CSV file, or a zip.
    is_known : Callable[[ExportFile], bool]
        Whether the beginning of a file shows that it is read. Of a zip without such a file, all are returned.

    Raises
    ------
    DataError
        The file is too large or empty, or the zip is damaged, encrypted, or would be too large when it is unpacked.
    """
    if len(file.data) > MOST_BYTES:
        _refuse(file, f"has more than {MOST_BYTES:,} bytes; expected one person's export")
    if file.data.startswith(GZIP_MAGIC):
        _refuse(file, "is gzipped; unpack it first")
    if not file.data.startswith(ZIP_MAGIC):
        return [file]
    try:
        with open_zip_file(io.BytesIO(file.data)) as archive:
            return _unpack_members(file, archive, is_known)
    except BadZipFile as error:
        _refuse(file, f"is a zip that can't be unpacked ({shorten(str(error), 100)})")


def _unpack_members(
    file: ExportFile, archive: ZipFile, is_known: Callable[[ExportFile], bool]
) -> list[ExportFile]:
    members = [info for info in archive.infolist() if not info.is_dir()]
    if len(members) > MOST_MEMBERS:
        _refuse(file, f"is a zip of {len(members):,} files; expected at most {MOST_MEMBERS:,}")
    known = [
        info for info in members if is_known(ExportFile(info.filename, _read(file, archive, info, BEGINNING)))
    ]
    depth = min((_depth(info) for info in known), default=0)
    chosen = [info for info in known if _depth(info) == depth]
    unpacked: list[ExportFile] = []
    left = MOST_BYTES
    for info in chosen:
        data = _read(file, archive, info, left + 1)
        left -= len(data)
        if left < 0:
            _refuse(
                file, f"is a zip that unpacks to more than {MOST_BYTES:,} bytes; expected one person's export"
            )
        unpacked.append(ExportFile(shorten(PurePosixPath(info.filename).name, LONGEST_NAME), data))
    return unpacked


def _depth(info: ZipInfo) -> int:
    return len(PurePosixPath(info.filename).parts)


def _read(file: ExportFile, archive: ZipFile, info: ZipInfo, most: int) -> bytes:
    """Return at most this many bytes of a member; a member may claim any size, so what it claims doesn't count."""
    if info.flag_bits & 1:
        _refuse(file, "is an encrypted zip; unpack it first")
    if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        _refuse(file, "is a zip of an unusual kind; unpack it first")
    with archive.open(info) as member:
        return member.read(most)


def _refuse(file: ExportFile, message: str) -> NoReturn:
    raise DataError([DataProblem(shorten(file.name, LONGEST_NAME), None, None, message)])
