"""What a cell or a frame may hold: parsing one value, and checking columns at once."""

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
from nextreel.data.times import LATEST_TIMESTAMP
from nextreel.errors import DataError

Value = int | float | str | None


INTEGER = re.compile(r"[+-]?\d+", re.ASCII)


DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


NOT_FINITE = {"nan", "inf", "infinity"}


FINER_UNITS = ((10**17, "nanoseconds"), (10**14, "microseconds"), (10**11, "milliseconds"))
"""From which value on a moment of 1973 or later must be meant in a unit finer than seconds."""


def parse_cell(kind: Kind, cell: str) -> Value:
    """The value of a cell; ValueError says what was found and what was expected."""
    if kind == "text":
        return cell or None
    cell = cell.strip()
    if not cell and kind == "count":
        return None
    if not cell:
        raise ValueError(f"the cell is empty; expected {EXPECTED[kind]}")
    if kind == "rating":
        return _parse_rating(cell)
    return _parse_whole(cell, kind)


def explain_cell(kind: Kind, cell: str) -> str:
    """What is wrong with a cell, or nothing."""
    try:
        parse_cell(kind, cell)
    except ValueError as error:
        return str(error)
    return ""


def _parse_rating(cell: str) -> float:
    expected = EXPECTED["rating"]
    if not DECIMAL.fullmatch(cell):
        raise ValueError(f"{cell!r} is not a {_kind_of_number(cell)}; expected {expected}")
    rating = float(cell)
    if not LOWEST_RATING <= rating <= HIGHEST_RATING:
        raise ValueError(f"{cell} is out of range; expected {expected}")
    return rating


def _parse_whole(cell: str, kind: Kind) -> int:
    if cell.isascii() and cell.isdecimal() and (len(cell) < 10 or (kind == "id" and len(cell) < 19)):
        return int(cell)  # nearly every cell: in range by its length alone
    expected = EXPECTED[kind]
    if not INTEGER.fullmatch(cell):
        number = "whole number" if DECIMAL.fullmatch(cell) else _kind_of_number(cell)
        raise ValueError(f"{cell!r} is not a {number}; expected {expected}")
    if len(cell) > len(str(LARGEST_INTEGER)) + 1 or abs(whole := int(cell)) > LARGEST_INTEGER:
        raise ValueError(f"{cell} is beyond 64 bits; expected {expected}")
    if whole < 0:
        raise ValueError(f"{cell} is negative; expected {expected}")
    if kind == "timestamp" and whole > LATEST_TIMESTAMP:
        for least, unit in FINER_UNITS:
            if whole >= least:
                raise ValueError(f"{cell} looks like {unit}; expected {expected}")
        year = datetime.fromtimestamp(whole, UTC).year
        raise ValueError(f"{cell} is in the year {year}; expected {expected} before 2100")
    return whole


def _kind_of_number(cell: str) -> str:
    return "finite number" if cell.lower().lstrip("+-") in NOT_FINITE else "number"


def find_bad(frame: pl.DataFrame, table: Table, column: Column) -> pl.DataFrame:
    """Rows whose value may not stand in a column: row (counted from 1), value."""
    good = is_valid(column)
    if column.name == table.key:
        good &= pl.col(column.name).is_first_distinct()
    rows = frame.with_row_index("row", offset=1).filter(~good)
    return rows.select("row", pl.col(column.name).alias("value"))


def explain_bad(bad: pl.DataFrame, column: Column) -> list[tuple[int, str]]:
    """(row, what is wrong) for rows found by `find_bad`."""
    again = "{} stands in an earlier row already; expected each one once"
    return [
        (row, explain_cell(column.kind, "" if value is None else str(value)) or again.format(value))
        for row, value in bad.iter_rows()
    ]


def check_frame(frame: pl.DataFrame, table: Table, name: str) -> pl.DataFrame:
    """The table's columns in its order and types; DataError says what doesn't fit, in the frame of that name."""
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
                f"{name}: column {column.name} has type {frame[column.name].dtype} and can't be taken for "
                f"{table.schema[column.name]}, {EXPECTED[column.kind]}"
            ) from None
        for row, reason in explain_bad(find_bad(frame, table, column).head(1), column):
            raise DataError(f"{name}[{row - 1}], {column.name}: {reason}")
    return frame


def _require_frame(found: object, table: Table, name: str) -> None:
    if isinstance(found, str | PathLike):
        reader = "; nextreel.read_interactions reads one" if table is INTERACTIONS else ""
        raise DataError(f"{name}: {str(found)!r} is a path, not a polars DataFrame{reader}")
    if not isinstance(found, pl.DataFrame):
        raise DataError(f"{name}: a {type(found).__name__} is no polars DataFrame")


def _cast(values: pl.Series, column: Column) -> pl.Series:
    """A column's values in its type; TypeError where a plain cast would give another meaning or cut a fraction."""
    cast = values.cast(DTYPES[column.kind])
    cut = values.dtype.is_float() and column.kind != "rating" and (cast != values).any()
    if values.dtype.is_temporal() or cut:
        raise TypeError
    return cast


def is_valid(column: Column) -> pl.Expr:
    """Whether each value may stand in its column; what isn't known of a person or a movie is null."""
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
