"""The rows of a person, in every table that has some."""

import time

import numpy as np
import sqlalchemy as sa

from nextreel.arrays import Int64Array
from nextreel.serving.storage.people.hidden_ids import IdHider
from nextreel.serving.storage.sql_tables import (
    erased_replies,
    id_texts,
    impressions,
    interactions,
    replies,
    reply_users,
)
from nextreel.serving.storage.text_ids import delete_text


def delete_person(connection: sa.Connection, code: int, hider: IdHider) -> int:
    """Delete all rows of a user, given by UserID or by the code of a text id; return the number of their ratings.

    The outcomes of every request that held one of their ratings go as well. What remains of such a request is its
    hidden Idempotency-Key, by which it is refused if it is sent again.
    """
    query = sa.select(reply_users.c.idempotency_key).where(reply_users.c.user_id == code)
    if keys := [*connection.execute(query).scalars()]:
        connection.execute(sa.delete(replies).where(replies.c.idempotency_key.in_(query)))
        now = int(time.time())
        rows = [{"hidden_key": hider.hide_text(key), "created": now} for key in keys]
        connection.execute(sa.insert(erased_replies), rows)
    connection.execute(sa.delete(impressions).where(impressions.c.user_id == code))
    n_ratings = connection.execute(sa.delete(interactions).where(interactions.c.user_id == code)).rowcount
    delete_text(connection, "user", code)
    return n_ratings


def list_people(connection: sa.Connection) -> Int64Array:
    """Return int64[n]: everybody of whom there is a row, by UserID or by the code of a text id, ascending."""
    people = sa.union(
        *(sa.select(table.c.user_id) for table in (interactions, impressions, reply_users)),
        sa.select(id_texts.c.code).where(id_texts.c.entity == "user"),
    )
    return np.sort(np.array(connection.execute(people).scalars().all(), dtype=np.int64))
