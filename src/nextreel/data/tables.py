"""The interactions, users and movies of a data set as frames, with every value checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import polars as pl

from nextreel.data.data_format import ANY_FORMAT, DataFormat
from nextreel.data.frames import check_frame, find_columns, require_given_columns, to_polars
from nextreel.data.ids import kind_of
from nextreel.data.links import with_numbers
from nextreel.data.rating_scale import STARS, RatingScale
from nextreel.data.schema import INTERACTIONS, LINKS, MOVIE_ID, MOVIES, RATING, USER_ID, USERS, Table
from nextreel.errors import DataError


@dataclass(frozen=True)
class Tables:
    """The tables of one data set. The constructor doesn't check the frames; `Tables.check` does."""

    interactions: pl.DataFrame
    """One row per rating: UserID, MovieID, Rating, Timestamp."""
    users: pl.DataFrame | None = None
    """UserID, Gender, Age, Occupation, ZipCode; may lack users who have interactions. None without a file of users."""
    movies: pl.DataFrame | None = None
    """MovieID, Title, Genres; may lack movies that have interactions. None without a file of movies."""
    notes: tuple[str, ...] = ()
    """Messages about deviations from the file format that the readers accepted."""
    format: DataFormat = ANY_FORMAT
    """What the columns of the files are called, whether ids are text, and what the ratings mean."""
    sources: Mapping[Table, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """For each table that was read from files: the columns that were found, each with the files' name for it."""
    links: pl.DataFrame | None = None
    """MovieID, ImdbID of the movies whose ids on IMDb are known; None if there are none."""

    @property
    def scale(self) -> RatingScale:
        """The scale of the ratings."""
        return self.format.scale or STARS

    @classmethod
    def check(
        cls,
        interactions: object,
        movies: object = None,
        users: object = None,
        request: DataFormat = ANY_FORMAT,
    ) -> Self:
        """Create tables from a caller's frames, of polars, pandas, pyarrow or another library, and check every value.

        Raises
        ------
        DataError
            A frame lacks a column, a column holds a value that isn't allowed there, or the ids of two frames are of
            different kinds.
        """
        linked = movies is not None and _find_links(to_polars(movies, MOVIES, "movies"), request)
        frames = {
            table: to_polars(frame, table, name)
            for table, frame, name in (
                (INTERACTIONS, interactions, "interactions"),
                (MOVIES, movies, "movies"),
                (USERS, users, "users"),
            )
            if frame is not None or table is INTERACTIONS
        }
        rows = check_frame(frames[INTERACTIONS], INTERACTIONS, "interactions", request)
        films = check_frame(frames[MOVIES], MOVIES, "movies", request) if MOVIES in frames else None
        people = check_frame(frames[USERS], USERS, "users", request) if USERS in frames else None
        sources = {
            table: find_columns(frame.columns, table, request).sources for table, frame in frames.items()
        }
        if linked:
            sources[LINKS] = find_columns(frames[MOVIES].columns, LINKS, request).sources
        require_given_columns(
            request, ANY_FORMAT, {table: tuple(names.items()) for table, names in sources.items()}
        )
        scale = find_scale(rows, RATING in sources[INTERACTIONS], request)
        tables = cls(
            interactions=rows,
            movies=films,
            users=people,
            links=with_numbers(check_frame(frames[MOVIES], LINKS, "movies", request), "movies")
            if linked
            else None,
            format=request.model_copy(
                update={
                    "user_ids": kind_of(rows[USER_ID]),
                    "movie_ids": kind_of(rows[MOVIE_ID]),
                    "scale": scale,
                    "liked_from": None,
                }
            ),
        )
        for name, column, frame in (("movies", MOVIE_ID, tables.movies), ("users", USER_ID, tables.users)):
            if frame is not None and kind_of(frame[column]) != kind_of(rows[column]):
                raise DataError(
                    f"{name}: the {column}s are {describe_kind(frame[column])}, but those of interactions are "
                    f"{describe_kind(rows[column])}; expected the same in both"
                )
        return tables


def _find_links(movies: pl.DataFrame, request: DataFormat) -> bool:
    """Return whether a frame of movies has their IMDb ids, too."""
    return not find_columns(movies.columns, LINKS, request).missing


def find_scale(rows: pl.DataFrame, is_rated: bool, format_: DataFormat) -> RatingScale:
    """Return the scale of checked interactions: the remembered one, or that of their ratings and `liked_from`."""
    if not is_rated:
        return RatingScale.without_ratings()
    if format_.scale is None:
        return RatingScale.of(rows[RATING].to_numpy(), format_.liked_from)
    if format_.liked_from is None:
        return format_.scale
    return format_.scale.model_copy(update={"liked_from": format_.liked_from})


def describe_kind(ids: pl.Series) -> str:
    """Return what the ids of a checked column are, for messages: "texts" or "whole numbers"."""
    return "texts" if kind_of(ids) == "text" else "whole numbers"
