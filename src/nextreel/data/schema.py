"""The tables of a data set: the names of their files and columns, and what each column holds."""

from dataclasses import dataclass, replace
from typing import Literal

import polars as pl

USER_ID, MOVIE_ID, RATING, TIMESTAMP = "UserID", "MovieID", "Rating", "Timestamp"

LOWEST_RATING, HIGHEST_RATING = 0.5, 5.0
"""Lowest and highest rating that is allowed, in stars: the range of MovieLens."""
POSITIVE = 4.0
"""Lowest rating that counts as a positive (the user liked the movie) by default."""
LARGEST_INTEGER = 2**63 - 1

LONGEST_ID = 255
"""Highest number of characters of a text id: longer than any id in use, and short enough for a line of a table."""

Kind = Literal[
    "id",
    "text id",
    "rating",
    "number",
    "timestamp",
    "milliseconds",
    "microseconds",
    "nanoseconds",
    "iso time",
    "count",
    "text",
]
"""What a column holds. A table of this module names the usual kind; a user's file may hold a related one instead, such
as a text id, a rating on another scale ("number"), or times in another unit."""
UNITS: dict[Kind, int] = {
    "timestamp": 1,
    "milliseconds": 10**3,
    "microseconds": 10**6,
    "nanoseconds": 10**9,
}
"""How many of its unit a second has, for each kind of column that holds times as whole numbers."""
DTYPES: dict[Kind, pl.DataType] = {
    "id": pl.Int64(),
    "text id": pl.String(),
    "rating": pl.Float32(),
    "number": pl.Float32(),
    "timestamp": pl.Int64(),
    "milliseconds": pl.Int64(),
    "microseconds": pl.Int64(),
    "nanoseconds": pl.Int64(),
    "iso time": pl.Int64(),
    "count": pl.Int64(),
    "text": pl.String(),
}
"""For each kind of column, the type that its values are read as; times become POSIX seconds."""

EXPECTED: dict[Kind, str] = {
    "id": "a whole number from 0",
    "text id": f"an id of 1 to {LONGEST_ID} characters",
    "rating": f"a rating from {LOWEST_RATING:g} to {HIGHEST_RATING:g}",
    "number": "a number",
    "timestamp": "POSIX seconds",
    "milliseconds": "milliseconds since 1970",
    "microseconds": "microseconds since 1970",
    "nanoseconds": "nanoseconds since 1970",
    "iso time": "a time in ISO 8601, such as 2001-01-31T18:00",
    "count": "a whole number from 0",
    "text": "text",
}
"""For each kind of column, how messages describe a valid cell."""


@dataclass(frozen=True)
class Column:
    """A column of a table: its name, the kind of value that its cells hold, and how a user's file may call it."""

    name: str
    kind: Kind
    role: str = ""
    """Short name of what the column holds, by which `--columns` maps a column of another name to it."""
    other_names: tuple[tuple[str, ...], ...] = ()
    """Further names by which the column is recognised, in lower case without blanks, hyphens and underscores: groups,
    the clearest first. Two names of one group in a file are ambiguous."""
    required: bool = True
    """Whether a file without the column is an error."""


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
    folded: tuple[Column, ...] = ()
    """Further columns that a user's file may have, whose values reading puts into the table's own columns."""

    @property
    def recognised(self) -> tuple[Column, ...]:
        """All columns that are looked for in a user's file."""
        return (*self.columns, *self.folded)

    @property
    def schema(self) -> pl.Schema:
        """Names and polars types of the table's columns, in their order."""
        return pl.Schema({column.name: DTYPES[column.kind] for column in self.columns})


_USER = Column(USER_ID, "id", "user", (("userid",), ("user", "uid")))
_MOVIE = Column(MOVIE_ID, "id", "movie", (("movieid",), ("itemid", "filmid"), ("movie", "item", "film")))
_TIME = Column(
    TIMESTAMP,
    "timestamp",
    "time",
    (("timestamp",), ("time", "datetime", "date", "unixtime", "ratedat", "watchedat", "createdat")),
)

INTERACTIONS = Table(
    stems=("ratings_train", "train", "ratings", "rating", "interactions"),
    columns=(
        _USER,
        _MOVIE,
        Column(RATING, "rating", "rating", (("rating",), ("stars",)), required=False),
        _TIME,
    ),
    needs_rows=True,
)
USERS = Table(
    stems=("users", "user"),
    columns=(
        replace(_USER, other_names=(*_USER.other_names, ("id",))),
        Column("Gender", "text", "gender", (("gender", "sex"),), required=False),
        Column("Age", "count", "age", (("age",),), required=False),
        Column("Occupation", "count", "occupation", (("occupation",),), required=False),
        Column("ZipCode", "text", "zipcode", (("zipcode", "zip", "postalcode"),), required=False),
    ),
    key=USER_ID,
)
YEAR = Column("Year", "count", "year", (("year", "releaseyear"),), required=False)
"""A column that a user's file of movies may have beside those of MOVIES; reading puts its year behind the title."""
MOVIES = Table(
    stems=("movies", "movie", "items"),
    columns=(
        replace(_MOVIE, other_names=(*_MOVIE.other_names, ("id",))),
        Column("Title", "text", "title", (("title",), ("name",))),
        Column("Genres", "text", "genres", (("genres", "genre"),), required=False),
    ),
    key=MOVIE_ID,
    folded=(YEAR,),
)
IMDB_ID = Column("ImdbID", "text", "imdb", (("imdbid", "imdb", "tconst", "const"),))
LINKS = Table(
    stems=("links",),
    columns=(replace(_MOVIE, other_names=(*_MOVIE.other_names, ("id",))), IMDB_ID),
    key=MOVIE_ID,
)
"""The IMDb ids of movies: MovieLens' links.csv, or a column of movies.csv."""
QUERIES = Table(stems=(), columns=(_USER, _TIME))
HISTORY = Table(
    stems=(),
    columns=tuple(
        replace(column, required=False)
        for column in (*INTERACTIONS.columns, MOVIES.columns[1], YEAR, IMDB_ID)
    ),
)
"""One person's own interactions: a movie by id, by title and year, or by its IMDb id."""
ROLES = tuple(
    dict.fromkeys(
        column.role for table in (INTERACTIONS, MOVIES, USERS, LINKS) for column in table.recognised
    )
)
"""What `--columns` can name, in the order of the tables."""
