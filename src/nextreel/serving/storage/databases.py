"""What SQLite and PostgreSQL do differently: connecting, durability, one writer at a time, and bulk import.

Writers take turns, in both. SQLite has one write lock; in PostgreSQL each writing transaction first takes an
advisory lock, held until it has committed. The reason is the log: PostgreSQL's sequence hands out ids when a row is
inserted, not when it is committed, so of two concurrent transactions the one with the lower ids may become visible
last, and a reader that had already gone beyond them would never see them. With turns, ids become visible in their
order. It also makes "look whether it stands, then insert" safe. The price is one durable commit at a time: batches,
not connections, are the way to write faster.
"""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import polars as pl
import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from nextreel.errors import StoreError
from nextreel.serving.storage.sql_tables import interactions

BUSY_SECONDS = 10
"""How long a writer waits for its turn, or a request for a free connection, before it gives up with an error."""

COLUMNS = ("user_id", "movie_id", "rating", "timestamp")


class Database(ABC):
    """A database that the store can live in."""

    def __init__(self, engine: sa.Engine, reader: sa.Engine) -> None:
        self.engine = engine
        self._reader = reader

    def reading(self) -> sa.Connection:
        """A connection for queries, to be closed."""
        return self._reader.connect()

    @abstractmethod
    def writing(self) -> AbstractContextManager[sa.Connection]:
        """A transaction that no other writer overlaps, durable when it has ended."""

    @abstractmethod
    def copy_interactions(self, connection: sa.Connection, rows: pl.DataFrame) -> None:
        """Append many rows, in their order, as fast as the database can."""


def connect(url: str) -> Database:
    """The database behind a URL; StoreError if the URL isn't one of SQLite or PostgreSQL."""
    try:
        parsed = sa.make_url(url)
    except ArgumentError:
        raise StoreError(f"not a database URL; {_EXPECTED}") from None
    if parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        return SQLite(parsed)
    if parsed.drivername in ("postgresql", "postgresql+psycopg"):
        return PostgreSQL(parsed.set(drivername="postgresql+psycopg"))
    raise StoreError(f"{parsed.drivername}: not a database that nextreel knows; {_EXPECTED}")


_EXPECTED = "write sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"


class SQLite(Database):
    """One file in WAL mode: readers never wait, and a commit is on the disk before it is answered."""

    def __init__(self, url: URL) -> None:
        if not url.database or url.database == ":memory:":
            raise StoreError("sqlite: a store in memory would forget; name a file: sqlite:///nextreel.db")
        directory = Path(url.database).absolute().parent
        if not directory.is_dir():
            raise StoreError(f"{url}: the directory {directory} doesn't exist")
        engine = sa.create_engine(
            url, pool_timeout=BUSY_SECONDS, max_overflow=40, connect_args={"timeout": BUSY_SECONDS}
        )
        sa.event.listen(engine, "connect", self._configure)
        sa.event.listen(engine, "begin", self._begin)
        self._writer = engine.execution_options(begin="BEGIN IMMEDIATE")
        self._turn = Lock()
        super().__init__(engine, engine)

    @staticmethod
    def _configure(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # transactions begin where we say, not where the driver guesses
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")  # erased means overwritten, not just unlinked

    @staticmethod
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Within BEGIN IMMEDIATE."""
        # Threads queue here in order; SQLite's own lock, for other processes, is polled with ever longer naps.
        if not self._turn.acquire(timeout=BUSY_SECONDS):
            raise StoreError(f"{self.engine.url}: another writer is busy")
        try:
            with self._writer.begin() as connection:
                yield connection
        finally:
            self._turn.release()

    def copy_interactions(self, connection: sa.Connection, rows: pl.DataFrame) -> None:
        """By one prepared INSERT, executed for each row."""
        statement = f"INSERT INTO {interactions.name} ({', '.join(COLUMNS)}) VALUES (?, ?, ?, ?)"
        connection.exec_driver_sql(statement, rows.rows())


class PostgreSQL(Database):
    """A PostgreSQL server by psycopg 3."""

    LOCK = 7_233_173_838_382_854_500
    """Key of the advisory lock of writers: any number that no other application picks."""

    def __init__(self, url: URL) -> None:
        engine = sa.create_engine(
            url,
            isolation_level="READ COMMITTED",  # after waiting for its turn, a writer must see what the last one wrote
            pool_pre_ping=True,
            pool_timeout=BUSY_SECONDS,
            max_overflow=10,
            connect_args={"connect_timeout": BUSY_SECONDS},
        )
        sa.event.listen(engine, "connect", self._configure)
        # Reading without transactions spares two round trips a query.
        super().__init__(engine, engine.execution_options(isolation_level="AUTOCOMMIT"))

    @staticmethod
    def _configure(connection: Any, _: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit = on")
            cursor.execute(f"SET lock_timeout = '{BUSY_SECONDS}s'")
            # A writer whose machine vanished mid-transaction must not keep the turn.
            cursor.execute("SET idle_in_transaction_session_timeout = '60s'")
        connection.commit()

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Within a transaction that holds the advisory lock."""
        with self.engine.begin() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(self.LOCK)))
            yield connection

    def copy_interactions(self, connection: sa.Connection, rows: pl.DataFrame) -> None:
        """By COPY."""
        driver: psycopg.Connection = connection.connection.driver_connection  # type: ignore[assignment]
        statement = f"COPY {interactions.name} ({', '.join(COLUMNS)}) FROM STDIN (FORMAT csv)"
        try:
            with driver.cursor() as cursor, cursor.copy(statement) as copy:
                copy.write(rows.write_csv(include_header=False))
        except psycopg.Error as error:
            raise StoreError(f"{self.engine.url}: {error}") from error


Progress = Callable[[int, int], None]
"""Called with the rows done and the rows in all."""
