"""All data that the store holds about one user, in the form in which it is handed out."""

from collections.abc import Sequence
from typing import NotRequired, TypedDict

import sqlalchemy as sa

from nextreel.data.data_format import ANY_FORMAT, DataFormat
from nextreel.data.ids import Id, encode_id
from nextreel.data.rating_scale import STARS
from nextreel.data.schema import MOVIE_ID
from nextreel.serving.storage.impressions import read_impressions
from nextreel.serving.storage.interaction_rows import read_users
from nextreel.serving.storage.sql_tables import impressions
from nextreel.serving.storage.text_ids import read_texts


class ExportedInteraction(TypedDict):
    """A stored rating."""

    movie_id: Id
    rating: NotRequired[float]
    """On the scale of the data; missing if the data have no ratings."""
    timestamp: int


class ExportedImpression(TypedDict):
    """A list that was shown to the user during an experiment."""

    at: int
    """When it was shown, POSIX seconds."""
    version: str
    movie_ids: Sequence[Id]
    """MovieIDs of the list, best first."""


class UserExport(TypedDict):
    """All data about one user, ready for JSON."""

    user_id: Id
    interactions: list[ExportedInteraction]
    recommendations: list[ExportedImpression]


def read_user(connection: sa.Connection, user_id: Id, format_: DataFormat = ANY_FORMAT) -> UserExport:
    """Read all data about one user from a store of this format."""
    code = encode_id(user_id)
    rows = read_users(connection, [code])
    lists = read_impressions(connection, impressions.c.user_id == code)
    texts: dict[int, str] = {}
    if format_.movie_ids == "text":
        movies = {*rows[MOVIE_ID], *(movie for shown in lists for movie in shown.movie_ids)}
        texts = read_texts(connection, "movie", sorted(movies))
    rated = (format_.scale or STARS).rated
    return {
        "user_id": user_id,
        "interactions": [
            {"movie_id": texts.get(movie, movie), "rating": rating, "timestamp": timestamp}
            if rated
            else {"movie_id": texts.get(movie, movie), "timestamp": timestamp}
            for _, movie, rating, timestamp in rows.iter_rows()
        ],
        "recommendations": [
            {
                "at": shown.timestamp,
                "version": shown.version,
                "movie_ids": [texts.get(movie, movie) for movie in shown.movie_ids],
            }
            for shown in lists
        ],
    }
