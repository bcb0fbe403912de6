"""A CSV file of any size: checked as a whole without holding it in memory, and read in pieces that end with a line.

What a CSV file is (its encoding, the columns in its header) is found as `csv_text` finds it, in a pass of its own.
"""

import codecs
import gzip
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from nextreel.data.data_format import DataFormat
from nextreel.data.reading.csv_text import (
    BYTE_ORDER_MARK,
    GZIP_MAGIC,
    CsvText,
    check_regular,
    describe_csv,
    find_csv_columns,
    gzip_problems,
    reject_file,
    to_text,
)
from nextreel.data.schema import Table

CHUNK = 2**20
"""Bytes that are looked at at once in the pass through a file."""
HEAD = 2**16
"""Bytes from the start of a file in which its header must be; longer first lines are read, too."""


@dataclass(frozen=True)
class LargeCsvText(CsvText):
    """The text of a CSV file that stays on the disk; `data` holds only its first lines."""

    source: Path = Path()
    """The file, or a copy of it, as UTF-8 text."""

    def lines(self) -> Iterator[str]:
        """Iterate over the physical lines of the whole file, each with its line end; the first is the header."""
        with self.source.open(encoding="utf-8-sig", newline="") as opened:
            yield from opened

    def pieces(self, size: int) -> Iterator[CsvText]:
        """Iterate over the rows as texts of about `size` bytes that end with a line, each below a copy of the header.

        A quoted cell with a line break may be cut; the fast reader takes neither piece then.
        """
        header = self.data[: self.data.find(b"\n") + 1]
        with self.source.open("rb") as opened:
            opened.seek(_length_of_mark(opened) + len(header))
            rest = b""
            while chunk := opened.read(size):
                end = chunk.rfind(b"\n") + 1
                if end:
                    yield self._with_rows(header + rest + chunk[:end])
                    rest = chunk[end:]
                else:
                    rest += chunk
            yield self._with_rows(header + rest)

    def _with_rows(self, data: bytes) -> CsvText:
        return CsvText(self.file, data, self.header, self.notes, self.separator, self.sources)


def open_large_csv(path: Path, table: Table, format_: DataFormat, scratch: Path) -> LargeCsvText:
    """Find the table's columns in the header of a CSV file of any size, plain or gzipped.

    Parameters
    ----------
    scratch : Path
        An existing directory for a copy of the file, if it is gzipped or not in UTF-8.

    Raises
    ------
    DataError
        The file can't be read, isn't CSV, is empty, or its header lacks or repeats a column.
    """
    source = unpack_to(path, scratch)
    notes: list[str] = []
    to_text(path.name, _read_head(source), describe_csv(table))  # which refuses what isn't CSV
    if not _check_text(path.name, source):
        source = _from_latin1(source, scratch)
        notes = [f"{path.name} is not UTF-8; read as latin-1"]
    data = _read_head(source).removeprefix(BYTE_ORDER_MARK)
    found = find_csv_columns(path.name, data, notes, table, format_)
    return replace(
        LargeCsvText(found.file, found.data, found.header, found.notes, found.separator, found.sources),
        source=source,
    )


def _read_head(source: Path) -> bytes:
    """Return the first lines of a file, at least one."""
    with source.open("rb") as opened:
        head = opened.read(HEAD)
        while head and b"\n" not in head and (more := opened.read(HEAD)):
            head += more
    return head[: head.rfind(b"\n") + 1] or head


def _length_of_mark(opened: BinaryIO) -> int:
    """Return the length of the byte order mark that an opened file begins with, 0 if there is none."""
    return len(BYTE_ORDER_MARK) if opened.read(len(BYTE_ORDER_MARK)) == BYTE_ORDER_MARK else 0


def unpack_to(path: Path, scratch: Path) -> Path:
    """Return the name of a file, or of an unpacked copy in `scratch` if it is gzipped.

    Raises DataError if the file can't be read or unpacked.
    """
    check_regular(path)
    try:
        with path.open("rb") as opened:
            is_packed = opened.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    except OSError as error:
        reject_file(str(path), f"can't be read ({error.strerror})")
    if not is_packed:
        return path
    copy = scratch / "unpacked"
    with gzip_problems(path.name), gzip.open(path) as packed, copy.open("wb") as unpacked:
        shutil.copyfileobj(packed, unpacked, CHUNK)
    return copy


def _check_text(file: str, source: Path) -> bool:
    """Return whether a file is UTF-8; DataError if it holds a NUL byte."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_utf8, lines = True, 1
    with source.open("rb") as opened:
        while chunk := opened.read(CHUNK):
            if (position := chunk.find(b"\0")) >= 0:
                line = lines + chunk.count(b"\n", 0, position)
                reject_file(file, "holds a NUL byte; expected text", line=line)
            lines += chunk.count(b"\n")
            is_utf8 = is_utf8 and _decodes(decoder, chunk)
    return is_utf8 and _decodes(decoder, b"", is_end=True)


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, is_end: bool = False) -> bool:
    if chunk.isascii() and not decoder.getstate()[0]:
        return True
    try:
        decoder.decode(chunk, is_end)
    except UnicodeDecodeError:
        return False
    return True


def _from_latin1(source: Path, scratch: Path) -> Path:
    copy = scratch / "decoded"
    with source.open("rb") as opened, copy.open("wb") as decoded:
        opened.seek(_length_of_mark(opened))
        while chunk := opened.read(CHUNK):
            decoded.write(chunk.decode("latin-1").encode())
    return copy
