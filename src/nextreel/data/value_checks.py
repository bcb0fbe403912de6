"""What a column may hold: one rule per kind of column, for a whole frame and for a single cell of text."""

import re
from datetime import UTC, datetime
from os import PathLike

import polars as pl

from nextreel.data.schema import (
    DTYPES,
    EXPECTED,
    HIGHEST_RATING,
    INTERACTIONS,
    LARGEST_INTEGER,
    LOWEST_RATING,
    Column,
    Kind,
    Table,
)
from nextreel.data.times import LATEST_TIMESTAMP, LOWEST_MILLISECONDS
from nextreel.errors import DataError

Value = int | float | str | None
"""The value of a parsed cell of a table; None for an unknown value."""

INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
NOT_FINITE = {"nan", "inf", "infinity"}

FINER_UNITS = (
    (LOWEST_MILLISECONDS * 10**6, "nanoseconds"),
    (LOWEST_MILLISECONDS * 10**3, "microseconds"),
    (LOWEST_MILLISECONDS, "milliseconds"),
)
"""Units finer than seconds, each with the lowest timestamp that is probably in this unit: in it, a time in 1973."""


def check_frame(frame: pl.DataFrame, table: Table, name: str) -> pl.DataFrame:
    """Return the columns of a table from a frame, in the table's order and types, after checking every value.

    Parameters
    ----------
    frame : polars.DataFrame
        The frame to check; further columns are ignored, and narrower types of numbers are accepted.
    table : Table
        The table whose columns are expected.
    name : str
        Name of the frame in error messages.

    Raises
    ------
    DataError
        `frame` isn't a polars DataFrame, lacks a column, or has a column that holds a value that isn't allowed there.
    """
    _require_frame(frame, table, name)
    missing = [column for column in table.schema.names() if column not in frame.columns]
    if missing:
        raise DataError(f"{name}: column {missing[0]} is missing; found {', '.join(frame.columns)}")
    frame = frame.select(table.schema.names())
    for column in table.columns:
        try:
            frame = frame.with_columns(_cast(frame[column.name], column))
        except (pl.exceptions.PolarsError, TypeError):
            raise DataError(
                f"{name}: column {column.name} has type {frame[column.name].dtype}; "
                f"expected {table.schema[column.name]}, {EXPECTED[column.kind]}"
            ) from None
        for row, reason in explain_invalid(find_invalid(frame, table, column).head(1), column):
            raise DataError(f"{name}[{row - 1}], {column.name}: {reason}")
    return frame


def _require_frame(value: object, table: Table, name: str) -> None:
    if isinstance(value, str | PathLike):
        reader = "; nextreel.read_interactions reads it" if table is INTERACTIONS else ""
        raise DataError(f"{name}: {str(value)!r} is a path, not a polars DataFrame{reader}")
    if not isinstance(value, pl.DataFrame):
        raise DataError(f"{name}: expected a polars DataFrame, found a {type(value).__name__}")


def _cast(values: pl.Series, column: Column) -> pl.Series:
    """Cast to the column's type; raise TypeError where a plain cast would change the meaning or drop a fraction."""
    cast = values.cast(DTYPES[column.kind])
    drops_fraction = values.dtype.is_float() and column.kind != "rating" and (cast != values).any()
    if values.dtype.is_temporal() or drops_fraction:
        raise TypeError
    return cast


def find_invalid(frame: pl.DataFrame, table: Table, column: Column) -> pl.DataFrame:
    """Return a frame of the values that aren't allowed in a column: `row` (counted from 1) and `value`."""
    valid = is_valid(column)
    if column.name == table.key:
        valid &= pl.col(column.name).is_first_distinct()
    rows = frame.with_row_index("row", offset=1).filter(~valid)
    return rows.select("row", pl.col(column.name).alias("value"))


def explain_invalid(invalid: pl.DataFrame, column: Column) -> list[tuple[int, str]]:
    """Return (row number, explanation of what is wrong) for each row of the frame that `find_invalid` returned."""
    repeated = "{} is already in an earlier row; expected unique values"
    return [
        (row, explain_cell(column.kind, "" if value is None else str(value)) or repeated.format(value))
        for row, value in invalid.iter_rows()
    ]


def is_valid(column: Column) -> pl.Expr:
    """Return a polars expression: for each value of a column, whether it is allowed there.

    Text and counts may be null, which stands for an unknown attribute of a user or a movie.
    """
    value = pl.col(column.name)
    match column.kind:
        case "text":
            return pl.lit(True)
        case "rating":
            valid = value.is_between(LOWEST_RATING, HIGHEST_RATING)
        case "timestamp":
            valid = value.is_between(0, LATEST_TIMESTAMP)
        case "count":
            return value.is_between(0, LARGEST_INTEGER).fill_null(True)
        case "id":
            valid = value.is_between(0, LARGEST_INTEGER)
    return valid.fill_null(False)


def explain_cell(kind: Kind, cell: str) -> str:
    """Return what is wrong with the text of a cell in a column of this kind, or an empty string if it is valid."""
    try:
        parse_cell(kind, cell)
    except ValueError as error:
        return str(error)
    return ""


def parse_cell(kind: Kind, cell: str) -> Value:
    """Return the value that the text of a cell stands for in a column of this kind.

    Raises
    ------
    ValueError
        The cell is invalid; the message quotes it and says what was expected.
    """
    if kind == "text":
        return cell or None
    cell = cell.strip()
    if not cell and kind == "count":
        return None
    if not cell:
        raise ValueError(f"the cell is empty; expected {EXPECTED[kind]}")
    if kind == "rating":
        return _parse_rating(cell)
    return _parse_integer(cell, kind)


def _parse_rating(cell: str) -> float:
    expected = EXPECTED["rating"]
    if not DECIMAL.fullmatch(cell):
        raise ValueError(f"{cell!r} is not a {_kind_of_number(cell)}; expected {expected}")
    rating = float(cell)
    if not LOWEST_RATING <= rating <= HIGHEST_RATING:
        raise ValueError(f"{cell} is out of range; expected {expected}")
    return rating


def _parse_integer(cell: str, kind: Kind) -> int:
    if cell.isascii() and cell.isdecimal() and (len(cell) < 10 or (kind == "id" and len(cell) < 19)):
        return int(cell)  # fast path: a number of so few digits is in range
    expected = EXPECTED[kind]
    if not INTEGER.fullmatch(cell):
        number = "whole number" if DECIMAL.fullmatch(cell) else _kind_of_number(cell)
        raise ValueError(f"{cell!r} is not a {number}; expected {expected}")
    if len(cell) > len(str(LARGEST_INTEGER)) + 1 or abs(integer := int(cell)) > LARGEST_INTEGER:
        raise ValueError(f"{cell} doesn't fit into 64 bits; expected {expected}")
    if integer < 0:
        raise ValueError(f"{cell} is negative; expected {expected}")
    if kind == "timestamp" and integer > LATEST_TIMESTAMP:
        for lowest, unit in FINER_UNITS:
            if integer >= lowest:
                raise ValueError(f"{cell} looks like {unit}; expected {expected}")
        year = datetime.fromtimestamp(integer, UTC).year
        raise ValueError(f"{cell} is in the year {year}; expected {expected} before 2100")
    return integer


def _kind_of_number(cell: str) -> str:
    return "finite number" if cell.lower().lstrip("+-") in NOT_FINITE else "number"
