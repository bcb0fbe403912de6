"""Recorded outcomes of requests that had an Idempotency-Key, so that a repeated request gets the same response."""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import astuple

import sqlalchemy as sa

from nextreel.data.ids import encode_id
from nextreel.data.times import DAY
from nextreel.errors import IdempotencyError
from nextreel.serving.storage.interaction_rows import NewInteraction, Outcome
from nextreel.serving.storage.people.hidden_ids import IdHider
from nextreel.serving.storage.sql_tables import erased_replies, replies, reply_users

RETENTION_SECONDS = DAY
"""How long the outcomes under an Idempotency-Key are kept."""


def delete_expired(connection: sa.Connection) -> None:
    """Delete the outcomes that were recorded longer than RETENTION_SECONDS ago, and the keys of erased ones."""
    oldest = int(time.time()) - RETENTION_SECONDS
    for table in (replies, erased_replies):
        connection.execute(sa.delete(table).where(table.c.created < oldest))


def refuse_erased(connection: sa.Connection, key: str, hider: IdHider) -> None:
    """Refuse to do a request again that was done before one of its users was erased.

    Raises
    ------
    IdempotencyError
        A request under this Idempotency-Key held a rating of a user who was erased since.
    """
    same = erased_replies.c.hidden_key == hider.hide_text(key)
    if connection.execute(sa.select(erased_replies.c.created).where(same)).first() is not None:
        raise IdempotencyError(
            "this Idempotency-Key was used before, and ratings of that request were erased since; nothing was written: "
            "send new ratings under another key"
        )


def find_outcomes(
    connection: sa.Connection, key: str, rows: Sequence[NewInteraction]
) -> list[Outcome] | None:
    """Return the outcomes recorded for these rows under an Idempotency-Key; None if the key is new.

    Raises
    ------
    IdempotencyError
        The key was used with other interactions.
    """
    reply = connection.execute(sa.select(replies).where(replies.c.idempotency_key == key)).one_or_none()
    if reply is None:
        return None
    if reply.body_sha256 != _hash_rows(rows):
        raise IdempotencyError(
            "this Idempotency-Key was used before with other interactions; nothing was written"
        )
    return [Outcome(value) for value in json.loads(reply.outcomes)]


def record_outcomes(
    connection: sa.Connection, key: str, rows: Sequence[NewInteraction], outcomes: Sequence[Outcome]
) -> None:
    """Record the outcomes of these rows under an Idempotency-Key."""
    reply = {
        "idempotency_key": key,
        "body_sha256": _hash_rows(rows),
        "outcomes": json.dumps(outcomes),
        "created": int(time.time()),
    }
    connection.execute(sa.insert(replies), reply)
    users = [
        {"idempotency_key": key, "user_id": user} for user in sorted({encode_id(row.user_id) for row in rows})
    ]
    if users:
        connection.execute(sa.insert(reply_users), users)


def _hash_rows(rows: Sequence[NewInteraction]) -> str:
    return hashlib.sha256(json.dumps([astuple(row) for row in rows]).encode()).hexdigest()
