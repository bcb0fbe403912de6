"""A profile of a data set: size, density, ratings, time span, ties, repeated ratings, and gaps between its tables."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from nextreel.arrays import BoolArray, Int64Array
from nextreel.data.data_format import DataFormat
from nextreel.data.ids import IdKind, kind_of
from nextreel.data.reading.table_reader import read_tables
from nextreel.data.schema import INTERACTIONS, MOVIE_ID, MOVIES, RATING, TIMESTAMP, USER_ID, USERS
from nextreel.data.tables import Tables

TABLE_NAMES = {INTERACTIONS: "interactions", USERS: "users", MOVIES: "movies"}
ROWS_AT_ONCE = 2**20
"""Number of rows that are compared with each other at once; bounds the memory."""
EARLY = 157_766_400
"""POSIX seconds of 1975-01-01: data whose latest time is earlier are probably in another unit."""
EARLIEST_DATE, LATEST_DATE = 19_700_101, 20_991_231
"""Lowest and highest date written as a number, YYYYMMDD."""


@dataclass(frozen=True)
class HistoryBin:
    """A bin of the histogram of history lengths; a user's history length is the number of their interactions."""

    least: int
    """Lowest number of interactions in the bin."""
    most: int
    """Highest number of interactions in the bin."""
    users: int
    """Number of users with `least` to `most` interactions."""


@dataclass(frozen=True)
class Profile:
    """Statistics of a data set, as `nextreel check` reports them."""

    rows: int
    """Number of interactions."""
    users: int
    """Number of users with at least one interaction."""
    movies: int
    """Number of movies with at least one interaction."""
    density: float
    """Share of the `users` x `movies` pairs that have a rating."""
    mean_rating: float
    ratings: dict[float, int]
    """Number of rows with each rating, by ascending rating."""
    first: str
    """Time of the first interaction, ISO 8601, UTC."""
    last: str
    """Time of the last interaction, ISO 8601, UTC."""
    tied_rows: int
    """Number of rows that have the same user and timestamp as another row."""
    repeated_rows: int
    """Number of rows in which a user rates a movie again; the later rating supersedes the earlier one."""
    shortest_history: int
    """Number of interactions of the least active user."""
    median_history: float
    """Median over users of the number of interactions."""
    longest_history: int
    """Number of interactions of the most active user."""
    histories: list[HistoryBin]
    """Histogram of the number of interactions per user, in bins whose width grows with the length."""
    movies_without_entry: int | None
    """Number of rated movies that movies.csv lacks; None if there is no movies.csv."""
    movies_never_rated: int | None
    """Number of movies in movies.csv without an interaction; None if there is no movies.csv."""
    users_without_entry: int | None
    """Number of users with interactions that users.csv lacks; None if there is no users.csv."""
    users_without_ratings: int | None
    """Number of users in users.csv without an interaction; None if there is no users.csv."""
    columns: dict[str, dict[str, str]]
    """For each table that was read from files: the columns that were found, each with the files' name for it."""
    user_ids: IdKind
    movie_ids: IdKind
    rated: bool
    """Whether the data have ratings; without them, every interaction counts as liked."""
    liked_from: float
    """Lowest rating that counts as liked."""
    liked_rows: int
    """Number of interactions that count as liked."""
    notes: tuple[str, ...]
    """Messages about deviations from the file format that the readers accepted."""


def profile_directory(path: Path, request: DataFormat | None = None) -> Profile:
    """Read the tables of a data set and compute their profile; `request` is what the caller says of the format.

    Raises
    ------
    DataError
        A file is missing, malformed or inconsistent; the first problems of all files are listed.
    """
    return profile_tables(read_tables(path, request))


def profile_tables(tables: Tables) -> Profile:
    """Compute the profile of a data set whose tables are in memory."""
    rows = tables.interactions
    lengths, rated, ratings = (_count_rows(rows, column) for column in (USER_ID, MOVIE_ID, RATING))
    first, last = rows.select(
        pl.col(TIMESTAMP).min().alias("first"), pl.col(TIMESTAMP).max().alias("last")
    ).row(0)
    shortest, median, longest = lengths.select(
        pl.col("rows").min().alias("shortest"),
        pl.col("rows").median().alias("median"),
        pl.col("rows").max().alias("longest"),
    ).row(0)
    repeated_rows, tied_rows = _count_repeats(rows, lengths[USER_ID], rated[MOVIE_ID], first, last)
    movies_without_entry, movies_never_rated = _count_gaps(rated, tables.movies, MOVIE_ID)
    users_without_entry, users_without_ratings = _count_gaps(lengths, tables.users, USER_ID)
    return Profile(
        rows=rows.height,
        users=lengths.height,
        movies=rated.height,
        density=(rows.height - repeated_rows) / (lengths.height * rated.height),
        mean_rating=ratings.select(pl.col(RATING).cast(pl.Float64).dot("rows")).item() / rows.height,
        ratings=dict(ratings.iter_rows()),
        first=_to_iso(first),
        last=_to_iso(last),
        tied_rows=tied_rows,
        repeated_rows=repeated_rows,
        shortest_history=shortest,
        median_history=median,
        longest_history=longest,
        histories=_bin_lengths(lengths["rows"]),
        movies_without_entry=movies_without_entry,
        movies_never_rated=movies_never_rated,
        users_without_entry=users_without_entry,
        users_without_ratings=users_without_ratings,
        columns={TABLE_NAMES[table]: dict(sources) for table, sources in tables.sources.items()},
        user_ids=kind_of(rows[USER_ID]),
        movie_ids=kind_of(rows[MOVIE_ID]),
        rated=tables.scale.rated,
        liked_from=tables.scale.liked_from,
        liked_rows=int(ratings["rows"].filter(ratings[RATING] >= tables.scale.liked_from).sum()),
        notes=(*tables.notes, *_doubt_times(first, last)),
    )


