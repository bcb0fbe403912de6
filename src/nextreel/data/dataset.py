"""A dataset: who rated what and when, and what is known about the people and the movies."""

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
from nextreel.data.timeline import Histories, Timeline
from nextreel.data.titles import with_parsed_titles
from nextreel.data.value_checks import check_frame
from nextreel.deprecation import renamed_argument
from nextreel.errors import DataError


@dataclass(frozen=True)
class Dataset:
    """Interactions beside users and a catalog; rows of `users` and `movies` follow the index."""

    timeline: Timeline
    movie_ids: Int64Array
    """int64[n_movies]: MovieID of each movie index, ascending; this is the catalog."""
    users: pl.DataFrame
    """UserID, Gender, Age, Occupation, ZipCode; nulls where nothing is known."""
    movies: pl.DataFrame
    """MovieID, Title (as shown), Genres (list), Year; nulls where nothing is known."""

    @classmethod
    def from_frames(
        cls,
        interactions: pl.DataFrame,
        movies: pl.DataFrame | None = None,
        users: pl.DataFrame | None = None,
    ) -> Self:
        """Index three tables in the form of their files; the last two may be missing or incomplete.

        Movies that were rated but aren't in `movies` join the catalog without a title, users likewise.
        """
        interactions = check_frame(interactions, INTERACTIONS, "interactions")
        movies = (
            pl.DataFrame(schema=MOVIES.schema) if movies is None else check_frame(movies, MOVIES, "movies")
        )
        users = pl.DataFrame(schema=USERS.schema) if users is None else check_frame(users, USERS, "users")
        movie_ids = pl.concat([interactions[MOVIE_ID], movies[MOVIE_ID]]).unique().sort()
        user_ids = pl.concat([interactions[USER_ID], users[USER_ID]]).unique().sort()
        return cls(
            timeline=_index_rows(interactions, user_ids.to_numpy(), movie_ids.to_numpy()),
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
        """Rating from which on an interaction is a positive: what counts as liked in this data set."""
        return self.timeline.positive_rating

    @property
    def n_users(self) -> int:
        """Users with interactions or a row in users.csv."""
        return len(self.user_ids)

    @property
    def n_movies(self) -> int:
        """Movies of the catalog."""
        return len(self.movie_ids)

    def index_of_movies(self, movie_ids: npt.NDArray[np.integer]) -> Int64Array:
        """int64[n]: index of each MovieID, -1 for one outside the catalog."""
        return find_sorted(self.movie_ids, movie_ids)

    @renamed_argument("at", "timestamps")
    def histories(self, user_ids: Int64Array, timestamps: Int64Array) -> Histories:
        """What was known of each UserID strictly before each moment."""
        return self.timeline.as_of(user_ids, timestamps)

    def interactions(self) -> pl.DataFrame:
        """The rows as a frame in order of time: UserID, MovieID, Rating, Timestamp."""
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
        """The same catalog and what is known of the users, with these interactions instead.

        Rows of movies outside the catalog are left out: no model that was fitted on it can use them.
        """
        interactions = check_frame(interactions, INTERACTIONS, "interactions")
        rows = interactions.filter(self.index_of_movies(interactions[MOVIE_ID].to_numpy()) >= 0)
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
        """SHA-256 of the interactions and the catalog: equal data, equal fingerprint."""
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


def require_dataset(found: object) -> None:
    """Raise DataError, saying how to get one, for what is no dataset."""
    if isinstance(found, str | PathLike):
        raise DataError(f"{str(found)!r} is a path; nextreel.read_dataset({str(found)!r}) reads it")
    if not isinstance(found, Dataset):
        made = "nextreel.Dataset.from_frames(interactions, movies, users) makes one"
        raise DataError(f"a {type(found).__name__} is no dataset; {made}")


def _index_rows(interactions: pl.DataFrame, user_ids: Int64Array, movie_ids: Int64Array) -> Timeline:
    return Timeline.from_rows(
        users=np.searchsorted(user_ids, interactions[USER_ID].to_numpy()),
        movies=np.searchsorted(movie_ids, interactions[MOVIE_ID].to_numpy()),
        ratings=interactions[RATING].to_numpy(),
        timestamps=interactions[TIMESTAMP].to_numpy(),
        user_ids=user_ids,
    )
