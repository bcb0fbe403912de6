"""What a column may hold: one rule per kind of column, for a whole column and for a single cell of text.

A column of times in another unit, or of times as text, is checked as it stands and then converted to POSIX seconds.
"""

import re
from datetime import UTC, datetime

import polars as pl

from nextreel.data.schema import (
    EXPECTED,
    HIGHEST_RATING,
    LARGEST_INTEGER,
    LONGEST_ID,
    LOWEST_RATING,
    UNITS,
    Column,
    Kind,
    Table,
)
from nextreel.data.times import LATEST_TIMESTAMP, LOWEST_MILLISECONDS, parse_iso

Value = int | float | str | None
"""The value of a parsed cell of a table; None for an unknown value."""

INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
NOT_FINITE = {"nan", "inf", "infinity"}
HIGHEST_FLOAT32 = 3.4e38

SLASH_DATE = re.compile(r"\d{1,4}[/.]\d{1,2}[/.]\d{1,4}\b.*", re.ASCII)
CONTROL_CHARACTER = r"[\x00-\x1f\x7f]"
CLOCK = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d([.,]\d{1,9})?)?"
ZONE = r" ?(Z|UTC|[+-]([01]\d|2[0-3]):?[0-5]\d)"
ISO_TIME = rf"^\d{{4}}-\d\d-\d\d([T ]{CLOCK}({ZONE})?)?$"
"""Times that polars converts; others are left to the exact reader."""
FINER_UNITS: tuple[tuple[int, Kind], ...] = (
    (LOWEST_MILLISECONDS * 10**6, "nanoseconds"),
    (LOWEST_MILLISECONDS * 10**3, "microseconds"),
    (LOWEST_MILLISECONDS, "milliseconds"),
)
"""Units finer than seconds, each with the lowest timestamp that is probably in this unit: in it, a time in 1973."""


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
        case "number":
            valid = value.is_between(-HIGHEST_FLOAT32, HIGHEST_FLOAT32)
        case "timestamp":
            valid = value.is_between(0, LATEST_TIMESTAMP)
        case "milliseconds" | "microseconds" | "nanoseconds":
            unit = UNITS[column.kind]
            valid = value.is_between(LOWEST_MILLISECONDS // 1000 * unit, LATEST_TIMESTAMP * unit)
        case "iso time":
            seconds = to_seconds(column)
            valid = value.str.contains(ISO_TIME) & seconds.is_between(0, LATEST_TIMESTAMP)
        case "count":
            return value.is_between(0, LARGEST_INTEGER).fill_null(True)
        case "id":
            valid = value.is_between(0, LARGEST_INTEGER)
        case "text id":
            valid = value.str.len_chars().is_between(1, LONGEST_ID) & ~value.str.contains(CONTROL_CHARACTER)
    return valid.fill_null(False)


def to_seconds(column: Column) -> pl.Expr:
    """Return a polars expression: the POSIX seconds of a column of times, rounded down; null for what isn't a time."""
    value = pl.col(column.name)
    if column.kind != "iso time":
        return value // UNITS[column.kind]
    date = value.str.extract(r"^(\d{4}-\d\d-\d\d)")
    clock = value.str.extract(r"^.{10}[T ](\d\d:\d\d(?::\d\d)?)").fill_null("00:00")
    padded = (
        date + " " + clock + pl.when(clock.str.len_chars() == 5).then(pl.lit(":00")).otherwise(pl.lit(""))
    )
    offset = value.str.slice(10).str.extract(r"([+-]\d\d:?\d\d)$").str.replace(":", "", literal=True)
    minutes = offset.str.slice(1, 2).cast(pl.Int64) * 60 + offset.str.slice(3, 2).cast(pl.Int64)
    ahead = pl.when(offset.str.starts_with("-")).then(-minutes).otherwise(minutes) * 60
    local = padded.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False).dt.epoch("s")
    return local - ahead.fill_null(0)


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
    if kind == "text id":
        return _parse_text_id(cell)
    cell = cell.strip()
    if not cell and kind == "count":
        return None
    if not cell:
        raise ValueError(f"the cell is empty; expected {EXPECTED[kind]}")
    if kind in ("rating", "number"):
        return _parse_rating(cell, kind)
    if kind == "iso time":
        return _parse_iso_time(cell)
    return _parse_integer(cell, kind) // UNITS.get(kind, 1)


