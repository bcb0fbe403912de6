"""Reading a table from Parquet: the types of its columns and all values are checked.

Types may be narrower than the table's (Int32, UInt16) or wider (Float64 for ratings), but not of another kind: a float
may have lost digits of an id, and an integer the leading zeros of a ZipCode.
"""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from nextreel.data.reading.csv_text import check_regular
from nextreel.data.reading.polars_panics import panics_as_errors
from nextreel.data.schema import EXPECTED, Column, Table
from nextreel.data.value_checks import explain_invalid, find_invalid
from nextreel.errors import DataError, DataProblem


def read_parquet(path: Path, table: Table) -> pl.DataFrame:
    """Read the table's columns from a Parquet file, in the table's types, and check every value.

    Raises
    ------
    DataError
        The file can't be read, or a column is missing, has another type or holds an invalid value. The error holds the
        first 20 problems of each column and counts the others; rows are counted from 1.
    """
    frame = open_parquet(path, table)
    invalid_rows = [(column, find_invalid(frame, table, column)) for column in table.columns]
    problems = [
        DataProblem(path.name, None, column.name, f"row {row}: {reason}")
        for column, rows in invalid_rows
        for row, reason in explain_invalid(rows.head(DataError.SHOWN), column)
    ]
    if problems:
        raise DataError(problems, sum(rows.height for _, rows in invalid_rows))
    return frame.cast(table.schema).with_columns(pl.col(pl.String).replace("", None))


def open_parquet(path: Path, table: Table) -> pl.DataFrame:
    """Read the table's columns from a Parquet file, with their stored types and without checking the values.

    Raises
    ------
    DataError
        The file can't be read, or a column is missing or has another type.
    """
    check_regular(path)
    try:
        with panics_as_errors():
            # Without `glob`, polars would take a name with * or [ for a pattern, and read other files.
            rows = pl.scan_parquet(path, glob=False)
            _check_types(path.name, rows.collect_schema(), table)
            return rows.select(table.schema.names()).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        message = "can't be read as Parquet: it is damaged or isn't a Parquet file"
        raise DataError([DataProblem(path.name, None, None, message)]) from error


def _check_types(file: str, types: Mapping[str, pl.DataType], table: Table) -> None:
    problems = []
    for column in table.columns:
        dtype = types.get(column.name)
        if dtype is None:
            problems.append(DataProblem(file, None, column.name, f"missing; the file has {', '.join(types)}"))
        elif not _may_hold(dtype, column):
            expected = f"{table.schema[column.name]}, {EXPECTED[column.kind]}"
            problems.append(DataProblem(file, None, column.name, f"has type {dtype}; expected {expected}"))
    if problems:
        raise DataError(problems)


def _may_hold(dtype: pl.DataType, column: Column) -> bool:
    if column.kind == "text":
        return dtype in (pl.String, pl.Categorical, pl.Enum)
    return dtype.is_integer() or (column.kind == "rating" and dtype.is_float())
