"""Queries as people write them: a frame of any library, pairs, users at one time, or a single user."""

from collections.abc import Iterable
from dataclasses import replace
from numbers import Integral

import narwhals as nw
import polars as pl

from nextreel.data.dataset import Dataset
from nextreel.data.frames import FoundColumns, find_columns, to_polars
from nextreel.data.ids import Id, kind_of
from nextreel.data.reading.time_values import to_timestamp, to_timestamp_or_now
from nextreel.data.schema import DTYPES, EXPECTED, QUERIES, TIMESTAMP, USER_ID, Kind
from nextreel.data.value_checks import explain_cell, is_valid
from nextreel.errors import DataError, QueryError
from nextreel.wording import shorten


def make_query_frame(queries: object, dataset: Dataset, at: object = None) -> pl.DataFrame:
    """Return queries as a frame with UserID and Timestamp (int64), in the given order.

    Parameters
    ----------
    queries
        One user; or users, with `at` as the time of all; or pairs of a user and a time; or a frame of users or pairs,
        of polars, pandas, pyarrow, DuckDB or another library that narwhals supports.
    dataset : Dataset
        The data set whose users are meant.
    at
        The time of queries that have none of their own; by default about now, for one user only.

    Raises
    ------
    QueryError
        `queries` is none of these, or one of them isn't a valid query; the message names the first such query and what
        was expected.
    """
    if isinstance(queries, str) or (isinstance(queries, Integral) and not isinstance(queries, bool)):
        user = check_id(queries, _has_text_users(dataset), "UserID")
        return _to_frame([(user, to_timestamp_or_now(at))], dataset)
    if is_frame(queries):
        return _check_frame(queries, dataset, at)
    if not isinstance(queries, Iterable):
        raise QueryError(
            f"queries is {shorten(repr(queries), 100)}; expected pairs (UserID, Timestamp), a frame of them, or a user"
        )
    is_text = _has_text_users(dataset)
    if at is None:
        return _to_frame([_check_pair(i, query, is_text) for i, query in enumerate(queries)], dataset)
    timestamp = to_timestamp_or_now(at)
    users = [check_id(user, is_text, f"queries[{i}], {USER_ID}") for i, user in enumerate(queries)]
    return _to_frame([(user, timestamp) for user in users], dataset)


def is_frame(value: object) -> bool:
    """Return whether a value is a frame of polars, pandas, pyarrow, DuckDB or another library."""
    if isinstance(value, pl.DataFrame):
        return True
    if isinstance(value, list | tuple):
        return False
    try:
        return isinstance(nw.from_native(value, pass_through=True), nw.DataFrame | nw.LazyFrame)
    except nw.exceptions.DuplicateError:  # a frame of pandas with two columns of one name
        return True


def check_id(value: object, is_text: bool, name: str) -> Id:
    """Return an id of a user or a movie; QueryError, which names it, unless it is of the data set's kind of ids."""
    if problem := _find_problem(value, is_text):
        raise QueryError(f"{name}: {problem}")
    return value if isinstance(value, str) else int(value)  # type: ignore[call-overload]


def _to_frame(rows: list[tuple[Id, int]], dataset: Dataset) -> pl.DataFrame:
    schema = {USER_ID: DTYPES[_kind_of_users(dataset)], TIMESTAMP: pl.Int64()}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _has_text_users(dataset: Dataset) -> bool:
    return kind_of(dataset.users[USER_ID]) == "text"


def _kind_of_users(dataset: Dataset) -> Kind:
    return "text id" if _has_text_users(dataset) else "id"


def _check_frame(queries: object, dataset: Dataset, at: object) -> pl.DataFrame:
    if isinstance(queries, pl.DataFrame) and at is None and _is_canonical(queries, dataset):
        return queries.select(USER_ID, TIMESTAMP).cast(
            {TIMESTAMP: pl.Int64, USER_ID: DTYPES[_kind_of_users(dataset)]}
        )
    try:
        frame = to_polars(queries, QUERIES, "queries")
        # The columns of queries may have usual names even where those of the data set hadn't.
        columns = {role: name for role, name in dataset.columns.items() if name in frame.columns}
        dataset = replace(dataset, columns=columns)
        found = _find_columns(frame, dataset)
        if at is not None and TIMESTAMP in found.sources:
            raise QueryError(
                f"queries have times of their own, in the column {found.sources[TIMESTAMP]}: leave at out"
            )
        if at is not None and USER_ID in found.sources:
            timestamp = pl.lit(to_timestamp_or_now(at), dtype=pl.Int64).alias(TIMESTAMP)
            frame = frame.with_columns(timestamp)
        elif found.missing == (TIMESTAMP,):
            raise QueryError(
                f"queries: column {TIMESTAMP} is missing; found {', '.join(frame.columns)}: add the times, or give "
                "one time for all with at="
            )
        if frame.is_empty() and not found.missing:
            return _to_frame([], dataset)
        return dataset.check(frame, QUERIES, "queries")
    except DataError as error:
        raise QueryError(str(error)) from None


def _find_columns(frame: pl.DataFrame, dataset: Dataset) -> FoundColumns:
    try:
        return find_columns(frame.columns, QUERIES, dataset.format)
    except DataError as error:
        raise DataError(f"queries: {error}") from None


def _is_canonical(queries: pl.DataFrame, dataset: Dataset) -> bool:
    """Return whether a frame holds valid ids and POSIX seconds in columns of our names, as most frames do."""
    user_type, time_type = queries.schema.get(USER_ID), queries.schema.get(TIMESTAMP)
    if user_type is None or time_type is None or not time_type.is_integer():
        return False
    kind = _kind_of_users(dataset)
    if not (user_type == pl.String if kind == "text id" else user_type.is_integer()):
        return False
    user, time = QUERIES.columns
    valid = queries.select(is_valid(replace(user, kind=kind)).all(), is_valid(time).all())
    return all(valid.row(0))


def _check_pair(position: int, query: object, is_text: bool) -> tuple[Id, int]:
    values = [] if isinstance(query, str | dict) or not isinstance(query, Iterable) else list(query)
    if len(values) != 2:
        raise QueryError(
            f"queries[{position}]: {shorten(repr(query), 100)}; expected a pair, UserID and Timestamp, or users only "
            "and the time of all in at="
        )
    user = check_id(values[0], is_text, f"queries[{position}], {USER_ID}")
    try:
        return user, to_timestamp(values[1])
    except ValueError as error:
        raise QueryError(f"queries[{position}], {TIMESTAMP}: {error}") from None


def _find_problem(value: object, is_text: bool) -> str:
    """Return what is wrong with an id; empty if it is valid."""
    if is_text:
        if isinstance(value, str):
            return explain_cell("text id", value)
        return f"{value!r} is not a text; expected an id as text"
    if isinstance(value, Integral) and not isinstance(value, bool):
        if abs(int(value)) >> 64:  # such a number may have too many digits to be written
            return f"a number of {int(value).bit_length()} bits doesn't fit into 64 bits; expected {EXPECTED['id']}"
        return explain_cell("id", str(value))
    return f"{shorten(repr(value), 100)} is not a whole number; expected {EXPECTED['id']}"
