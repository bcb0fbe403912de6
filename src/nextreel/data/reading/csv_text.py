"""A CSV file as text of a known table: bytes to UTF-8, and the header's columns to their places.

What is wrong with a file as a whole (empty, binary, another separator, another header) is found here,
before any row is read. Dialect: RFC 4180, with LF, CRLF or CR.
"""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from nextreel.data.schema import Table
from nextreel.errors import DataError, DataProblem

GZIP_MAGIC = b"\x1f\x8b"
NOT_CSV = {
    b"PAR1": "is a Parquet file; name it .parquet",
    b"PK\x03\x04": "is a zip archive or a spreadsheet; expected CSV text",
    b"\xff\xfe": "is UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "is UTF-16 text; save it as UTF-8",
}
"""First bytes of what people mistake for CSV, and what to do about it."""
SEPARATORS = {";": "';'", "\t": "a tab", "::": "'::'", "|": "'|'"}
GROUPLENS_HEADERS = {"userId", "movieId"}
NUMBER = re.compile(r"\s*[+-]?\d+(\.\d*)?\s*", re.ASCII)


@dataclass(frozen=True)
class CsvText:
    """The text of one file whose header fits its table."""

    file: str
    data: bytes
    """UTF-8 without a byte order mark, the header included."""
    header: list[str]
    """Names of the file's columns, in the file's order."""
    notes: tuple[str, ...]
    """What was accepted though it isn't as it should be."""

    def lines(self) -> Iterator[str]:
        """Physical lines with their ends, the header's first."""
        return iter(io.TextIOWrapper(io.BytesIO(self.data), encoding="utf-8", newline=""))

    def places(self, table: Table) -> list[int]:
        """Where in a row each of the table's columns stands."""
        return [self.header.index(column.name) for column in table.columns]


def open_csv(path: Path, table: Table) -> CsvText:
    """Load a CSV file, plain or gzipped, and match its header with the table's columns."""
    data = _read_bytes(path)
    if data.startswith(GZIP_MAGIC):
        data = _gunzip(path.name, data)
    for magic, what in NOT_CSV.items():
        if data.startswith(magic):
            _reject(path.name, what)
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        _reject(path.name, f"is empty; expected a header {_header(table)} and rows")
    if (nul := data.find(b"\0")) >= 0:
        _reject(path.name, "holds a NUL byte; expected text", line=1 + data.count(b"\n", 0, nul))
    data, notes = _as_utf8(path.name, data)
    header = _match_header(path.name, data, table)
    names = {column.name for column in table.columns}
    if extra := [name for name in header if name not in names]:
        notes.append(f"{path.name}: ignored columns {', '.join(map(repr, extra))}")
    return CsvText(path.name, data, header, tuple(notes))


def check_regular(path: Path) -> None:
    """Raise DataError for what has a name and no content of its own, as a directory or a pipe."""
    if path.exists() and not path.is_file():
        _reject(path.name, "is not a regular file")


def _read_bytes(path: Path) -> bytes:
    check_regular(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError([DataProblem(str(path), None, None, f"can't be read ({error.strerror})")]) from error


def _gunzip(file: str, data: bytes) -> bytes:
    try:
        return gzip.decompress(data)
    except EOFError:
        _reject(file, "ends in the middle of its gzip data: the file is truncated")
    except (gzip.BadGzipFile, zlib.error):
        _reject(file, "is damaged: its gzip data can't be unpacked")


def _as_utf8(file: str, data: bytes) -> tuple[bytes, list[str]]:
    if data.isascii():
        return data, []
    try:
        data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1").encode(), [f"{file} is not UTF-8; read as latin-1"]
    return data, []


def _match_header(file: str, data: bytes, table: Table) -> list[str]:
    text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="")
    try:
        header = [name.strip() for name in next(csv.reader(text, strict=True))]
    except csv.Error as error:
        raise DataError([DataProblem(file, 1, None, f"the header can't be read: {error}")]) from error
    missing = [column.name for column in table.columns if column.name not in header]
    if len(header) == 1 and missing:
        for separator, shown in SEPARATORS.items():
            if separator in header[0]:
                _reject(file, f"columns are separated by {shown}; expected commas", line=1)
    if len(missing) == len(table.columns) and NUMBER.fullmatch(header[0]):
        _reject(file, f"there is no header, the first line is a row; expected {_header(table)}", line=1)
    if missing:
        hint = ": a raw file of GroupLens, which `nextreel convert` turns into this form"
        raw = not GROUPLENS_HEADERS.isdisjoint(header)
        found = f"missing; the header has {', '.join(header)}{hint if raw else ''}"
        raise DataError([DataProblem(file, 1, name, found) for name in missing])
    twice = [column.name for column in table.columns if header.count(column.name) > 1]
    if twice:
        raise DataError([DataProblem(file, 1, name, "stands more than once in the header") for name in twice])
    return header


def _header(table: Table) -> str:
    return ",".join(column.name for column in table.columns)


def _reject(file: str, message: str, line: int | None = None) -> NoReturn:
    raise DataError([DataProblem(file, line, None, message)])
