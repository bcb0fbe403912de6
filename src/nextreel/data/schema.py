"""The tables of a data set: the names of their files and columns, and what each column holds."""

from dataclasses import dataclass
from typing import Literal

import polars as pl

USER_ID, MOVIE_ID, RATING, TIMESTAMP = "UserID", "MovieID", "Rating", "Timestamp"

LOWEST_RATING, HIGHEST_RATING = 0.5, 5.0
"""Lowest and highest rating that is allowed, in stars: the range of MovieLens."""
POSITIVE = 4.0
"""Lowest rating that counts as a positive (the user liked the movie) by default."""
LARGEST_INTEGER = 2**63 - 1

Kind = Literal["id", "rating", "timestamp", "count", "text"]
DTYPES: dict[Kind, pl.DataType] = {
    "id": pl.Int64(),
    "rating": pl.Float32(),
    "timestamp": pl.Int64(),
    "count": pl.Int64(),
    "text": pl.String(),
}

EXPECTED: dict[Kind, str] = {
    "id": "a whole number from 0",
    "rating": f"a rating from {LOWEST_RATING:g} to {HIGHEST_RATING:g}",
    "timestamp": "POSIX seconds",
    "count": "a whole number from 0",
    "text": "text",
}
"""For each kind of column, how messages describe a valid cell."""


@dataclass(frozen=True)
class Column:
    """A column of a table: its name, and the kind of value that its cells hold."""

    name: str
    kind: Kind


@dataclass(frozen=True)
class Table:
    """Description of one table of a data set, such as the interactions: its columns and its possible file names."""

    stems: tuple[str, ...]
    """File names that the table may have, without the suffix, in order of preference."""
    columns: tuple[Column, ...]
    key: str | None = None
    """Name of the column whose values must be unique; None if there is no such column."""
    needs_rows: bool = False
    """Whether it is an error if the table's file has a header but no rows."""

    @property
    def schema(self) -> pl.Schema:
        """Names and polars types of the table's columns, in their order."""
        return pl.Schema({column.name: DTYPES[column.kind] for column in self.columns})


INTERACTIONS = Table(
    stems=("ratings_train", "train"),
    columns=(
        Column(USER_ID, "id"),
        Column(MOVIE_ID, "id"),
        Column(RATING, "rating"),
        Column(TIMESTAMP, "timestamp"),
    ),
    needs_rows=True,
)
USERS = Table(
    stems=("users",),
    columns=(
        Column(USER_ID, "id"),
        Column("Gender", "text"),
        Column("Age", "count"),
        Column("Occupation", "count"),
        Column("ZipCode", "text"),
    ),
    key=USER_ID,
)
MOVIES = Table(
    stems=("movies",),
    columns=(Column(MOVIE_ID, "id"), Column("Title", "text"), Column("Genres", "text")),
    key=MOVIE_ID,
)
QUERIES = Table(stems=(), columns=(Column(USER_ID, "id"), Column(TIMESTAMP, "timestamp")))
