"""A CSV file as UTF-8 text, after its separator and the columns of the expected table were found in its header.

Problems of a file as a whole (empty, binary, a header without the columns) are reported here, before any row is
parsed. The dialect is RFC 4180 with lines that end in LF, CRLF or CR; the separator is a comma, a tab, ";" or "|".
"""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from nextreel.data.data_format import ANY_FORMAT, DataFormat
from nextreel.data.frames import FoundColumns, find_columns
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
SEPARATORS = (",", "\t", ";", "|")
"""Separators of columns that are tried, in this order."""
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
    separator: str = ","
    sources: Mapping[str, str] = field(default_factory=dict)
    """The file's name for each column of the table that it calls otherwise."""

    def lines(self) -> Iterator[str]:
        """Iterate over the physical lines, each with its line end; the first is the header."""
        return iter(io.TextIOWrapper(io.BytesIO(self.data), encoding="utf-8", newline=""))

    def positions(self, table: Table) -> list[int]:
        """Return, for each column of the table, the index of its cell in a row of the file."""
        return [self.header.index(self.name_of(column.name)) for column in table.columns]

    def name_of(self, column: str) -> str:
        """Return the file's name for a column of the table."""
        return self.sources.get(column, column)


def open_csv(path: Path, table: Table, format_: DataFormat = ANY_FORMAT) -> CsvText:
    """Read a CSV file, plain or gzipped, and find the table's columns in its header.

    Raises
    ------
    DataError
        The file can't be read, isn't CSV, is empty, or its header lacks or repeats a column.
    """
    data, notes = to_text(path.name, unpack(path), describe_csv(table))
    return find_csv_columns(path.name, data, notes, table, format_)


def find_csv_columns(file: str, data: bytes, notes: list[str], table: Table, format_: DataFormat) -> CsvText:
    """Return a text of CSV after the table's columns were found in its header; DataError if that lacks one."""
    separator, header, found = _read_header(file, data, table, format_)
    if found.ignored:
        notes = [*notes, f"{file}: ignored columns {', '.join(map(repr, found.ignored))}"]
    sources = {ours: name for ours, name in found.sources.items() if name != ours}
    return CsvText(file, data, header, tuple(notes), separator, sources)


def describe_csv(table: Table) -> str:
    """Return what a CSV file of a table must hold, for messages."""
    return f"a header {_header_of(table)} and rows"


def to_text(file: str, data: bytes, expected: str) -> tuple[bytes, list[str]]:
    """Return the bytes of a CSV file as UTF-8 text without a byte order mark, and notes on accepted deviations.

    Raises
    ------
    DataError
        The file is of another kind, binary, or empty; the message then says what was `expected`.
    """
    for magic, message in NOT_CSV.items():
        if data.startswith(magic):
            reject_file(file, message)
    data = data.removeprefix(BYTE_ORDER_MARK)
    if not data or data.isspace():
        reject_file(file, f"is empty; expected {expected}")
    if (position := data.find(b"\0")) >= 0:
        reject_file(file, "holds a NUL byte; expected text", line=1 + data.count(b"\n", 0, position))
    return _to_utf8(file, data)


def unpack(path: Path) -> bytes:
    """Return the contents of a file, unpacked if it is gzipped; DataError if it can't be read or unpacked."""
    data = _read_bytes(path)
    return _gunzip(path.name, data) if data.startswith(GZIP_MAGIC) else data


def check_regular(path: Path) -> None:
    """Raise DataError if a path exists but isn't a regular file, such as a directory or a pipe."""
    if path.exists() and not path.is_file():
        reject_file(path.name or str(path), "is not a regular file")


def _read_bytes(path: Path) -> bytes:
    check_regular(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError([DataProblem(str(path), None, None, f"can't be read ({error.strerror})")]) from error


def _gunzip(file: str, data: bytes) -> bytes:
    with gzip_problems(file):
        return gzip.decompress(data)


@contextmanager
def gzip_problems(file: str) -> Iterator[None]:
    """Raise DataError, which names the file, where the gzip data that the block unpacks are damaged."""
    try:
        yield
    except EOFError:
        reject_file(file, "ends in the middle of its gzip data: the file is truncated")
    except (gzip.BadGzipFile, zlib.error):
        reject_file(file, "is damaged: its gzip data can't be unpacked")


def _to_utf8(file: str, data: bytes) -> tuple[bytes, list[str]]:
    """Return the data as UTF-8 text, and a list that holds a note if the file has another encoding."""
    if data.isascii():
        return data, []
    try:
        data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1").encode(), [f"{file} is not UTF-8; read as latin-1"]
    return data, []


def _read_header(
    file: str, data: bytes, table: Table, format_: DataFormat
) -> tuple[str, list[str], FoundColumns]:
    """Return the separator, the names of the columns, and which of them are the table's."""
    headers = {SEPARATORS[0]: _split_header(file, data, SEPARATORS[0])}
    for separator in SEPARATORS[1:]:
        with suppress(DataError):
            headers[separator] = _split_header(file, data, separator)
    separator = max(headers, key=lambda separator: len(headers[separator]))
    for candidate, header in headers.items():
        try:
            found = find_columns(header, table, format_)
        except DataError as error:
            name, _, message = str(error).removeprefix("column ").partition(": ")
            column = None if message.startswith("say") else name
            raise DataError(
                [DataProblem(file, 1, column, str(error) if column is None else message)]
            ) from None
        if not found.missing:
            return candidate, header, found
    header = headers[separator]
    found = find_columns(header, table, format_)
    if not any(header):
        reject_file(file, f"the first line is empty; expected the header {_header_of(table)}", line=1)
    if "::" in header[0]:
        reject_file(file, "columns are separated by '::'; expected commas", line=1)
    if not found.sources and NUMBER.fullmatch(header[0]):
        message = "there is no header: the first line is a row of data; expected the header"
        reject_file(file, f"{message} {_header_of(table)}", line=1)
    roles = {column.name: column.role for column in table.columns}
    message = f"missing; the header has {', '.join(header)}"
    raise DataError(
        [
            DataProblem(file, 1, name, f"{message}; name the column by --columns {roles[name]}=NAME")
            for name in found.missing
        ]
    )


def _split_header(file: str, data: bytes, separator: str) -> list[str]:
    text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="")
    try:
        return [name.strip() for name in next(csv.reader(text, delimiter=separator, strict=True))]
    except csv.Error as error:
        raise DataError([DataProblem(file, 1, None, f"the header can't be read: {error}")]) from error


def _header_of(table: Table) -> str:
    return ",".join(column.name for column in table.columns)


def reject_file(file: str, message: str, line: int | None = None) -> NoReturn:
    """Raise DataError for a file as a whole, or for one of its lines."""
    raise DataError([DataProblem(file, line, None, message)])
