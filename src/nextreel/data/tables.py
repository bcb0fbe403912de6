"""The interactions, users and movies of a data set in the form of their files, with every value checked."""

from dataclasses import dataclass
from typing import Self

import polars as pl

from nextreel.data.schema import INTERACTIONS, MOVIES, USERS
from nextreel.data.value_checks import check_frame


@dataclass(frozen=True)
class Tables:
    """The tables of one data set. The constructor doesn't check the frames; `Tables.check` does."""

    interactions: pl.DataFrame
    """One row per rating: UserID, MovieID, Rating, Timestamp."""
    users: pl.DataFrame | None = None
    """UserID, Gender, Age, Occupation, ZipCode; may lack users who have interactions. None without users.csv."""
    movies: pl.DataFrame | None = None
    """MovieID, Title, Genres; may lack movies that have interactions. None without movies.csv."""
    notes: tuple[str, ...] = ()
    """Messages about deviations from the file format that the readers accepted."""

    @classmethod
    def check(
        cls,
        interactions: pl.DataFrame,
        movies: pl.DataFrame | None = None,
        users: pl.DataFrame | None = None,
    ) -> Self:
        """Create tables from a caller's frames, after checking every value.

        Raises
        ------
        DataError
            A frame lacks a column, or a column holds a value that isn't allowed there.
        """
        return cls(
            interactions=check_frame(interactions, INTERACTIONS, "interactions"),
            movies=None if movies is None else check_frame(movies, MOVIES, "movies"),
            users=None if users is None else check_frame(users, USERS, "users"),
        )
