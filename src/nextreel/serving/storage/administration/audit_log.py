"""The log of administrative acts: who created a key, promoted a version, deleted a movie or erased a user, and when.

An entry is written in the transaction of its act, so that neither is there without the other. Of an erasure it holds
that there was one, and nothing about whom. Of each kind of act the latest KEPT entries are kept: nobody can push the
creation of a key out of the log by erasing users.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa

from nextreel.serving.storage.sql_tables import audit_log

COMMAND_LINE, NO_KEY = "command line", "no key"
"""Who acted, if not by an API key: somebody with access to the store, or a client of a server that asks for no keys."""
KEPT = 10_000
"""Number of entries of each kind of act that are kept."""
CLEAN_UP_EVERY = 100
"""Number of entries after which older ones are deleted."""


class Act(StrEnum):
    """A kind of administrative act."""

    KEY_CREATED = "key created"
    KEY_ROTATED = "key rotated"
    KEY_REVOKED = "key revoked"
    VERSION_PROMOTED = "version promoted"
    VERSION_ROLLED_BACK = "version rolled back"
    MOVIE_DELETED = "movie deleted"
    USER_ERASED = "user erased"
    STORE_RESTORED = "store restored"


@dataclass(frozen=True)
class AuditEntry:
    """An administrative act."""

    id: int
    """Grows with every entry."""
    at: int
    """When it was done, POSIX seconds."""
    by: str
    """Name of the API key that it was done with, or COMMAND_LINE or NO_KEY."""
    act: Act
    subject: str | None
    """What was changed: the name of a key, version or backup, or a MovieID; None for an erased user."""


def record_act(
    connection: sa.Connection, act: Act, by: str, subject: str | None = None, at: int | None = None
) -> None:
    """Write an entry, within the transaction of the act; `at` is now unless the act is noticed later."""
    row = {"at": int(time.time()) if at is None else at, "actor": by, "act": act, "subject": subject}
    inserted = connection.execute(sa.insert(audit_log).returning(audit_log.c.id), row).scalar_one()
    if inserted % CLEAN_UP_EVERY == 0:
        for each in Act:
            _delete_oldest(connection, each)


def read_acts(
    connection: sa.Connection, limit: int, before: int | None = None, acts: Sequence[Act] = ()
) -> list[AuditEntry]:
    """Return at most `limit` entries with an id below `before`, latest first, of these kinds or of all."""
    query = sa.select(audit_log).order_by(audit_log.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(audit_log.c.id < before)
    if acts:
        query = query.where(audit_log.c.act.in_(acts))
    return [
        AuditEntry(row.id, row.at, row.actor, Act(row.act), row.subject) for row in connection.execute(query)
    ]


def _delete_oldest(connection: sa.Connection, act: Act) -> None:
    same = audit_log.c.act == act
    first_kept = sa.select(audit_log.c.id).where(same).order_by(audit_log.c.id.desc()).offset(KEPT).limit(1)
    newest_dropped = connection.execute(first_kept).scalar_one_or_none()
    if newest_dropped is not None:
        connection.execute(sa.delete(audit_log).where(same & (audit_log.c.id <= newest_dropped)))
