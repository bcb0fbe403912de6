"""A data set in memory: interactions, users, and the catalog of movies, all numbered by index (0, 1, 2, ...)."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from nextreel.arrays import Int64Array, find_sorted
from nextreel.data.schema import (
    INTERACTIONS,
    MOVIE_ID,
    MOVIES,
    RATING,
    TIMESTAMP,
    USER_ID,
    USERS,
)
from nextreel.data.tables import Tables
from nextreel.data.timeline import Histories, Timeline
from nextreel.data.titles import with_parsed_titles
from nextreel.data.value_checks import check_frame
from nextreel.deprecation import renamed_argument
from nextreel.errors import DataError


@dataclass(frozen=True)
class Dataset:
    """Interactions, users and movies; row i of `users` and of `movies` describes the user or movie with index i."""

    timeline: Timeline
    movie_ids: Int64Array
    """int64[n_movies]: MovieID of each movie index, ascending; this is the catalog."""
    users: pl.DataFrame
    """One row per user: UserID, Gender, Age, Occupation, ZipCode; null for unknown values."""
    movies: pl.DataFrame
    """One row per movie: MovieID, Title ("The Title (1995)"), Genres (a list), Year; null for unknown values."""

    @classmethod
    def from_frames(
        cls,
        interactions: pl.DataFrame,
        movies: pl.DataFrame | None = None,
        users: pl.DataFrame | None = None,
    ) -> Self:
        """Create a dataset from frames with the columns of ratings_train.csv, movies.csv and users.csv, and check them.

        `movies` and `users` may be missing or incomplete: rated movies that `movies` lacks join the catalog without a
        title, and users with interactions that `users` lacks are added without attributes.

        Raises
        ------
        DataError
            A frame lacks a column, or a column holds a value that isn't allowed there.
        """
        return cls.from_tables(Tables.check(interactions, movies, users))

    @classmethod
    def from_tables(cls, tables: Tables) -> Self:
        """Create a dataset from tables whose values have been checked, such as those that `read_tables` returns."""
        movies = pl.DataFrame(schema=MOVIES.schema) if tables.movies is None else tables.movies
        users = pl.DataFrame(schema=USERS.schema) if tables.users is None else tables.users
        movie_ids = pl.concat([tables.interactions[MOVIE_ID], movies[MOVIE_ID]]).unique().sort()
        user_ids = pl.concat([tables.interactions[USER_ID], users[USER_ID]]).unique().sort()
        return cls(
            timeline=_index_rows(tables.interactions, user_ids.to_numpy(), movie_ids.to_numpy()),
            movie_ids=movie_ids.to_numpy(),
            users=user_ids.to_frame().join(users, on=USER_ID, how="left", maintain_order="left"),
            movies=with_parsed_titles(
                movie_ids.to_frame().join(movies, on=MOVIE_ID, how="left", maintain_order="left")
            ),
        )

    @property
    def user_ids(self) -> Int64Array:
        """int64[n_users]: UserID of each user index, ascending."""
        return self.timeline.user_ids

    @property
    def positive_rating(self) -> float:
        """Lowest rating that makes an interaction a positive: what counts as liked in this data set."""
        return self.timeline.positive_rating

    @property
    def n_users(self) -> int:
        """Number of users with an interaction or a row in users.csv."""
        return len(self.user_ids)

    @property
    def n_movies(self) -> int:
        """Number of movies in the catalog."""
        return len(self.movie_ids)

    def index_of_movies(self, movie_ids: npt.NDArray[np.integer]) -> Int64Array:
        """Return int64[n]: the index of each MovieID, -1 for a movie outside the catalog."""
        return find_sorted(self.movie_ids, movie_ids)

    @renamed_argument("at", "timestamps")
    def histories(self, user_ids: Int64Array, timestamps: Int64Array) -> Histories:
        """Return each user's history as of a timestamp: the interactions strictly before it.

        Parameters
        ----------
        user_ids : int64[n_queries]
            UserIDs; an unknown user has an empty history.
        timestamps : int64[n_queries]
            POSIX seconds.
        """
        return self.timeline.as_of(user_ids, timestamps)

    def interactions(self) -> pl.DataFrame:
        """Return the interactions as a frame sorted by time: UserID, MovieID, Rating, Timestamp."""
        timeline = self.timeline
        return pl.DataFrame(
            {
                USER_ID: self.user_ids[timeline.users],
                MOVIE_ID: self.movie_ids[timeline.movies],
                RATING: timeline.ratings,
                TIMESTAMP: timeline.timestamps,
            }
        ).sort(TIMESTAMP, maintain_order=True)

    def with_interactions(self, interactions: pl.DataFrame) -> Self:
        """Return a dataset with the same catalog and user attributes, but with the given interactions.

        Rows of movies outside the catalog are left out: no model that was fitted on this catalog can use them.

        Raises
        ------
        DataError
            The frame lacks a column, or a column holds a value that isn't allowed there.
        """
        return self.with_rows(check_frame(interactions, INTERACTIONS, "interactions"))

    def with_rows(self, rows: pl.DataFrame) -> Self:
        """Do as `with_interactions`, but without checking the rows: the caller has, or took them from a dataset."""
        rows = rows.filter(self.index_of_movies(rows[MOVIE_ID].to_numpy()) >= 0)
        user_ids = pl.concat([pl.Series(USER_ID, self.user_ids), rows[USER_ID]]).unique().sort()
        return replace(
            self,
            timeline=replace(
                _index_rows(rows, user_ids.to_numpy(), self.movie_ids), positive_rating=self.positive_rating
            ),
            users=user_ids.to_frame().join(self.users, on=USER_ID, how="left", maintain_order="left"),
        )

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the interactions and the catalog; equal data have equal fingerprints."""
        digest = hashlib.sha256()
        for array in (
            self.user_ids,
            self.movie_ids,
            self.timeline.movies,
            self.timeline.ratings,
            self.timeline.timestamps,
            self.timeline.offsets,
        ):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def require_dataset(value: object) -> None:
    """Raise DataError for a value that isn't a Dataset; the message says how to get one."""
    if isinstance(value, str | PathLike):
        raise DataError(f"{str(value)!r} is a path; nextreel.read_dataset({str(value)!r}) reads it")
    if not isinstance(value, Dataset):
        raise DataError(
            f"expected a Dataset, found a {type(value).__name__}; "
            "create one with nextreel.Dataset.from_frames(interactions, movies, users)"
        )


def _index_rows(rows: pl.DataFrame, user_ids: Int64Array, movie_ids: Int64Array) -> Timeline:
    return Timeline.from_rows(
        users=np.searchsorted(user_ids, rows[USER_ID].to_numpy()),
        movies=np.searchsorted(movie_ids, rows[MOVIE_ID].to_numpy()),
        ratings=rows[RATING].to_numpy(),
        timestamps=rows[TIMESTAMP].to_numpy(),
        user_ids=user_ids,
    )
