"""The log of interactions: appending each event once, and reading rows back as the frames of a data set."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import polars as pl
import sqlalchemy as sa

from nextreel.data.dataset import Dataset
from nextreel.data.schema import INTERACTIONS, MOVIE_ID, RATING, TIMESTAMP, USER_ID
from nextreel.serving.storage.sql_tables import interactions

BLOCK = 100_000
"""Rows that are copied or read at once."""
PARAMETERS = 2_000
"""Values that one statement names; databases limit them to some ten thousands."""


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