def _count_rows(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return the different values of a column, sorted, and the number of rows with each in a column "rows".

    Polars would copy all of the rows to count them at once.
    """
    counts = [some.group_by(column).len("rows") for some in rows.select(column).iter_slices(ROWS_AT_ONCE)]
    return pl.concat(counts).group_by(column).agg(pl.col("rows").sum()).sort(column)


def _count_repeats(
    rows: pl.DataFrame, users: pl.Series, movies: pl.Series, first: int, last: int
) -> tuple[int, int]:
    """Return the number of rows in which a user rates a movie again, and of rows that share a user's second.

    The users are divided into parts, so that little more than the rows themselves is in memory.

    Parameters
    ----------
    rows : polars.DataFrame
        The interactions.
    users, movies : polars.Series
        The different ids of each, sorted.
    first, last : int
        The earliest and the latest timestamp.
    """
    n_parts = 1 + rows.height // ROWS_AT_ONCE
    parts = _divide(rows[USER_ID], n_parts)
    repeated_rows = tied_rows = 0
    for part in range(n_parts):
        some = rows.select(USER_ID, MOVIE_ID, TIMESTAMP).filter(parts == part)
        user, movie = _number(some[USER_ID], users), _number(some[MOVIE_ID], movies)
        repeated_rows += int(_mark_repeats(user * (int(movie.max(initial=0)) + 1) + movie).sum())
        tied = _mark_repeats(user * (last - first + 1) + (some[TIMESTAMP].to_numpy() - first))
        tied_rows += int((tied | np.append(tied[1:], False)).sum())
    return repeated_rows, tied_rows


def _divide(ids: pl.Series, n_parts: int) -> pl.Series:
    """Return the number of a part for each id, below `n_parts`; equal ids have the same one."""
    pieces = (ids[start : start + ROWS_AT_ONCE] for start in range(0, len(ids), ROWS_AT_ONCE))
    hashes = (piece if kind_of(ids) == "number" else piece.hash() for piece in pieces)
    # In one chunk, which polars divides into those of the rows; it would copy the rows to fit several.
    return pl.concat([(hash_ % n_parts).cast(pl.UInt16) for hash_ in hashes]).rechunk()


def _number(ids: pl.Series, distinct: pl.Series) -> Int64Array:
    """Return int64[n]: a number below 2^31 for each id: the id itself, or else its place among the sorted ids."""
    if kind_of(ids) == "text":
        return distinct.search_sorted(ids).to_numpy().astype(np.int64)
    if distinct[-1] < 2**31:
        return ids.to_numpy()
    return np.searchsorted(distinct.to_numpy(), ids.to_numpy())


def _doubt_times(first: int, last: int) -> tuple[str, ...]:
    """Return a note if the times are probably something else than POSIX seconds; empty if they look right."""
    if first >= EARLIEST_DATE and last <= LATEST_DATE and all(_is_date(time) for time in (first, last)):
        return (
            f"the times look like dates, such as {first}, but are read as seconds: write {_iso_date(first)} for a date",
        )
    if last < EARLY:
        return (
            f"the latest time is {_to_iso(last)[:10]}: if that is wrong, the times may be seconds divided by 1,000, or "
            "no POSIX times at all",
        )
    return ()


def _is_date(number: int) -> bool:
    year, month, day = number // 10_000, number // 100 % 100, number % 100
    return 1970 <= year < 2100 and 1 <= month <= 12 and 1 <= day <= 31


def _iso_date(number: int) -> str:
    return f"{number // 10_000}-{number // 100 % 100:02}-{number % 100:02}"


def _mark_repeats(codes: Int64Array) -> BoolArray:
    """Sort the codes; return bool[n]: whether each sorted code equals the one before it."""
    codes.sort()
    return np.concatenate([[False], codes[1:] == codes[:-1]])


def _count_gaps(
    active: pl.DataFrame, entries: pl.DataFrame | None, key: str
) -> tuple[int, int] | tuple[None, None]:
    """Count the users (or movies) with interactions but no row in `entries`, and the rows without interactions.

    (None, None) if `entries` is None, that is, without users.csv or movies.csv.
    """
    if entries is None:
        return None, None
    return active.join(entries, on=key, how="anti").height, entries.join(active, on=key, how="anti").height


def _bin_lengths(lengths: pl.Series) -> list[HistoryBin]:
    """Count users in bins of history lengths from 1, 2, 5, 10, 20, 50, ... on; empty bins at the ends are left out."""
    longest = int(lengths.max())  # type: ignore[arg-type]  # lengths are integers
    starts = [m * 10**power for power in range(len(str(longest))) for m in (1, 2, 5)]
    bins = [
        HistoryBin(start, next_start - 1, int(lengths.is_between(start, next_start - 1).sum()))
        for start, next_start in zip(starts, [*starts[1:], 10 ** len(str(longest))], strict=True)
        if start <= longest
    ]
    first = next(position for position, bin_ in enumerate(bins) if bin_.users)
    return bins[first:]


def _to_iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
