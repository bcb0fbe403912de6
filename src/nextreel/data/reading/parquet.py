"""A table's Parquet file: its columns' types, and every value checked by vectorised expressions.

Types may be narrower than the table's (Int32, UInt16, Float64 for ratings), never of another sort: an id
that is stored as a float, or a ZipCode as an integer, has lost what it was.
"""

from pathlib import Path

import polars as pl

from nextreel.data.reading.csv_text import check_regular
from nextreel.data.schema import EXPECTED, Column, Table
from nextreel.data.value_checks import explain_bad, find_bad
from nextreel.errors import DataError, DataProblem


def read_parquet(path: Path, table: Table) -> pl.DataFrame:
    """The table's columns; raises DataError with the first 20 problems. Rows are counted from 1."""
    frame = open_parquet(path, table)
    found = [(column, find_bad(frame, table, column)) for column in table.columns]
    problems = [
        DataProblem(path.name, None, column.name, f"row {row}: {reason}")
        for column, bad in found
        for row, reason in explain_bad(bad.head(DataError.SHOWN), column)
    ]
    if problems:
        raise DataError(problems, sum(bad.height for _, bad in found))
    return frame.cast(table.schema).with_columns(pl.col(pl.String).replace("", None))


def open_parquet(path: Path, table: Table) -> pl.DataFrame:
    """The table's columns as they are stored; only their names and types are checked."""
    check_regular(path)
    try:
        _check_types(path.name, pl.read_parquet_schema(path), table)
        return pl.read_parquet(path, columns=table.schema.names())
    except (pl.exceptions.PolarsError, OSError) as error:
        message = "can't be read as Parquet; it is damaged or something else"
        raise DataError([DataProblem(path.name, None, None, message)]) from error


def _check_types(file: str, found: dict[str, pl.DataType], table: Table) -> None:
    problems = []
    for column in table.columns:
        dtype = found.get(column.name)
        if dtype is None:
            problems.append(DataProblem(file, None, column.name, f"missing; the file has {', '.join(found)}"))
        elif not _may_hold(dtype, column):
            expected = f"{table.schema[column.name]}, {EXPECTED[column.kind]}"
            problems.append(DataProblem(file, None, column.name, f"has type {dtype}; expected {expected}"))
    if problems:
        raise DataError(problems)


def _may_hold(dtype: pl.DataType, column: Column) -> bool:
    if column.kind == "text":
        return dtype in (pl.String, pl.Categorical, pl.Enum)
    return dtype.is_integer() or (column.kind == "rating" and dtype.is_float())
