"""Impressions: lists that were shown to users during an A/B experiment."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from nextreel.serving.storage.sql_tables import answers


@dataclass(frozen=True)
class Impression:
    """A list given during an experiment."""

    user_id: int
    timestamp: int
    """When it was given, POSIX seconds."""
    version: str
    movie_ids: Sequence[int]
    """Best first."""


def read_impressions(connection: sa.Connection, which: sa.ColumnElement[bool]) -> list[Impression]:
    """Lists given during experiments, in the order in which they were."""
    rows = connection.execute(sa.select(answers).where(which).order_by(answers.c.id))
    return [Impression(row.user_id, row.at, row.version, json.loads(row.movie_ids)) for row in rows]
