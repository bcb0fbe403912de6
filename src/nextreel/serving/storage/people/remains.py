"""What erased users have left in the files of the database: noted with an erasure, until it has been removed.

A deleted row isn't gone with its transaction. Tables keep its bytes, or a copy of it that was made when it was moved,
and so does the log of recent writes. Two facts note that, each with the id of the last erasure, so that whoever finds
them, also after a crash, can do what is left to do.
"""

from collections.abc import Mapping

import sqlalchemy as sa

from nextreel.serving.storage.databases import Database
from nextreel.serving.storage.facts import read_fact, write_fact
from nextreel.serving.storage.sql_tables import facts

TABLES, LOG = "to rewrite", "to flush"
"""Names of the facts: the tables, and the log of recent writes, may hold bytes of erased users."""


def note_remains(connection: sa.Connection, erasure: int) -> None:
    """Note that the files hold bytes of who was erased in this erasure."""
    for name in (TABLES, LOG):
        write_fact(connection, name, str(erasure))


def read_remains(connection: sa.Connection) -> dict[str, str]:
    """Return what was noted: the id of the last erasure, by the name of the fact."""
    noted = {name: read_fact(connection, name) for name in (TABLES, LOG)}
    return {name: erasure for name, erasure in noted.items() if erasure is not None}


def remove_remains(
    database: Database, noted: Mapping[str, str], seconds: float, whatever_size: bool
) -> dict[str, str]:
    """Remove what was noted, waiting so long for who still reads it; return that part of it which is gone now."""
    removed = {}
    if TABLES in noted and database.rewrite(seconds, whatever_size):
        removed[TABLES] = noted[TABLES]
    if LOG in noted and database.flush(seconds):
        removed[LOG] = noted[LOG]
    return removed


def forget_remains(connection: sa.Connection, removed: Mapping[str, str]) -> None:
    """Delete the notes of what was removed, unless there was another erasure since."""
    for name, erasure in removed.items():
        connection.execute(sa.delete(facts).where(facts.c.name == name, facts.c.value == erasure))
