"""Impressions: lists that were shown to users during an A/B experiment."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from nextreel.serving.storage.people.erasure_log import find_last_erasures
from nextreel.serving.storage.people.hidden_ids import IdHider
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
    last_erasure: int | None = field(default=None, compare=False)
    """Id of the last erasure when the list was made, for one that waits to be stored; None for one that is stored."""


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


def leave_out_erased(
    connection: sa.Connection, hider: IdHider, shown: Sequence[Impression]
) -> list[Impression]:
    """Return the impressions without those of users who were erased after their list was made."""
    known = [impression.last_erasure for impression in shown if impression.last_erasure is not None]
    if not known:
        return [*shown]
    users = {impression.user_id for impression in shown}
    erased = find_last_erasures(connection, hider, users, after=min(known))
    return [
        impression
        for impression in shown
        if impression.last_erasure is None or erased.get(impression.user_id, 0) <= impression.last_erasure
    ]


def read_impressions(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[Impression]:
    """Return the impressions that meet a condition, in the order in which they were stored."""
    rows = connection.execute(sa.select(impressions).where(condition).order_by(impressions.c.id))
    return [Impression(row.user_id, row.at, row.version, json.loads(row.movie_ids)) for row in rows]
