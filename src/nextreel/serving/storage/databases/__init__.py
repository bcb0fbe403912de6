"""The databases that can hold a store: a file of SQLite, or a PostgreSQL server."""

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from nextreel.errors import StoreError
from nextreel.serving.storage.databases import postgresql, sqlite
from nextreel.serving.storage.databases.database import BUSY_SECONDS, DAMAGED, Database
from nextreel.serving.storage.databases.postgresql import PostgreSQL
from nextreel.serving.storage.databases.sqlite import SQLite

__all__ = ["BUSY_SECONDS", "DAMAGED", "Database", "SQLite", "connect", "is_damage"]

EXPECTED_URL = "expected sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"


def connect(url: str) -> Database:
    """Return the database of a URL; it is first connected to when it is used.

    Raises
    ------
    StoreError
        The text is no URL, or names another kind of database, a store in memory or a missing directory.
    """
    try:
        parsed = sa.make_url(url)
    except ArgumentError:
        raise StoreError(f"not a database URL; {EXPECTED_URL}") from None
    if parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        return SQLite(parsed)
    if parsed.drivername in ("postgresql", "postgresql+psycopg"):
        return PostgreSQL(parsed.set(drivername="postgresql+psycopg"))
    raise StoreError(f"{parsed.drivername}: not a supported database; {EXPECTED_URL}")


def is_damage(error: BaseException | None) -> bool:
    """Return whether a driver's error is one that only a damaged database raises."""
    return sqlite.is_damage(error) or postgresql.is_damage(error)
