"""The log of interactions: append each event once, and read rows back as the frames of a data set."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import polars as pl
import sqlalchemy as sa

from nextreel.data.dataset import Dataset
from nextreel.data.ids import Id, encode_id
from nextreel.data.schema import INTERACTIONS, LARGEST_INTEGER, MOVIE_ID, RATING, TIMESTAMP, USER_ID
from nextreel.data.times import LATEST_TIMESTAMP
from nextreel.serving.storage.sql_tables import interactions
from nextreel.serving.storage.text_ids import write_texts

logger = logging.getLogger("nextreel")

BLOCK = 100_000
"""Rows copied or read at a time."""
PARAMETERS = 2_000
"""Parameters of one statement; databases allow some ten thousand at most."""

Event = tuple[int, int, int]
"""UserID and MovieID, or their codes, and timestamp: at most one added interaction has them."""

_ROW = (interactions.c.user_id, interactions.c.movie_id, interactions.c.rating, interactions.c.timestamp)
_ROWS_OF_USERS = (
    sa.select(*_ROW)
    .where(interactions.c.user_id.in_(sa.bindparam("users", expanding=True)))
    .order_by(interactions.c.user_id, interactions.c.timestamp, interactions.c.id)
)
_ROWS_AFTER_ID = (
    sa.select(*_ROW, interactions.c.id)
    .where(interactions.c.id > sa.bindparam("last"))
    .order_by(interactions.c.id)
    .limit(sa.bindparam("block"))
)
_ROWS_OF_SECOND = (
    sa.select(*_ROW)
    .where(interactions.c.user_id == sa.bindparam("user"), interactions.c.timestamp == sa.bindparam("second"))
    .order_by(interactions.c.id)
)
_USER_SECONDS = sa.values(
    sa.column("user_id", sa.BigInteger), sa.column("timestamp", sa.BigInteger), name="moment"
)


@dataclass(frozen=True)
class NewInteraction:
    """A rating to store."""

    user_id: Id
    """UserID as people write it; a row that was read from the store has the code of a text id."""
    movie_id: Id
    """MovieID, in the same form."""
    rating: float
    """Rating on the scale of the data; stored as float32, like ratings everywhere."""
    timestamp: int
    """POSIX seconds, UTC."""

    @property
    def event(self) -> Event:
        """What the row is stored under."""
        return encode_id(self.user_id), encode_id(self.movie_id), self.timestamp


class Outcome(StrEnum):
    """The result of adding one rating."""

    ADDED = "added"
    """The rating was stored."""
    KNOWN = "known"
    """The same event (user, movie, timestamp) is stored already with the same rating."""
    CONFLICT = "conflict"
    """The same event (user, movie, timestamp) is stored already with another rating, which is kept."""


def append(connection: sa.Connection, rows: Sequence[NewInteraction]) -> list[Outcome]:
    """Append the rows whose events aren't stored yet and return an outcome for each row.

    No other connection may write at the same time.
    """
    write_texts(connection, "user", (row.user_id for row in rows))
    write_texts(connection, "movie", (row.movie_id for row in rows))
    stored = read_ratings(connection, rows)
    outcomes, new_rows = [], []
    for row in rows:
        event, rating = row.event, float(np.float32(row.rating))
        if event in stored:
            outcomes.append(Outcome.KNOWN if stored[event] == rating else Outcome.CONFLICT)
            continue
        stored[event] = rating
        user, movie, timestamp = event
        new_rows.append({"user_id": user, "movie_id": movie, "rating": rating, "timestamp": timestamp})
        outcomes.append(Outcome.ADDED)
    if new_rows:
        connection.execute(sa.insert(interactions), new_rows)
    return outcomes


def read_users(connection: sa.Connection, user_ids: Sequence[int]) -> pl.DataFrame:
    """Return the rows of these users, ordered by (user, timestamp, id)."""
    unique_ids = sorted(set(user_ids))
    rows: list[Sequence[float]] = []
    for start in range(0, len(unique_ids), PARAMETERS):
        rows += connection.execute(_ROWS_OF_USERS, {"users": unique_ids[start : start + PARAMETERS]}).all()
    return _to_frame(rows)


def read_users_until(connection: sa.Connection, user_ids: Sequence[int], last_id: int) -> pl.DataFrame:
    """Return the rows of these users with an id up to `last_id`, ordered by (user, timestamp, id)."""
    rows: list[Sequence[float]] = []
    query = _ROWS_OF_USERS.where(interactions.c.id <= last_id)
    for start in range(0, len(user_ids), PARAMETERS):
        rows += connection.execute(query, {"users": user_ids[start : start + PARAMETERS]}).all()
    return _to_frame(rows)


def read_after(connection: sa.Connection, last_id: int) -> tuple[int, pl.DataFrame]:
    """Return the rows with an id above `last_id`, in order of id, and the last id (`last_id` if there are none)."""
    blocks = [_to_frame([])]
    while rows := connection.execute(_ROWS_AFTER_ID, {"last": last_id, "block": BLOCK}).all():
        last_id = int(rows[-1].id)
        blocks.append(_to_frame(rows))
    return last_id, pl.concat(blocks)


def read_later(connection: sa.Connection, timestamp: int, last_id: int) -> pl.DataFrame:
    """Return the rows from a timestamp on with an id up to `last_id`, in order of id."""
    is_later = (interactions.c.timestamp >= timestamp) & (interactions.c.id <= last_id)
    query = sa.select(*_ROW).where(is_later).order_by(interactions.c.id)
    return _to_frame(connection.execute(query).all())


def blocks_of(dataset: Dataset) -> Iterator[tuple[int, pl.DataFrame]]:
    """Yield the rows of a data set in blocks, in timeline order, each with the number of rows yielded so far."""
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


def read_ratings(connection: sa.Connection, rows: Sequence[NewInteraction]) -> dict[Event, float]:
    """Return the stored ratings of these users in these seconds; the latest row of an event that is stored twice."""
    ratings: dict[Event, float] = {}
    user_seconds = sorted({(encode_id(row.user_id), row.timestamp) for row in rows})
    for start in range(0, len(user_seconds), PARAMETERS):
        for user, movie, rating, timestamp in _read_seconds(
            connection, user_seconds[start : start + PARAMETERS]
        ):
            ratings[user, movie, timestamp] = float(np.float32(rating))
    return ratings


def _read_seconds(
    connection: sa.Connection, user_seconds: Sequence[tuple[int, int]]
) -> "sa.CursorResult[int, int, float, int]":
    if len(user_seconds) == 1:  # the most frequent case, whose statement is compiled only once
        (user, second) = user_seconds[0]
        return connection.execute(_ROWS_OF_SECOND, {"user": user, "second": second})
    # A join, because both databases plan (user_id, timestamp) IN (many pairs) as a scan or as many ORs.
    pairs = _USER_SECONDS.data(user_seconds).cte()
    same = (interactions.c.user_id == pairs.c.user_id) & (interactions.c.timestamp == pairs.c.timestamp)
    return connection.execute(sa.select(*_ROW).join(pairs, same).order_by(interactions.c.id))


def sample_rows(connection: sa.Connection, n_rows: int) -> list[NewInteraction]:
    """Return up to so many rows, spread evenly over the log."""
    first, last = connection.execute(
        sa.select(sa.func.min(interactions.c.id), sa.func.max(interactions.c.id))
    ).one()
    if first is None:
        return []
    ids = np.unique(np.linspace(first, last, n_rows).astype(np.int64)).tolist()
    rows = connection.execute(sa.select(*_ROW).where(interactions.c.id.in_(ids)))
    return [NewInteraction(user, movie, float(np.float32(rating)), at) for user, movie, rating, at in rows]


def _to_frame(rows: Sequence[Sequence[float]]) -> pl.DataFrame:
    """Return rows as a frame; one that is no interaction, which only damage or another program wrote, is left out."""
    try:
        frame = _to_checked_frame(rows)
        if frame.is_empty() or _are_usable(frame):
            return frame
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
        pass
    good = [row for row in rows if _is_interaction(row)]
    bad = next(row for row in rows if not _is_interaction(row))
    extra = {"rows": len(rows) - len(good), "first": repr(tuple(bad))[:200]}
    logger.warning("interactions of the store can't be read and are left out", extra=extra)
    return _to_checked_frame(good)


def _are_usable(frame: pl.DataFrame) -> bool:
    earliest, latest = frame[TIMESTAMP].min(), frame[TIMESTAMP].max()
    is_in_time = (
        isinstance(earliest, int) and isinstance(latest, int) and 0 <= earliest <= latest <= LATEST_TIMESTAMP
    )
    has_gaps = any(column.null_count() for column in frame)
    return is_in_time and not has_gaps and frame[RATING].is_finite().all()


def _is_interaction(row: Sequence[float]) -> bool:
    user, movie, rating, timestamp = row[:4]
    return (
        all(isinstance(number, int) and abs(number) <= LARGEST_INTEGER for number in (user, movie, timestamp))
        and 0 <= timestamp <= LATEST_TIMESTAMP
        and isinstance(rating, int | float)
        and bool(np.isfinite(np.float32(rating)))
    )


def _to_checked_frame(rows: Sequence[Sequence[float]]) -> pl.DataFrame:
    columns = zip(*rows, strict=True) if rows else ((), (), (), ())
    named = zip(INTERACTIONS.schema.items(), columns, strict=False)
    return pl.DataFrame([pl.Series(name, values, dtype=dtype) for (name, dtype), values in named])
