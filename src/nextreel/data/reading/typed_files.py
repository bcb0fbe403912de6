"""Reading a table from Parquet or JSON lines: the types of its columns and all values are checked.

Types may be narrower than the table's (Int32, UInt16) or wider (Float64 for ratings), but not of another kind: a float
may have lost digits of an id, and an integer the leading zeros of a ZipCode.
"""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from nextreel.data.data_format import DataFormat
from nextreel.data.frames import FoundColumns, cast, complete, find_columns, resolve, to_canonical
from nextreel.data.reading.csv_text import check_regular, unpack
from nextreel.data.reading.data_files import JSON_SUFFIXES
from nextreel.data.reading.polars_panics import panics_as_errors
from nextreel.data.schema import DTYPES, EXPECTED, Column, Table
from nextreel.data.value_checks import explain_invalid, find_invalid
from nextreel.errors import DataError, DataProblem

PARQUET = ".parquet"


def is_typed(path: Path) -> bool:
    """Return whether a file's name is that of a Parquet file or of a file of JSON lines."""
    return path.name.lower().removesuffix(".gz").endswith((PARQUET, *JSON_SUFFIXES))


@dataclass(frozen=True)
class TypedTable:
    """The table's columns of a file, with their stored types and without a check of their values."""

    file: str
    """Name of the file, for messages."""
    frame: pl.DataFrame
    """The columns under our names, with text and times as they can be checked."""
    resolved: Table
    """The table with the columns that the file has, and what they hold."""
    found: FoundColumns
    rows_before: int = 0
    """Number of rows of the file that stand before those of the frame, for messages."""

    @property
    def notes(self) -> tuple[str, ...]:
        """A message about columns that were ignored, if there are any."""
        ignored = ", ".join(map(repr, self.found.ignored))
        return (f"{self.file}: ignored columns {ignored}",) if ignored else ()

    def read(self, table: Table) -> pl.DataFrame:
        """Return the table in its types after checking every value.

        Raises
        ------
        DataError
            A column holds an invalid value. The error holds the first 20 problems of each column and counts the
            others; rows are counted from 1.
        """
        invalid_rows = [
            (column, find_invalid(self.frame, self.resolved, column)) for column in self.resolved.columns
        ]
        problems = [
            DataProblem(
                self.file, None, self.found.sources[column.name], f"row {self.rows_before + row}: {reason}"
            )
            for column, rows in invalid_rows
            for row, reason in explain_invalid(rows.head(DataError.SHOWN), column)
        ]
        if problems:
            raise DataError(problems, sum(rows.height for _, rows in invalid_rows))
        return complete(to_canonical(self.frame, self.resolved), table)


def open_typed(path: Path, table: Table, format_: DataFormat) -> TypedTable:
    """Read the table's columns from a Parquet file or a file of JSON lines.

    Raises
    ------
    DataError
        The file can't be read, or a column is missing or has another type.
    """
    if path.suffix.lower() == PARQUET:
        check_regular(path)
        with parquet_problems(path):
            rows = scan_parquet(path)
            found = find_typed_columns(path.name, rows.collect_schema(), table, format_)
            frame = rows.select(found.sources.values()).collect()
    else:
        frame = _read_json_lines(path)
        found = find_typed_columns(path.name, frame.schema, table, format_)
    named = rename(frame, found)
    return prepare(path.name, named, resolve(table, named, format_), found)


def scan_parquet(path: Path) -> pl.LazyFrame:
    """Return a Parquet file as a lazy frame, whatever is in its name."""
    # Polars would take a name with * or [ for a pattern, and ~ for the home directory.
    return pl.scan_parquet(path.absolute(), glob=False)


@contextmanager
def parquet_problems(path: Path) -> Iterator[None]:
    """Raise DataError, which names the file, where the Parquet file that the block reads is damaged."""
    try:
        with panics_as_errors():
            yield
    except (pl.exceptions.PolarsError, OSError) as error:
        message = "can't be read as Parquet: it is damaged or isn't a Parquet file"
        raise DataError([DataProblem(path.name, None, None, message)]) from error


def rename(frame: pl.DataFrame, found: FoundColumns) -> pl.DataFrame:
    """Return the columns of a table in a frame under our names."""
    return frame.select(pl.col(source).alias(ours) for ours, source in found.sources.items())


def prepare(
    file: str, frame: pl.DataFrame, resolved: Table, found: FoundColumns, rows_before: int = 0
) -> TypedTable:
    """Return rows of a typed file, under our names, with text and times as they can be checked."""
    kinds = {column.name: column for column in resolved.columns}
    prepared = [
        # The digits of a stored number are its text; a frame's number among texts is an error instead.
        cast(values.cast(pl.String) if values.dtype.is_integer() else values, kinds[values.name])
        for values in frame
        if values.name in kinds and (not values.dtype.is_numeric() or kinds[values.name].kind == "text id")
    ]
    return TypedTable(file, frame.with_columns(prepared), resolved, found, rows_before)


def _read_json_lines(path: Path) -> pl.DataFrame:
    data = unpack(path)
    try:
        return pl.read_ndjson(io.BytesIO(data), infer_schema_length=None)
    except pl.exceptions.PolarsError as error:
        for number, line in enumerate(data.splitlines(), start=1):
            try:
                if line.strip() and not isinstance(json.loads(line), dict):
                    raise ValueError("it isn't an object")
            except (ValueError, RecursionError) as reason:
                problem = DataProblem(path.name, number, None, f"can't be read as JSON: {reason}")
                raise DataError([problem]) from error
        message = "can't be read as JSON lines: a column holds values of several types"
        raise DataError([DataProblem(path.name, None, None, message)]) from error


def find_typed_columns(file: str, types: pl.Schema, table: Table, format_: DataFormat) -> FoundColumns:
    """Recognise the columns of a table in a file whose columns have types; DataError if one lacks or has another."""
    try:
        found = find_columns(list(types), table, format_)
    except DataError as error:
        raise DataError([DataProblem(file, None, None, str(error))]) from None
    roles = {column.name: column.role for column in table.columns}
    problems = [
        DataProblem(
            file,
            None,
            name,
            f"missing; the file has {', '.join(types)}; name the column by --columns {roles[name]}=NAME",
        )
        for name in found.missing
    ]
    for column in table.recognised:
        source = found.sources.get(column.name)
        if source is not None and not _may_hold(types[source], column):
            expected = f"{DTYPES[column.kind]}, {EXPECTED[column.kind]}"
            problems.append(DataProblem(file, None, source, f"has type {types[source]}; expected {expected}"))
    if problems:
        raise DataError(problems)
    return found


def _may_hold(dtype: pl.DataType, column: Column) -> bool:
    is_text = dtype in (pl.String, pl.Categorical, pl.Enum)
    match column.kind:
        case "text":
            return is_text or (column.name == "Genres" and dtype == pl.List(pl.String)) or dtype == pl.Null
        case "id":
            return is_text or dtype.is_integer()
        case "rating":
            return dtype.is_integer() or dtype.is_float()
        case "timestamp":
            return is_text or dtype.is_integer() or dtype in (pl.Datetime, pl.Date)
        case _:
            return dtype.is_integer() or dtype == pl.Null
