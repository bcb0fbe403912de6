"""All data that the store holds about one user, in the form in which it is handed out."""

from collections.abc import Sequence
from typing import TypedDict

import sqlalchemy as sa

from nextreel.serving.storage.impressions import read_impressions
from nextreel.serving.storage.interaction_rows import read_users
from nextreel.serving.storage.sql_tables import impressions


class ExportedInteraction(TypedDict):
    """A stored rating."""

    movie_id: int
    rating: float
    timestamp: int


class ExportedImpression(TypedDict):
    """A list that was shown to the user during an experiment."""

    at: int
    """When it was shown, POSIX seconds."""
    version: str
    movie_ids: Sequence[int]
    """MovieIDs of the list, best first."""


class UserExport(TypedDict):
    """All data about one user, ready for JSON."""

    user_id: int
    interactions: list[ExportedInteraction]
    recommendations: list[ExportedImpression]


def read_user(connection: sa.Connection, user_id: int) -> UserExport:
    """Read all data about one user."""
    return {
        "user_id": user_id,
        "interactions": [
            {"movie_id": movie, "rating": rating, "timestamp": timestamp}
            for _, movie, rating, timestamp in read_users(connection, [user_id]).iter_rows()
        ],
        "recommendations": [
            {"at": shown.timestamp, "version": shown.version, "movie_ids": list(shown.movie_ids)}
            for shown in read_impressions(connection, impressions.c.user_id == user_id)
        ],
    }
