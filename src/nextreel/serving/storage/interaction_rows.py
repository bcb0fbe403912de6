"""The log of interactions: appending each event once, and reading rows back as the frames of a data set."""

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, astuple, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import polars as pl
import sqlalchemy as sa

from nextreel.data.dataset import Dataset
from nextreel.data.schema import INTERACTIONS, MOVIE_ID, RATING, TIMESTAMP, USER_ID
from nextreel.errors import IdempotencyError
from nextreel.serving.storage.sql_tables import answers, interactions, replies, reply_users

BLOCK = 100_000
"""Rows that are copied or read at once."""
PARAMETERS = 2_000
"""Values that one statement names; databases limit them to some ten thousands."""
REMEMBERED_SECONDS = 24 * 3600
"""How long the reply to an Idempotency-Key is kept."""


@dataclass(frozen=True)
class NewInteraction:
    """A rating to remember."""

    user_id: int
    movie_id: int
    rating: float
    """Stars, 0.5 to 5; kept as float32, as everywhere."""
    timestamp: int
    """POSIX seconds, UTC."""


class Outcome(StrEnum):
    """What became of a rating."""

    ADDED = "added"
    KNOWN = "known"
    """The same (user, movie, timestamp) stands already with the same rating."""
    CONFLICT = "conflict"
    """The same (user, movie, timestamp) stands already with another rating, which stays."""


@dataclass(frozen=True)
class GivenAnswer:
    """A list given during an experiment."""

    user_id: int
    at: int
    """When it was given, POSIX seconds."""
    version: str
    movie_ids: Sequence[int]
    """Best first."""


_ROW = (interactions.c.user_id, interactions.c.movie_id, interactions.c.rating, interactions.c.timestamp)
_OF_USERS = (
    sa.select(*_ROW)
    .where(interactions.c.user_id.in_(sa.bindparam("users", expanding=True)))
    .order_by(interactions.c.user_id, interactions.c.timestamp, interactions.c.id)
)
_MOMENT = sa.values(sa.column("user_id", sa.BigInteger), sa.column("timestamp", sa.BigInteger), name="moment")
_AFTER = (
    sa.select(*_ROW, interactions.c.id)
    .where(interactions.c.id > sa.bindparam("last"))
    .order_by(interactions.c.id)
    .limit(sa.bindparam("block"))
)


def append(connection: sa.Connection, rows: Sequence[NewInteraction]) -> list[Outcome]:
    """Append the rows that don't stand yet, the connection being the only writer; what became of each row."""
    standing = _find_standing(connection, rows)
    outcomes, new = [], []
    for row in rows:
        event, rating = (row.user_id, row.movie_id, row.timestamp), float(np.float32(row.rating))
        if event in standing:
            outcomes.append(Outcome.KNOWN if standing[event] == rating else Outcome.CONFLICT)
            continue
        standing[event] = rating
        new.append({**asdict(row), "rating": rating})
        outcomes.append(Outcome.ADDED)
    if new:
        connection.execute(sa.insert(interactions), new)
    return outcomes


def _find_standing(
    connection: sa.Connection, rows: Sequence[NewInteraction]
) -> dict[tuple[int, int, int], float]:
    """Rating by (user, movie, timestamp) of the events of these users in these seconds; of twins, the later."""
    found: dict[tuple[int, int, int], float] = {}
    moments = sorted({(row.user_id, row.timestamp) for row in rows})
    for start in range(0, len(moments), PARAMETERS):
        # A join, because both databases plan (user_id, timestamp) IN (many pairs) as a scan or as many ORs.
        wanted = _MOMENT.data(moments[start : start + PARAMETERS]).cte()
        same = (interactions.c.user_id == wanted.c.user_id) & (interactions.c.timestamp == wanted.c.timestamp)
        query = sa.select(*_ROW).join(wanted, same).order_by(interactions.c.id)
        for user, movie, rating, timestamp in connection.execute(query):
            found[user, movie, timestamp] = float(np.float32(rating))
    return found


def find_reply(connection: sa.Connection, key: str, rows: Sequence[NewInteraction]) -> list[Outcome] | None:
    """What was answered to these rows under this key; IdempotencyError if it came with other rows."""
    forgotten = replies.c.created < int(time.time()) - REMEMBERED_SECONDS
    connection.execute(sa.delete(replies).where(forgotten))
    reply = connection.execute(sa.select(replies).where(replies.c.idempotency_key == key)).one_or_none()
    if reply is None:
        return None
    if reply.body_sha256 != _hash_body(rows):
        raise IdempotencyError(
            "this Idempotency-Key came before with other interactions; nothing was written"
        )
    return [Outcome(value) for value in json.loads(reply.outcomes)]


def keep_reply(
    connection: sa.Connection, key: str, rows: Sequence[NewInteraction], outcomes: Sequence[Outcome]
) -> None:
    """Remember what was answered to these rows under this key."""
    reply = {
        "idempotency_key": key,
        "body_sha256": _hash_body(rows),
        "outcomes": json.dumps(outcomes),
        "created": int(time.time()),
    }
    connection.execute(sa.insert(replies), reply)
    users = [{"idempotency_key": key, "user_id": user} for user in sorted({row.user_id for row in rows})]
    if users:
        connection.execute(sa.insert(reply_users), users)


def _hash_body(rows: Sequence[NewInteraction]) -> str:
    return hashlib.sha256(json.dumps([astuple(row) for row in rows]).encode()).hexdigest()


def read_users(connection: sa.Connection, user_ids: Sequence[int]) -> pl.DataFrame:
    """The rows of these users, ordered by (user, Timestamp, id)."""
    wanted = sorted(set(user_ids))
    rows: list[Sequence[Any]] = []
    for start in range(0, len(wanted), PARAMETERS):
        rows += connection.execute(_OF_USERS, {"users": wanted[start : start + PARAMETERS]}).all()
    return _as_frame(rows)


def read_after(connection: sa.Connection, last_id: int) -> tuple[int, pl.DataFrame]:
    """The rows with a higher id, in order of id, and the id of the last."""
    read = [_as_frame([])]
    while rows := connection.execute(_AFTER, {"last": last_id, "block": BLOCK}).all():
        last_id = int(rows[-1].id)
        read.append(_as_frame(rows))
    return last_id, pl.concat(read)


def _as_frame(rows: Sequence[Sequence[Any]]) -> pl.DataFrame:
    columns = zip(*rows, strict=True) if rows else ((), (), (), ())
    named = zip(INTERACTIONS.schema.items(), columns, strict=False)
    return pl.DataFrame([pl.Series(name, values, dtype=dtype) for (name, dtype), values in named])


def blocks_of(dataset: Dataset) -> Iterator[tuple[int, pl.DataFrame]]:
    """The rows of a data set in the order of its timeline, in blocks, each with the number of rows up to its end."""
    timeline = dataset.timeline
    for start in range(0, len(timeline), BLOCK):
        part = slice(start, start + BLOCK)
        block = pl.DataFrame(
            {
                USER_ID: timeline.user_ids[timeline.users[part]],
                MOVIE_ID: dataset.movie_ids[timeline.movies[part]],
                RATING: timeline.ratings[part],
                TIMESTAMP: timeline.timestamps[part],
            }
        )
        yield start + len(block), block


def read_answers(connection: sa.Connection, which: sa.ColumnElement[bool]) -> list[GivenAnswer]:
    """Lists given during experiments, in the order in which they were."""
    rows = connection.execute(sa.select(answers).where(which).order_by(answers.c.id))
    return [GivenAnswer(row.user_id, row.at, row.version, json.loads(row.movie_ids)) for row in rows]
