"""Impressions: lists that were shown to users during an A/B experiment."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from nextreel.serving.storage.sql_tables import impressions


@dataclass(frozen=True)
class Impression:
    """A list that was shown to a user during an experiment."""

    user_id: int
    """UserID, or the code of a text id."""
    timestamp: int
    """When the list was shown, POSIX seconds; not the timestamp of the query."""
    version: str
    """Name of the model version that made the list."""
    movie_ids: Sequence[int]
    """MovieIDs of the list, or their codes, best first."""


def insert_impressions(connection: sa.Connection, shown: Sequence[Impression]) -> None:
    """Append impressions, in their order."""
    rows = [
        {
            "user_id": impression.user_id,
            "at": impression.timestamp,
            "version": impression.version,
            "movie_ids": json.dumps(list(impression.movie_ids)),
        }
        for impression in shown
    ]
    connection.execute(sa.insert(impressions), rows)


def read_impressions(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[Impression]:
    """Return the impressions that meet a condition, in the order in which they were stored."""
    rows = connection.execute(sa.select(impressions).where(condition).order_by(impressions.c.id))
    return [Impression(row.user_id, row.at, row.version, json.loads(row.movie_ids)) for row in rows]
