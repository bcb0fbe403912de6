"""Queries as callers give them, rows of a frame or pairs, each checked as one in a file is."""

from collections.abc import Iterable
from datetime import date
from numbers import Integral

import polars as pl

from nextreel.data.schema import EXPECTED, QUERIES, Column
from nextreel.data.value_checks import explain_cell, find_bad
from nextreel.errors import QueryError


def frame_queries(queries: object) -> pl.DataFrame:
    """UserID and Timestamp as int64, in the given order; QueryError names the first one that is no query."""
    if isinstance(queries, pl.DataFrame):
        return _check_frame(queries)
    if isinstance(queries, str) or not isinstance(queries, Iterable):
        found = f"{queries!r} holds no queries"
        raise QueryError(f"{found}; expected pairs (UserID, Timestamp) or a polars DataFrame of them")
    pairs = [_check_pair(number, query) for number, query in enumerate(queries)]
    return pl.DataFrame(pairs, schema=QUERIES.schema, orient="row")


def _check_pair(number: int, query: object) -> list[int]:
    values = [] if isinstance(query, str | dict) or not isinstance(query, Iterable) else list(query)
    if len(values) != len(QUERIES.columns):
        expected = "expected a pair of whole numbers, UserID and Timestamp"
        raise QueryError(f"queries[{number}]: {query!r}; {expected}")
    for column, value in zip(QUERIES.columns, values, strict=True):
        if reason := _explain(column, value):
            raise QueryError(f"queries[{number}], {column.name}: {reason}")
    return [int(value) for value in values]


def _check_frame(queries: pl.DataFrame) -> pl.DataFrame:
    for column in QUERIES.columns:
        dtype = queries.schema.get(column.name)
        if dtype is None:
            raise QueryError(f"queries: column {column.name} is missing; found {', '.join(queries.columns)}")
        if not (dtype.is_integer() or dtype == pl.Null):
            expected = f"{QUERIES.schema[column.name]}, {EXPECTED[column.kind]}"
            raise QueryError(f"queries: column {column.name} has type {dtype}; expected {expected}")
        for row, value in find_bad(queries.select(column.name), QUERIES, column).head(1).iter_rows():
            raise QueryError(f"queries[{row - 1}], {column.name}: {_explain(column, value)}")
    return queries.select(QUERIES.schema.names()).cast(QUERIES.schema)


def _explain(column: Column, value: object) -> str:
    """What is wrong with a value, or nothing."""
    if isinstance(value, Integral) and not isinstance(value, bool):
        return explain_cell(column.kind, str(value))
    hint = ", such as int(moment.timestamp())" if isinstance(value, date) else ""
    return f"{value if hint else repr(value)} is no whole number; expected {EXPECTED[column.kind]}{hint}"
