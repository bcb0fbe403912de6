"""Tables as frames: any kind of frame comes in, its columns are recognised and checked, and polars comes out."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import combinations
from os import PathLike
from typing import Any

import narwhals as nw
import polars as pl

from nextreel.data.data_format import ANY_FORMAT, DataFormat
from nextreel.data.rating_scale import WATCHED_RATING
from nextreel.data.schema import (
    DTYPES,
    EXPECTED,
    INTERACTIONS,
    RATING,
    UNITS,
    YEAR,
    Column,
    Kind,
    Table,
)
from nextreel.data.value_checks import explain_invalid, find_invalid, kind_of_time, to_seconds
from nextreel.errors import DataError

SAMPLED = 100
"""Number of rows from which the unit of a column of times is decided; the other rows must have the same one."""


@dataclass(frozen=True)
class FoundColumns:
    """Which columns of a user's table are those of ours, by name."""

    sources: dict[str, str]
    """For each of our columns that was found, its name in the user's table."""
    missing: tuple[str, ...]
    """Our columns that are required but weren't found."""
    ignored: tuple[str, ...]
    """Columns of the user's table that are none of ours."""


def find_columns(names: Sequence[str], table: Table, format_: DataFormat) -> FoundColumns:
    """Recognise the columns of a table: by the names that the user gave, by ours, or by other usual names.

    Raises
    ------
    DataError
        Two columns may be meant, or a name of one of the columns is there twice.
    """
    columns = table.recognised
    named = {column.name: format_.columns.get(column.role) for column in columns}
    sources: dict[str, str] = {}
    for column in columns:
        claimed = {name for ours, name in named.items() if ours != column.name}
        found = _names_of(column, names, named[column.name], claimed)
        if len(found) > 1:
            shown = " and ".join(map(repr, found))
            if found[0] == found[1]:
                raise DataError(f"column {found[0]}: is in the header more than once")
            raise DataError(
                f"{shown} could both be the column {column.name}: say which, such as --columns {column.role}={found[0]}"
            )
        if found:
            sources[column.name] = found[0]
    for first, second in combinations(columns, 2):
        if first.name in sources and sources[first.name] == sources.get(second.name):
            raise DataError(
                f"{sources[first.name]!r} is named for both {first.role} and {second.role}: name one column for each"
            )
    if format_.scale is not None and not format_.scale.rated:
        sources.pop(RATING, None)
    needs_ratings = format_.scale is not None and format_.scale.rated
    missing = tuple(
        c.name
        for c in table.columns
        if (c.required or (c.name == RATING and needs_ratings)) and c.name not in sources
    )
    used = set(sources.values())
    return FoundColumns(sources, missing, tuple(name for name in names if name not in used))


def _names_of(
    column: Column, names: Sequence[str], given: str | None, claimed: Collection[str | None]
) -> list[str]:
    """Return the names that may be those of a column; `claimed` are the names that were given for other columns."""
    for wanted in (given, column.name):
        if wanted is not None and wanted in names and (wanted == given or wanted not in claimed):
            return [name for name in names if name == wanted]
    plain = {name: name.lower().translate({ord(mark): None for mark in "_- ."}) for name in names}
    for group in column.other_names:
        if found := [name for name in names if plain[name] in group and name not in claimed]:
            return found
    return []


def require_given_columns(
    request: DataFormat, remembered: DataFormat, sources: Mapping[Table, Iterable[tuple[str, str]]]
) -> None:
    """Raise DataError if a caller names a column that no table of the data set has.

    Names that an earlier command remembered may be missing: `nextreel split` writes files under our names.
    """
    roles = {column.name: column.role for table in sources for column in table.recognised}
    found = {(roles[ours], name) for pairs in sources.values() for ours, name in pairs}
    for role, name in request.columns.items():
        if (role, name) not in found and remembered.columns.get(role) != name:
            known = ", ".join(dict.fromkeys(name for pairs in sources.values() for _, name in pairs))
            raise DataError(
                f"no table has a column {name!r}, which is named for {role}; the columns in use are {known}"
            )


