"""Replies to requests that came with an Idempotency-Key, kept for a day."""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import astuple

import sqlalchemy as sa

from nextreel.errors import IdempotencyError
from nextreel.serving.storage.interaction_rows import NewInteraction, Outcome
from nextreel.serving.storage.sql_tables import replies, reply_users

REMEMBERED_SECONDS = 24 * 3600
"""How long the reply to an Idempotency-Key is kept."""


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
