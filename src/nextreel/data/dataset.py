"""A data set in memory: interactions, users, and the catalog of movies, all numbered by index (0, 1, 2, ...)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from os import PathLike
from typing import Self, cast

import numpy as np
import numpy.typing as npt
import polars as pl
from narwhals.typing import IntoFrame

from nextreel.arrays import Int64Array, find_sorted
from nextreel.data.data_format import DataFormat
from nextreel.data.frames import check_frame
from nextreel.data.ids import Id, encode_ids, find_positions, kind_of, sort_with_codes
from nextreel.data.links import NO_LINKS
from nextreel.data.rating_scale import RatingScale
from nextreel.data.schema import (
    INTERACTIONS,
    MOVIE_ID,
    MOVIES,
    RATING,
    TIMESTAMP,
    USER_ID,
    USERS,
    Table,
)
from nextreel.data.tables import Tables, describe_kind
from nextreel.data.timeline import Histories, Ties, Timeline
from nextreel.data.times import format_timestamp
from nextreel.data.titles import with_parsed_titles
from nextreel.data.value_checks import parse_cell
from nextreel.errors import DataError, QueryError
from nextreel.notebook_html import to_html
from nextreel.wording import number_of


@dataclass(frozen=True)
class Dataset:
    """Interactions, users and movies; row i of `users` and of `movies` describes the user or movie with index i.

    Arrays hold ids as integers, frames as people write them: numbers, or texts whose integers are their codes
    (`nextreel.data.ids`).
    """

    timeline: Timeline
    movie_ids: Int64Array
    """int64[n_movies]: MovieID, or the code of a text id, of each movie index, ascending; this is the catalog."""
    users: pl.DataFrame
    """One row per user: UserID, Gender, Age, Occupation, ZipCode; null for unknown values."""
    movies: pl.DataFrame
    """One row per movie: MovieID, Title ("The Title (1995)"), Genres (a list), Year; null for unknown values."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Names of the columns in the user's files by role, as far as the user gave them."""
    links: pl.DataFrame = field(default_factory=lambda: NO_LINKS)
    """MovieID and ImdbID (a number) of the movies of the catalog whose ids on IMDb are known."""

    @classmethod
    def from_frames(
        cls,
        interactions: IntoFrame,
        movies: IntoFrame | None = None,
        users: IntoFrame | None = None,
        *,
        columns: Mapping[str, str] | None = None,
        liked_from: float | None = None,
    ) -> Self:
        """Create a dataset from frames of interactions, movies and users, and check them.

        The frames may be of polars, pandas, pyarrow or DuckDB. Their columns are recognised by usual names, such as
        UserID, user_id and userId, or named by `columns`. Ids are whole numbers or texts, times are POSIX seconds (or
        milliseconds, and so on), datetimes or ISO 8601. Without ratings, every interaction counts as liked. `movies`
        and `users` may be missing or incomplete: rated movies that `movies` lacks join the catalog without a title, and
        users with interactions that `users` lacks are added without attributes.

        Parameters
        ----------
        interactions, movies, users
            The frames.
        columns : Mapping[str, str], optional
            Names of the columns by role, such as {"user": "account_id", "time": "watched_at"}.
        liked_from : float, optional
            Lowest rating that counts as liked; needed for another scale than 0.5 to 5 stars, where it is 4.

        Raises
        ------
        DataError
            A frame lacks a column, or a column holds a value that isn't allowed there.
        ConfigError
            `columns` names a role that no column has.
        """
        return cls.from_tables(
            Tables.check(interactions, movies, users, DataFormat.request(columns, liked_from))
        )

    @classmethod
    def from_tables(cls, tables: Tables) -> Self:
        """Create a dataset from tables whose values have been checked, such as those that `read_tables` returns."""
        rows = tables.interactions
        no_movies = pl.DataFrame(schema={**MOVIES.schema, MOVIE_ID: rows.schema[MOVIE_ID]})
        no_users = pl.DataFrame(schema={**USERS.schema, USER_ID: rows.schema[USER_ID]})
        movies = no_movies if tables.movies is None else tables.movies
        users = no_users if tables.users is None else tables.users
        movie_ids, movie_codes = sort_with_codes(pl.concat([rows[MOVIE_ID], movies[MOVIE_ID]]))
        user_ids, user_codes = sort_with_codes(pl.concat([rows[USER_ID], users[USER_ID]]))
        return cls(
            timeline=_index_rows(rows, user_ids, user_codes, movie_ids, tables.scale),
            movie_ids=movie_codes,
            users=user_ids.to_frame().join(users, on=USER_ID, how="left", maintain_order="left"),
            movies=with_parsed_titles(
                movie_ids.to_frame().join(movies, on=MOVIE_ID, how="left", maintain_order="left")
            ),
            columns=tables.format.columns,
            links=NO_LINKS
            if tables.links is None
            else tables.links.join(movie_ids.to_frame(), on=MOVIE_ID, how="semi", maintain_order="left"),
        )

    def facts(self) -> list[tuple[str, str]]:
        """Return size, period, and kinds of ids and ratings as (name, value) in words; cheap for any size."""
        scale, format_ = self.scale, self.format
        ratings = f"{scale.lowest:g} to {scale.highest:g}, liked from {scale.liked_from:g}"
        return [
            ("interactions", f"{len(self.timeline):,}"),
            ("users", f"{self.n_users:,}"),
            ("movies", f"{self.n_movies:,}"),
            ("period", self._describe_period()),
            ("ratings", ratings if scale.rated else "none, every interaction counts as liked"),
            ("ids", f"{format_.user_ids} for users, {format_.movie_ids} for movies"),
        ]

    def __repr__(self) -> str:
        rows, users = number_of(len(self.timeline), "interaction"), number_of(self.n_users, "user")
        return f"Dataset({rows}, {users}, {number_of(self.n_movies, 'movie')}, {self._describe_period()})"

    def _repr_html_(self) -> str:
        return to_html("Dataset", self.facts())

    def _describe_period(self) -> str:
        timeline = self.timeline
        if not len(timeline):
            return "no interactions"
        # Rows of a user are in order of time, so the first and last row of each user are enough.
        first, stop = timeline.offsets[:-1], timeline.offsets[1:]
        has_rows = first < stop
        start = int(timeline.timestamps[first[has_rows]].min())
        end = int(timeline.timestamps[stop[has_rows] - 1].max())
        return f"{format_timestamp(start)[:10]} to {format_timestamp(end)[:10]}"

    @property
    def user_ids(self) -> Int64Array:
        """int64[n_users]: UserID, or the code of a text id, of each user index, ascending."""
        return self.timeline.user_ids

    @property
    def format(self) -> DataFormat:
        """What files of this data set are like: names of columns, kinds of ids, and the scale of the ratings."""
        return DataFormat(
            columns=self.columns,
            user_ids=kind_of(self.users[USER_ID]),
            movie_ids=kind_of(self.movies[MOVIE_ID]),
            scale=self.scale,
        )

    @property
    def scale(self) -> RatingScale:
        """What the ratings mean: their lowest and highest value, and from where on one counts as liked."""
        return self.timeline.scale

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

    def histories(self, user_ids: Int64Array, timestamps: Int64Array, ties: Ties = "strict") -> Histories:
        """Return each user's history as of a timestamp: the interactions strictly before it, as a rule.

        Parameters
        ----------
        user_ids : int64[n_queries]
            UserIDs; an unknown user has an empty history.
        timestamps : int64[n_queries]
            POSIX seconds.
        ties : Ties
            With "file-order", the interactions of that second are in the history too: the query comes after them.

        Raises
        ------
        ConfigError
            `ties` is neither strict nor file-order.
        """
        return self.timeline.as_of(user_ids, timestamps, ties)

    def interactions(self) -> pl.DataFrame:
        """Return the interactions as a frame sorted by time: UserID, MovieID, Rating, Timestamp."""
        timeline = self.timeline
        return pl.DataFrame(
            {
                USER_ID: self.users[USER_ID][timeline.users],
                MOVIE_ID: self.movies[MOVIE_ID][timeline.movies],
                RATING: timeline.ratings,
                TIMESTAMP: timeline.timestamps,
            }
        ).sort(TIMESTAMP, maintain_order=True)

    def with_interactions(self, interactions: IntoFrame) -> Self:
        """Return a dataset with the same catalog and user attributes, but with the given interactions.

        Rows of movies outside the catalog are left out: no model that was fitted on this catalog can use them.

        Raises
        ------
        DataError
            The frame lacks a column, or a column holds a value that isn't allowed there.
        """
        return self.with_rows(self.check(interactions, INTERACTIONS, "interactions"))

    def check(self, frame: object, table: Table, name: str) -> pl.DataFrame:
        """Return the columns of a table from a frame of any kind that belongs to this data set, as `check_frame` does.

        Raises
        ------
        DataError
            The frame lacks a column, a column holds a value that isn't allowed there, or the ids are of another kind
            than those of this data set.
        """
        rows = check_frame(frame, table, name, self.format)
        for column, ids in ((USER_ID, self.users[USER_ID]), (MOVIE_ID, self.movies[MOVIE_ID])):
            if column in rows.columns and kind_of(rows[column]) != kind_of(ids):
                raise DataError(
                    f"{name}: the {column}s are {describe_kind(rows[column])}, but those of the data set are "
                    f"{describe_kind(ids)}"
                )
        return rows

    def parse_user_id(self, text: str, name: str) -> Id:
        """Return a UserID of this data set from text; QueryError names the option or field `name` of a bad one."""
        return _parse_id(self.users[USER_ID], text, name)

    def with_rows(self, rows: pl.DataFrame) -> Self:
        """Do as `with_interactions`, but without checking the rows: the caller has, or took them from a dataset."""
        rows = rows.filter(self.index_of_movies(encode_ids(rows[MOVIE_ID])) >= 0)
        user_ids, user_codes = sort_with_codes(pl.concat([self.users[USER_ID], rows[USER_ID]]))
        return replace(
            self,
            timeline=_index_rows(rows, user_ids, user_codes, self.movies[MOVIE_ID], self.scale),
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


def _parse_id(ids: pl.Series, text: str, name: str) -> Id:
    try:
        value = parse_cell("text id" if kind_of(ids) == "text" else "id", text)
    except ValueError as error:
        raise QueryError(f"{name}: {error}") from None
    return cast("Id", value)


def _index_rows(
    rows: pl.DataFrame,
    user_ids: pl.Series,
    user_codes: Int64Array,
    movie_ids: pl.Series,
    scale: RatingScale,
) -> Timeline:
    return Timeline.from_rows(
        users=find_positions(rows[USER_ID], user_ids),
        movies=find_positions(rows[MOVIE_ID], movie_ids),
        ratings=rows[RATING].to_numpy(),
        timestamps=rows[TIMESTAMP].to_numpy(),
        user_ids=user_codes,
        scale=scale,
    )