def check_frame(
    frame: object,
    table: Table,
    name: str,
    format_: DataFormat = ANY_FORMAT,
) -> pl.DataFrame:
    """Return the columns of a table from a frame of any kind, in the table's order, after checking every value.

    Parameters
    ----------
    frame : polars, pandas, pyarrow or any other frame that narwhals supports
        The frame to check; further columns are ignored.
    table : Table
        The table whose columns are expected.
    name : str
        Name of the frame in error messages.
    format_ : DataFormat
        What is known of the columns' names and of what they hold.

    Returns
    -------
    A frame with all columns of the table: ids as whole numbers or texts, times as POSIX seconds. Attributes of users
    and movies that the frame lacks are null; without ratings, each row's is WATCHED_RATING.

    Raises
    ------
    DataError
        `frame` isn't a frame, lacks a column, or has a column that holds a value that isn't allowed there.
    """
    native = to_polars(frame, table, name)
    try:
        found = find_columns(native.columns, table, format_)
    except DataError as error:
        raise DataError(f"{name}: {error}") from None
    if found.missing:
        raise DataError(f"{name}: column {found.missing[0]} is missing; found {', '.join(native.columns)}")
    renamed = native.select(pl.col(source).alias(ours) for ours, source in found.sources.items())
    resolved = resolve(table, renamed, format_)
    for column in resolved.columns:
        shown = found.sources[column.name]
        try:
            renamed = renamed.with_columns(cast(renamed[column.name], column))
        except (pl.exceptions.PolarsError, TypeError):
            raise DataError(
                f"{name}: column {shown} has type {renamed[column.name].dtype}; "
                f"expected {DTYPES[column.kind]}, {EXPECTED[column.kind]}"
            ) from None
        for row, reason in explain_invalid(find_invalid(renamed, resolved, column).head(1), column):
            raise DataError(f"{name}[{row - 1}], {shown}: {reason}")
    return complete(to_canonical(renamed, resolved), table)


def to_polars(frame: object, table: Table, name: str) -> pl.DataFrame:
    """Return a frame of any kind as a polars DataFrame; DataError if it isn't a frame."""
    if isinstance(frame, pl.DataFrame):
        return frame
    if isinstance(frame, str | PathLike):
        reader = "; nextreel.read_interactions reads it" if table is INTERACTIONS else ""
        raise DataError(f"{name}: {str(frame)!r} is a path, not a frame{reader}")
    try:
        native = nw.from_native(frame)  # type: ignore[call-overload]  # the frame may be of any library
    except TypeError:
        raise DataError(
            f"{name}: expected a frame of polars, pandas or pyarrow, found a {type(frame).__name__}"
        ) from None
    except nw.exceptions.DuplicateError as error:
        raise DataError(f"{name}: two columns have the same name; {' '.join(str(error).split())}") from None
    try:
        eager = native.collect() if isinstance(native, nw.LazyFrame) else native
    except Exception as error:  # each library has errors of its own for a query that fails
        raise DataError(f"{name}: can't be read as a table ({str(error).splitlines()[0]})") from error
    try:
        return _convert(eager)
    except Exception as error:  # and for a column that Arrow can't hold, such as one of texts and numbers
        place = _find_unreadable(eager)
        raise DataError(f"{name}{place}: can't be read ({str(error).splitlines()[0]})") from error


def _convert(frame: nw.DataFrame[Any]) -> pl.DataFrame:
    if frame.implementation.is_pandas() and not _has_pyarrow():
        return _from_columns(frame)
    return frame.to_polars()


def _find_unreadable(frame: nw.DataFrame[Any]) -> str:
    """Return ", column NAME" for the first column of a frame that can't be converted; empty if each can by itself."""
    for column in frame.columns:
        try:
            _convert(frame.select(column))
        except Exception:
            return f", column {column}"
    return ""


def _has_pyarrow() -> bool:
    try:
        import_module("pyarrow")  # through which polars reads the texts of pandas
    except ImportError:
        return False
    return True


def _from_columns(frame: nw.DataFrame[Any]) -> pl.DataFrame:
    """Return a frame as polars without pyarrow, which pandas doesn't need."""
    return pl.DataFrame({column.name: _to_values(column) for column in frame.iter_columns()})


def _to_values(column: nw.Series[Any]) -> pl.Series:
    if column.dtype.is_numeric() and not column.is_null().any():
        return pl.Series(column.name, column.to_numpy())
    values = zip(column.to_list(), column.is_null().to_list(), strict=True)
    return pl.Series(column.name, [None if is_null else value for value, is_null in values])


def to_kind_of(like: object, frame: pl.DataFrame) -> object:
    """Return a polars frame as a frame of the library that `like` is of; as it is if `like` is no other frame."""
    if isinstance(like, pl.DataFrame | str | int | list | tuple):
        return frame
    native = nw.from_native(like, pass_through=True)
    if isinstance(native, nw.LazyFrame):
        return nw.from_native(frame).lazy(native.implementation).to_native()
    if not isinstance(native, nw.DataFrame):
        return frame
    if native.implementation.is_pyarrow():
        return frame.to_arrow()
    columns = {c.name: c.to_numpy() if c.dtype.is_numeric() else c.to_list() for c in frame.iter_columns()}
    return nw.from_dict(columns, backend=native.implementation).to_native()


