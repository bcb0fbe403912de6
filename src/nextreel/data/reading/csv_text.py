"""A CSV file as UTF-8 text, after a check that its header has the columns of the expected table.

Problems of a file as a whole (empty, binary, another separator, another header) are reported here, before any row
is parsed. The dialect is RFC 4180 with lines that end in LF, CRLF or CR.
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
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
NOT_CSV = {
    b"PAR1": "is a Parquet file; name it .parquet",
    b"PK\x03\x04": "is a zip archive or a spreadsheet; expected CSV text",
    b"\xff\xfe": "is UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "is UTF-16 text; save it as UTF-8",
}
"""First bytes of files that are often mistaken for CSV, with the message for each."""
SEPARATORS = {";": "';'", "\t": "a tab", "::": "'::'", "|": "'|'"}
"""Separators that are often used in place of commas, with their names in messages."""
GROUPLENS_HEADERS = {"userId", "movieId"}
NUMBER = re.compile(r"\s*[+-]?\d+(\.\d*)?\s*", re.ASCII)


@dataclass(frozen=True)
class CsvText:
    """The text of a CSV file whose header has all columns of its table."""

    file: str
    """Name of the file, for messages."""
    data: bytes
    """UTF-8 text without a byte order mark, header included."""
    header: list[str]
    """Names of all columns of the file, in the file's order; the table may lack some of them."""
    notes: tuple[str, ...]
    """Messages about accepted deviations from the format, such as another encoding than UTF-8."""

    def lines(self) -> Iterator[str]:
        """Iterate over the physical lines, each with its line end; the first is the header."""
        return iter(io.TextIOWrapper(io.BytesIO(self.data), encoding="utf-8", newline=""))

    def positions(self, table: Table) -> list[int]:
        """Return, for each column of the table, the index of its cell in a row of the file."""
        return [self.header.index(column.name) for column in table.columns]


def open_csv(path: Path, table: Table) -> CsvText:
    """Read a CSV file, plain or gzipped, and check that its header has the table's columns.

    Raises
    ------
    DataError
        The file can't be read, isn't CSV, is empty, or its header lacks or repeats a column.
    """
    data = _read_bytes(path)
    if data.startswith(GZIP_MAGIC):
        data = _gunzip(path.name, data)
    for magic, message in NOT_CSV.items():
        if data.startswith(magic):
            _reject(path.name, message)
    data = data.removeprefix(BYTE_ORDER_MARK)
    if not data.strip():
        _reject(path.name, f"is empty; expected a header {_header_of(table)} and rows")
    if (position := data.find(b"\0")) >= 0:
        _reject(path.name, "holds a NUL byte; expected text", line=1 + data.count(b"\n", 0, position))
    data, notes = _to_utf8(path.name, data)
    header = _read_header(path.name, data, table)
    names = {column.name for column in table.columns}
    if ignored := [name for name in header if name not in names]:
        notes.append(f"{path.name}: ignored columns {', '.join(map(repr, ignored))}")
    return CsvText(path.name, data, header, tuple(notes))


def check_regular(path: Path) -> None:
    """Raise DataError if a path exists but isn't a regular file, such as a directory or a pipe."""
    if path.exists() and not path.is_file():
        _reject(path.name or str(path), "is not a regular file")


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


def _to_utf8(file: str, data: bytes) -> tuple[bytes, list[str]]:
    """Return the data as UTF-8 text, and a list that holds a note if the file has another encoding."""
    if data.isascii():
        return data, []
    try:
        data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1").encode(), [f"{file} is not UTF-8; read as latin-1"]
    return data, []


def _read_header(file: str, data: bytes, table: Table) -> list[str]:
    text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="")
    try:
        header = [name.strip() for name in next(csv.reader(text, strict=True))]
    except csv.Error as error:
        raise DataError([DataProblem(file, 1, None, f"the header can't be read: {error}")]) from error
    missing = [column.name for column in table.columns if column.name not in header]
    if len(header) == 1 and missing:
        for separator, name in SEPARATORS.items():
            if separator in header[0]:
                _reject(file, f"columns are separated by {name}; expected commas", line=1)
    if len(missing) == len(table.columns) and NUMBER.fullmatch(header[0]):
        message = "there is no header: the first line is a row of data; expected the header"
        _reject(file, f"{message} {_header_of(table)}", line=1)
    if missing:
        is_raw = not GROUPLENS_HEADERS.isdisjoint(header)
        hint = "; this is a raw GroupLens file: convert it with `nextreel convert`" if is_raw else ""
        message = f"missing; the header has {', '.join(header)}{hint}"
        raise DataError([DataProblem(file, 1, name, message) for name in missing])
    repeated = [column.name for column in table.columns if header.count(column.name) > 1]
    if repeated:
        raise DataError([DataProblem(file, 1, name, "is in the header more than once") for name in repeated])
    return header


def _header_of(table: Table) -> str:
    return ",".join(column.name for column in table.columns)


def _reject(file: str, message: str, line: int | None = None) -> NoReturn:
    raise DataError([DataProblem(file, line, None, message)])
