"""What a data set holds: its size and density, ratings, time, ties, repeats, gaps between its tables."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from nextreel.arrays import BoolArray, Int64Array
from nextreel.data.reading.table_reader import read_tables
from nextreel.data.schema import MOVIE_ID, RATING, TIMESTAMP, USER_ID
from nextreel.data.tables import Tables


@dataclass(frozen=True)
class Bin:
    """How many users have a history of `least` to `most` interactions."""

    least: int
    most: int
    users: int


@dataclass(frozen=True)
class Profile:
    """Counts over one directory's tables."""

    rows: int
    """Interactions."""
    users: int
    """Users with an interaction."""
    movies: int
    """Movies with an interaction."""
    density: float
    """Share of all (user, movie) pairs that were rated."""
    mean_rating: float
    ratings: dict[float, int]
    """Rows of each rating, ascending."""
    first: str
    """Moment of the first interaction, ISO 8601, UTC."""
    last: str
    """Moment of the last interaction."""
    tied_rows: int
    """Rows that share their user and second with another row."""
    repeated_rows: int
    """Rows whose user had rated the same movie in another row; as of any moment the later one wins."""
    shortest_history: int
    median_history: float
    longest_history: int
    histories: list[Bin]
    """Lengths of the users' histories, in bins that widen with the length."""
    movies_without_entry: int | None
    """Rated movies that movies.csv doesn't have; None without movies.csv."""
    movies_never_rated: int | None
    """Movies of movies.csv without an interaction."""
    users_without_entry: int | None
    """Users with interactions that users.csv doesn't have; None without users.csv."""
    users_without_ratings: int | None
    """Users of users.csv without an interaction."""
    notes: tuple[str, ...]
    """What was accepted though it isn't as it should be."""


def profile(directory: Path) -> Profile:
    """Read a directory's tables and count; raises DataError as `read_dataset` does."""
    return profile_tables(read_tables(directory))


def profile_tables(tables: Tables) -> Profile:
    """Count what tables that were read hold."""
    rows = tables.interactions
    lengths = rows.group_by(USER_ID).len("length").sort(USER_ID)
    rated = rows.select(MOVIE_ID).unique().sort(MOVIE_ID)
    ratings = rows.group_by(RATING).len().sort(RATING)
    mean_rating, first, last = rows.select(
        pl.col(RATING).cast(pl.Float64).mean(),
        pl.col(TIMESTAMP).min().alias("first"),
        pl.col(TIMESTAMP).max().alias("last"),
    ).row(0)
    shortest, median, longest = lengths.select(
        pl.col("length").min().alias("shortest"),
        pl.col("length").median().alias("median"),
        pl.col("length").max().alias("longest"),
    ).row(0)
    users = np.searchsorted(lengths[USER_ID].to_numpy(), rows[USER_ID].to_numpy())
    movies = np.searchsorted(rated[MOVIE_ID].to_numpy(), rows[MOVIE_ID].to_numpy())
    again = _equals_the_last(users * rated.height + movies)
    tied = _equals_the_last(users * (last - first + 1) + (rows[TIMESTAMP].to_numpy() - first))
    repeated_rows = int(again.sum())
    movies_without_entry, movies_never_rated = _count_gaps(rated, tables.movies, MOVIE_ID)
    users_without_entry, users_without_ratings = _count_gaps(lengths, tables.users, USER_ID)
    return Profile(
        rows=rows.height,
        users=lengths.height,
        movies=rated.height,
        density=(rows.height - repeated_rows) / (lengths.height * rated.height),
        mean_rating=mean_rating,
        ratings=dict(ratings.iter_rows()),
        first=_iso(first),
        last=_iso(last),
        tied_rows=int((tied | np.append(tied[1:], False)).sum()),
        repeated_rows=repeated_rows,
        shortest_history=shortest,
        median_history=median,
        longest_history=longest,
        histories=_bin_lengths(lengths["length"]),
        movies_without_entry=movies_without_entry,
        movies_never_rated=movies_never_rated,
        users_without_entry=users_without_entry,
        users_without_ratings=users_without_ratings,
        notes=tables.notes,
    )


def _equals_the_last(codes: Int64Array) -> BoolArray:
    """Of each code in ascending order, whether it equals the one before."""
    codes = np.sort(codes)
    return np.concatenate([[False], codes[1:] == codes[:-1]])


def _count_gaps(
    active: pl.DataFrame, entries: pl.DataFrame | None, key: str
) -> tuple[int, int] | tuple[None, None]:
    """(active ones without an entry, entries that aren't active)."""
    if entries is None:
        return None, None
    return active.join(entries, on=key, how="anti").height, entries.join(active, on=key, how="anti").height


def _bin_lengths(lengths: pl.Series) -> list[Bin]:
    """Bins that begin at 1, 2, 5, 10, 20, 50, ...; from the shortest history's to the longest's."""
    longest = int(lengths.max())  # type: ignore[arg-type]  # lengths are integers
    starts = [m * 10**power for power in range(len(str(longest))) for m in (1, 2, 5)]
    bins = [
        Bin(least, following - 1, int(lengths.is_between(least, following - 1).sum()))
        for least, following in zip(starts, [*starts[1:], 10 ** len(str(longest))], strict=True)
        if least <= longest
    ]
    return [bin_ for place, bin_ in enumerate(bins) if any(b.users for b in bins[: place + 1])]


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
