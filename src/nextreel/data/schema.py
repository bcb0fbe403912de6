"""The three tables: their files, columns and what each column may hold. The one place for names."""

from dataclasses import dataclass
from typing import Literal

import polars as pl

USER_ID, MOVIE_ID, RATING, TIMESTAMP = "UserID", "MovieID", "Rating", "Timestamp"

LOWEST_RATING, HIGHEST_RATING = 0.5, 5.0

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
"""What a cell may hold, as messages say it."""


@dataclass(frozen=True)
class Column:
    """A column and what sort of value it holds."""

    name: str
    kind: Kind


@dataclass(frozen=True)
class Table:
    """One table: the names its file may have, best first, and its columns."""

    stems: tuple[str, ...]
    columns: tuple[Column, ...]
    key: str | None = None
    """A column whose values may stand only once."""
    needs_rows: bool = False
    """Whether a header without any row is an error."""

    @property
    def schema(self) -> pl.Schema:
        """Names and types of the columns."""
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


POSITIVE = 4.0
"""A rating from which on a movie counts as liked."""
