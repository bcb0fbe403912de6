"""The log of erasures in the store: when somebody was erased, by their hidden id, in the order of the erasures.

The ids of its rows tell what came before an erasure and what after: whatever was made when the log ended at row n, and
is of a user whose last erasure is a later row, must not be written any more.
"""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from nextreel.arrays import Int64Array
from nextreel.serving.storage.facts import read_fact, write_fact
from nextreel.serving.storage.people.hidden_ids import IdHider
from nextreel.serving.storage.sql_tables import erasures

SECRET = "erasure_secret"  # nosec B105 # the name of a fact, not a secret
"""Name of the fact that holds the secret of the hidden ids, in hexadecimal."""
BLOCK = 2_000
"""Hidden ids looked up by one statement; databases allow some ten thousand parameters at most."""


@dataclass(frozen=True)
class LoggedErasure:
    """An erasure, without the person."""

    id: int
    """Its place in the log; later erasures have higher ids."""
    hidden_id: int
    erased_at: int
    """POSIX seconds."""


def prepare_log(connection: sa.Connection, hider: IdHider | None = None) -> bool:
    """Give the store its secret, if it has none, and hide the ids that an earlier nextreel logged in clear.

    The secret is new, unless that of another copy of the store is given. Returns whether there were such ids, whose
    bytes the database's files may still hold. No other connection may write at the same time.
    """
    if read_fact(connection, SECRET) is not None:
        return False
    hider = hider or IdHider.draw()
    write_fact(connection, SECRET, hider.secret.hex())
    rows = connection.execute(sa.select(erasures.c.id, erasures.c.hidden_id)).all()
    for id_, code in rows:
        hidden = sa.update(erasures).where(erasures.c.id == id_).values(hidden_id=hider.hide(code))
        connection.execute(hidden)
    return bool(rows)


def read_hider(connection: sa.Connection) -> IdHider | None:
    """Return what hides the ids of this store; None if an earlier nextreel wrote it, which logged them in clear."""
    secret = read_fact(connection, SECRET)
    return None if secret is None else IdHider(bytes.fromhex(secret))


def log_erasure(connection: sa.Connection, hidden_id: int) -> LoggedErasure:
    """Append an erasure; an earlier one of the same user goes. No other connection may write at the same time."""
    connection.execute(sa.delete(erasures).where(erasures.c.hidden_id == hidden_id))
    now = int(time.time())
    insertion = sa.insert(erasures).returning(erasures.c.id)
    id_ = connection.execute(insertion, {"hidden_id": hidden_id, "erased_at": now}).scalar_one()
    return LoggedErasure(id_, hidden_id, now)


def read_last(connection: sa.Connection) -> int:
    """Return the id of the last erasure, 0 if there was none."""
    return connection.execute(sa.select(sa.func.max(erasures.c.id))).scalar_one() or 0


def read_log(connection: sa.Connection, after: int = 0, until: int | None = None) -> list[LoggedErasure]:
    """Return the erasures with an id above `after`, up to and including `until`, in their order."""
    query = sa.select(erasures.c.id, erasures.c.hidden_id, erasures.c.erased_at).where(erasures.c.id > after)
    if until is not None:
        query = query.where(erasures.c.id <= until)
    return [LoggedErasure(*row) for row in connection.execute(query.order_by(erasures.c.id))]


def find_last_erasures(
    connection: sa.Connection, hider: IdHider, codes: Collection[int], after: int = 0
) -> dict[int, int]:
    """Return the id of the last erasure of each of these users who was erased, if it is above `after`."""
    if not codes or read_last(connection) <= after:
        return {}
    code_of = {hider.hide(code): code for code in codes}
    hidden_ids, found = [*code_of], dict[int, int]()
    query = sa.select(erasures.c.hidden_id, erasures.c.id).where(erasures.c.id > after)
    for start in range(0, len(hidden_ids), BLOCK):
        block = query.where(erasures.c.hidden_id.in_(hidden_ids[start : start + BLOCK]))
        found |= {code_of[hidden_id]: id_ for hidden_id, id_ in connection.execute(block)}
    return found


def replay(connection: sa.Connection, entries: Sequence[LoggedErasure]) -> None:
    """Log erasures of another copy of this store with the ids that they had there, unless another one has the id.

    An earlier erasure of the same user goes.
    """
    used = set(connection.execute(sa.select(erasures.c.id)).scalars())
    for entry in entries:
        connection.execute(sa.delete(erasures).where(erasures.c.hidden_id == entry.hidden_id))
        row = {"hidden_id": entry.hidden_id, "erased_at": entry.erased_at}
        connection.execute(sa.insert(erasures), row if entry.id in used else {"id": entry.id, **row})
        used.add(entry.id)


def match_hidden(hider: IdHider, codes: Int64Array, hidden_ids: Collection[int]) -> Int64Array:
    """Return the users among `codes` whose hidden id is among `hidden_ids`."""
    wanted = set(hidden_ids)
    is_wanted = [hidden_id in wanted for hidden_id in hider.hide_all(codes).tolist()]
    return codes[is_wanted]