def resolve(table: Table, frame: pl.DataFrame, format_: DataFormat) -> Table:
    """Return the table with the columns that a frame has, each with the kind that its values turn out to be of."""
    columns = table.recognised
    return replace(
        table,
        columns=tuple(
            replace(column, kind=_resolve_kind(column, frame[column.name], format_))
            for column in columns
            if column.name in frame.columns
        ),
    )


def _resolve_kind(column: Column, values: pl.Series, format_: DataFormat) -> Kind:
    is_text = values.dtype in (pl.String, pl.Categorical, pl.Enum)
    if column.kind == "id":
        return "text id" if is_text or (format_.kind_of(column.name) == "text") else "id"
    if column.kind == "rating":
        return rating_kind(format_)
    if column.kind == "timestamp":
        if is_text:
            return "iso time"
        return kind_of_times(values) if values.dtype.is_integer() else "timestamp"
    return column.kind


def rating_kind(format_: DataFormat) -> Kind:
    """Return "rating" for stars, and "number" where the caller or an earlier command said what counts as liked."""
    if format_.scale is not None:
        return "rating" if format_.scale.is_stars else "number"
    return "rating" if format_.liked_from is None else "number"


def kind_of_times(values: pl.Series) -> Kind:
    """Return the unit of most of the first times in an integer column; seconds if several units are as frequent."""
    sample = values.drop_nulls().head(SAMPLED)
    units = [kind_of_time(int(value)) for value in sample]
    return max(UNITS, key=units.count)


def cast(values: pl.Series, column: Column) -> pl.Series:
    """Cast to the column's type; raise TypeError where a plain cast would change the meaning or drop a fraction."""
    if column.kind == "timestamp" and values.dtype in (pl.Datetime, pl.Date):
        return values.dt.epoch("s").cast(pl.Int64)
    if column.name == "Genres" and isinstance(values.dtype, pl.List):
        return values.cast(pl.List(pl.String)).list.join("|")
    if column.kind == "iso time":
        return values.cast(pl.String)
    if column.kind == "text id":
        if values.dtype not in (pl.String, pl.Categorical, pl.Enum):
            raise TypeError
        return values.cast(pl.String)
    is_rating = column.kind in ("rating", "number")
    # Ratings are checked with all their digits, as in files, and rounded to 32 bits afterwards.
    cast_values = values.cast(
        pl.Float64() if is_rating and values.dtype != pl.Float32 else DTYPES[column.kind]
    )
    drops_fraction = values.dtype.is_float() and not is_rating and (cast_values != values).any()
    if values.dtype.is_temporal() or drops_fraction or (is_rating and values.dtype == pl.Boolean):
        raise TypeError
    return cast_values


def to_canonical(frame: pl.DataFrame, resolved: Table) -> pl.DataFrame:
    """Return a checked frame with times as POSIX seconds and empty texts as null."""
    times = [
        to_seconds(column).alias(column.name)
        for column in resolved.columns
        if column.kind == "iso time" or UNITS.get(column.kind, 1) > 1
    ]
    texts = [pl.col(c.name).replace("", None) for c in resolved.columns if c.kind == "text"]
    if times or texts:
        frame = frame.with_columns(*times, *texts)
    others = {
        column.name: DTYPES[column.kind]
        for column in resolved.columns
        if frame.schema[column.name] != DTYPES[column.kind]
    }
    return frame.with_columns(pl.col(name).cast(dtype) for name, dtype in others.items()) if others else frame


def complete(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Return a checked frame with all columns of the table, in its order: those that the user's table lacks are added.

    A column of years is put behind the titles, in which the years are kept: "Heat" becomes "Heat (1995)".
    """
    if YEAR in table.folded and YEAR.name in frame.columns:
        has_year = pl.col("Title").str.contains(r"\([0-9]{4}\)\s*$") | pl.col(YEAR.name).is_null()
        dated = pl.format("{} ({})", pl.col("Title"), pl.col(YEAR.name).cast(pl.String).str.zfill(4))
        frame = frame.with_columns(Title=pl.when(has_year).then("Title").otherwise(dated))
    if frame.columns == table.schema.names():
        return frame
    absent = [
        pl.lit(WATCHED_RATING if column.name == RATING else None, dtype=DTYPES[column.kind]).alias(
            column.name
        )
        for column in table.columns
        if column.name not in frame.columns
    ]
    return frame.with_columns(absent).select(table.schema.names())