def is_text_id(cell: str) -> bool:
    """Return whether a cell makes a column of ids one of texts, because it would lose something as a number.

    A cell that isn't a number does, and so do a plus, a leading zero, and more digits than 64 bits hold. An empty
    cell, a negative number or a fraction doesn't: among numbers, these are mistakes.
    """
    cell = cell.strip()
    if cell.isascii() and cell.isdecimal() and len(cell) < 19 and (cell[0] != "0" or cell == "0"):
        return False
    if INTEGER.fullmatch(cell):
        digits = cell.lstrip("+-")
        is_odd = digits != "0" and digits.startswith("0")
        return cell.startswith("+") or (
            not cell.startswith("-") and (is_odd or len(cell) > 19 or int(cell) > LARGEST_INTEGER)
        )
    return bool(cell) and not DECIMAL.fullmatch(cell) and cell.lower().lstrip("+-") not in NOT_FINITE


def _parse_text_id(cell: str) -> str:
    expected = EXPECTED["text id"]
    if not cell:
        raise ValueError(f"the cell is empty; expected {expected}")
    if len(cell) > LONGEST_ID:
        raise ValueError(f"{cell[:40]!r}... has {len(cell):,} characters; expected {expected}")
    if re.search(CONTROL_CHARACTER, cell):
        raise ValueError(f"{cell!r} holds a control character; expected {expected}")
    if re.search("[\ud800-\udfff]", cell):
        raise ValueError(f"{cell!r} isn't valid Unicode; expected {expected}")
    return cell


def _parse_rating(cell: str, kind: Kind) -> float:
    expected = EXPECTED[kind]
    if not DECIMAL.fullmatch(cell):
        raise ValueError(f"{cell!r} is not a {_kind_of_number(cell)}; expected {expected}")
    rating = float(cell)
    if kind == "rating" and not LOWEST_RATING <= rating <= HIGHEST_RATING:
        raise ValueError(f"{cell} is out of range; expected {expected}, or --liked-from for another scale")
    if abs(rating) > HIGHEST_FLOAT32:
        raise ValueError(f"{cell} is too large; expected {expected}")
    return rating


def _parse_iso_time(cell: str) -> int:
    expected = EXPECTED["iso time"]
    if SLASH_DATE.fullmatch(cell):
        raise ValueError(f"{cell!r} is ambiguous, day and month could be swapped; expected {expected}")
    try:
        if INTEGER.fullmatch(cell):
            raise ValueError
        seconds = parse_iso(cell.replace(" UTC", "Z").replace(" +", "+").replace(" -", "-").replace(",", "."))
    except (ValueError, OverflowError):
        raise ValueError(f"{cell!r} is not a time in ISO 8601; expected {expected}") from None
    if not 0 <= seconds <= LATEST_TIMESTAMP:
        raise ValueError(f"{cell} lies outside 1970 to 2100; expected {expected}")
    return seconds


def _parse_integer(cell: str, kind: Kind) -> int:
    expected = EXPECTED[kind]
    is_short = len(cell) < 10 and kind in ("id", "count", "timestamp") and cell.isascii() and cell.isdecimal()
    if is_short and (cell[0] != "0" or cell == "0" or kind != "id"):
        return int(cell)  # fast path: a number of so few digits is in range
    if kind == "id" and INTEGER.fullmatch(cell) and len(cell) < 19 and is_text_id(cell):
        raise ValueError(
            f"{cell!r} isn't written as a number is; expected {expected}, without a plus or leading zeros"
        )
    if kind in UNITS and SLASH_DATE.fullmatch(cell):
        raise ValueError(
            f"{cell!r} is ambiguous, day and month could be swapped; expected {EXPECTED['iso time']}, or {expected}"
        )
    if not INTEGER.fullmatch(cell):
        number = "whole number" if DECIMAL.fullmatch(cell) else _kind_of_number(cell)
        raise ValueError(f"{cell!r} is not a {number}; expected {expected}")
    if len(cell) > len(str(LARGEST_INTEGER)) + 1 or abs(integer := int(cell)) > LARGEST_INTEGER:
        raise ValueError(f"{cell} doesn't fit into 64 bits; expected {expected}")
    if integer < 0:
        raise ValueError(f"{cell} is negative; expected {expected}")
    if kind in UNITS:
        unit = kind_of_time(integer)
        if unit != kind:
            name = "seconds" if unit == "timestamp" else unit
            raise ValueError(f"{cell} looks like {name}; expected {expected}")
        if integer > LATEST_TIMESTAMP * UNITS[kind]:
            year = datetime.fromtimestamp(integer // UNITS[kind], UTC).year
            raise ValueError(f"{cell} is in the year {year}; expected {expected} before 2100")
    return integer


def kind_of_time(timestamp: int) -> Kind:
    """Return the unit that a time as a whole number is probably in, judged by its magnitude."""
    for lowest, unit in FINER_UNITS:
        if timestamp >= lowest:
            return unit
    return "timestamp"


def _kind_of_number(cell: str) -> str:
    return "finite number" if cell.lower().lstrip("+-") in NOT_FINITE else "number"
