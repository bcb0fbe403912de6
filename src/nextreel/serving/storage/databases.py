"""What differs between SQLite and PostgreSQL: connecting, durability, exclusive writing, bulk import, and overwriting.

In both, only one transaction writes at a time. SQLite has a single write lock; in PostgreSQL each writing transaction
first takes an advisory lock and holds it until the commit. Readers that follow the log by id need this: PostgreSQL's
sequence hands out ids at the insert, not at the commit, so of two concurrent transactions the one with the lower ids
might become visible last, and a reader that had already passed those ids would never see its rows. With one writer at
a time, ids become visible in their order. It also makes "insert unless it is there" safe. The cost is that durable
commits can't overlap: to write faster, use larger batches, not more connections.
"""

import os
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from threading import Lock

import numpy as np
import polars as pl
import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from nextreel.errors import StoreError, UnusableStoreError
from nextreel.serving.storage.private_file import create_private, describe_openness
from nextreel.serving.storage.sql_tables import TABLES_WITH_PEOPLE, erasures, interactions

BUSY_SECONDS = 10
"""How long a writer waits for the write lock, or a request for a free connection, before it fails."""
READ_BUSY_SECONDS = 2
"""How long a reader waits for a lock or a free connection before it fails; usually none has to wait at all."""
SQLITE_EXTRA_CONNECTIONS, POSTGRESQL_EXTRA_CONNECTIONS = 40, 5
"""Connections beyond the five of each of SQLAlchemy's pools, one for reading and one for writing.

A PostgreSQL server allows few, which all workers share.
"""
GONE = "the database file of the store was deleted or replaced; nothing was written: put the file back, or start again"
DAMAGED = "the database of the store is damaged; nothing was written: restore a backup of it"
DAMAGED_SQLITE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})
DAMAGED_POSTGRESQL = frozenset({"XX001", "XX002"})

REWRITTEN_BYTES = 256 * 2**20
"""Size up to which a file of SQLite is rewritten after an erasure: that takes some 20 seconds for a gigabyte, in which
nobody can write."""

LAST_ERASURE = f"SELECT max(id) FROM {erasures.name}"  # nosec B608 # a table of ours

ROWS_OF_STATEMENT = 8_000
"""Highest number of rows that one INSERT of SQLite copies: beyond, statements grow and nothing becomes faster."""
COLUMNS = ("user_id", "movie_id", "rating", "timestamp")
"""Columns of the interactions table in the order in which imported rows hold them."""
EXPECTED_URL = "expected sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"


class Database(ABC):
    """A database that can hold the store."""

    warning: str | None = None
    """What the database's owner should know of it, in a sentence."""

    def __init__(self, engine: sa.Engine, reading_engine: sa.Engine) -> None:
        self.engine = engine
        self._reading_engine = reading_engine

    def reading(self) -> sa.Connection:
        """Return a connection for queries; the caller closes it."""
        return self._reading_engine.connect()

    def last_erasure(self) -> int:
        """Return the id of the last erasure, 0 if there was none; it is asked before every write."""
        with self.reading() as connection:
            return int(connection.exec_driver_sql(LAST_ERASURE).scalar_one() or 0)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()
        self._reading_engine.dispose()

    @abstractmethod
    def writing(self) -> AbstractContextManager[sa.Connection]:
        """Return a context manager: a transaction that is the only writer, and durable once the block has ended."""

    @abstractmethod
    def copy_interactions(self, connection: sa.Connection, rows: pl.DataFrame) -> None:
        """Append many rows in their order, by the database's fastest way."""

    def importing(self, connection: sa.Connection) -> AbstractContextManager[None]:
        """Return a context manager for a block that fills the empty table of interactions by `copy_interactions`."""
        return nullcontext()

    @abstractmethod
    def rewrite(self, seconds: float, whatever_size: bool) -> bool:
        """Remove from the tables what deleted rows have left there.

        Returns False if somebody still reads them after so long, or if nobody could write for too long meanwhile,
        unless that is meant: `whatever_size`.
        """

    @abstractmethod
    def flush(self, seconds: float) -> bool:
        """Remove deleted rows from the log of recent writes; False if somebody still reads that after so long."""


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


class SQLite(Database):
    """A file in WAL mode: readers never wait, and a commit is on disk before it returns."""

    def __init__(self, url: URL) -> None:
        if not url.database or url.database == ":memory:":
            raise StoreError(
                "sqlite: a store in memory would be lost; name a file, such as sqlite:///nextreel.db"
            )
        directory = Path(url.database).absolute().parent
        if not directory.is_dir():
            raise StoreError(f"{url}: the directory {directory} doesn't exist")
        if not url.database.startswith("file:"):  # a URI, which SQLAlchemy passes on as it is
            create_private(Path(url.database))
            self.warning = describe_openness(Path(url.database))
        self._file = url.database
        self._identity: FileIdentity | None = None
        engine = self._create_engine(url, BUSY_SECONDS)
        self._writing_engine = engine.execution_options(begin="BEGIN IMMEDIATE")
        self._write_lock = Lock()
        self._asking_lock = Lock()
        self._asking: sqlite3.Connection | None = None
        super().__init__(engine, self._create_engine(url, READ_BUSY_SECONDS))

    def _create_engine(self, url: URL, busy_seconds: float) -> sa.Engine:
        engine = sa.create_engine(
            url,
            pool_timeout=busy_seconds,
            max_overflow=SQLITE_EXTRA_CONNECTIONS,
            connect_args={"timeout": busy_seconds},
            hide_parameters=True,  # in messages of errors, which are logged
        )
        sa.event.listen(engine, "connect", partial(self._configure, busy_seconds=busy_seconds))
        sa.event.listen(engine, "begin", self._begin)
        return engine

    def reading(self) -> sa.Connection:
        """Return a connection for queries; the caller closes it. Raises UnusableStoreError if the file is gone."""
        self._require_same_file()
        return super().reading()

    def _require_same_file(self) -> None:
        """Raise UnusableStoreError if the file was deleted or replaced: open connections wouldn't notice."""
        if self._identity is not None and _identify(self._file) != self._identity:
            raise UnusableStoreError(f"{self.engine.url}: {GONE}", GONE)

    def _require_same_log(self, connection: sa.Connection) -> None:
        """Raise UnusableStoreError if the write-ahead log was deleted or replaced since the connection opened it."""
        if _identify(f"{self._file}-wal") != connection.info["log"]:
            raise UnusableStoreError(f"{self.engine.url}: {GONE}", GONE)

    def _configure(
        self, connection: sqlite3.Connection, record: sa.pool.ConnectionPoolEntry, busy_seconds: float
    ) -> None:
        connection.isolation_level = None  # `_begin` starts transactions, not the driver
        # Of a text that another program wrote in another encoding, what can be read is read.
        connection.text_factory = partial(str, encoding="utf-8", errors="replace")
        _switch_to_wal(connection, busy_seconds)
        connection.execute("SELECT count(*) FROM sqlite_master")  # opens the write-ahead log
        record.info["log"] = _identify(f"{self._file}-wal")
        if self._identity is None:
            self._identity = _identify(self._file)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")  # erased data are overwritten, not only unlinked

    @staticmethod
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Hold a transaction that began with BEGIN IMMEDIATE.

        Raises StoreError if another thread holds the write lock for too long.
        """
        # SQLite's own lock is polled at growing intervals. Threads of this process queue here instead, in order.
        if not self._write_lock.acquire(timeout=BUSY_SECONDS):
            raise StoreError(f"{self.engine.url}: another writer is busy")
        try:
            self._require_same_file()
            with self._writing_engine.begin() as connection:
                self._require_same_log(connection)
                yield connection
            self._require_same_file()
        finally:
            self._write_lock.release()

    def copy_interactions(self, connection: sa.Connection, rows: pl.DataFrame) -> None:
        """Append the rows by statements of as many rows as SQLite allows, a third of the work of one for each row."""
        driver: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
        n_at_once = driver.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER) // len(COLUMNS)
        for part in rows.iter_slices(min(n_at_once, ROWS_OF_STATEMENT)):
            values = np.empty(part.height * len(COLUMNS), dtype=np.object_)
            for place, column in enumerate(part):
                values[place :: len(COLUMNS)] = column.to_list()
            marks = ", ".join(["(?, ?, ?, ?)"] * part.height)
            statement = f"INSERT INTO {interactions.name} ({', '.join(COLUMNS)}) VALUES {marks}"  # nosec B608 # names and marks of ours, no values
            connection.exec_driver_sql(statement, tuple(values.tolist()))

    def last_erasure(self) -> int:
        """Return the id of the last erasure by a connection of its own, which is much quicker than by the pool."""
        self._require_same_file()
        with self._asking_lock:
            if self._asking is None:
                self._asking = self._open()
            # All rows are fetched, since the statement would go on reading otherwise.
            (last,) = self._asking.execute(LAST_ERASURE).fetchall()
        return int(last[0] or 0)

    def close(self) -> None:
        """Close all connections."""
        with self._asking_lock:
            if self._asking is not None:
                self._asking.close()
                self._asking = None
        super().close()

    @property
    def file(self) -> Path:
        """The file, without those that SQLite keeps beside it."""
        return Path((self.engine.url.database or "").removeprefix("file:"))

    def rewrite(self, seconds: float, whatever_size: bool) -> bool:
        """Copy the tables to new pages, unless the file is large (see REWRITTEN_BYTES).

        `secure_delete` overwrites a row where it is deleted, but not where it was before SQLite moved it to another
        page, which it does whenever a page overflows or becomes nearly empty.
        """
        with self._alone(seconds) as connection:
            pages, size = (_read_pragma(connection, name)[0] for name in ("page_count", "page_size"))
            if pages * size > REWRITTEN_BYTES and not whatever_size:
                return False
            try:
                connection.execute("VACUUM")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
                return False
        return True

    def flush(self, seconds: float) -> bool:
        """Write the write-ahead log into the file and truncate it to nothing."""
        with self._alone(seconds) as connection:
            is_blocked = _read_pragma(connection, "wal_checkpoint(TRUNCATE)")[0]
        return not is_blocked

    def _open(self) -> sqlite3.Connection:
        """Return a connection outside the pool, which the caller closes."""
        pooled = self.engine.raw_connection()
        connection: sqlite3.Connection = pooled.driver_connection  # type: ignore[assignment]
        pooled.detach()
        return connection

    @contextmanager
    def _alone(self, seconds: float) -> Iterator[sqlite3.Connection]:
        """Hold a connection outside the pool while no other thread of this process writes."""
        if not self._write_lock.acquire(timeout=BUSY_SECONDS):
            raise StoreError(f"{self.engine.url}: another writer is busy")
        try:
            self._require_same_file()
            with closing(self._open()) as connection:
                connection.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")
                yield connection
        except sqlite3.Error as error:
            message = f"{self.engine.url}: {error}"
            raise (
                UnusableStoreError(message, DAMAGED) if is_damage(error) else StoreError(message)
            ) from error
        finally:
            self._write_lock.release()


def _read_pragma(connection: sqlite3.Connection, pragma: str) -> tuple[int, ...]:
    row: tuple[int, ...] = connection.execute(f"PRAGMA {pragma}").fetchone()
    return row


FileIdentity = tuple[int, int]
"""Device and inode of a file: another file has others, even under the same name."""


def _identify(file: str) -> FileIdentity | None:
    """Return the identity of a file; None if there is none, or none that can be seen."""
    try:
        found = os.stat(file)  # noqa: PTH116 - twice as fast as by a path, and done before every query
    except OSError:
        return None
    return found.st_dev, found.st_ino


def is_damage(error: BaseException | None) -> bool:
    """Return whether a driver's error is one that only a damaged database raises."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGED_SQLITE
    return isinstance(error, psycopg.Error) and error.sqlstate in DAMAGED_POSTGRESQL


def _switch_to_wal(connection: sqlite3.Connection, busy_seconds: float) -> None:
    """Switch to write-ahead logging, and wait where another process does the same: SQLite's own timeout doesn't."""
    deadline = time.monotonic() + busy_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


_OLDER_READERS = sa.text(
    "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND age(backend_xmin) > age(CAST(CAST(:newest AS xid8) AS xid)))"
)


class PostgreSQL(Database):
    """A PostgreSQL server, reached through psycopg 3."""

    LOCK = 7_233_173_838_382_854_500
    """Key of the writers' advisory lock: an arbitrary number that no other application is likely to use."""

    def __init__(self, url: URL) -> None:
        engine = self._create_engine(url, BUSY_SECONDS)
        # Without transactions, each query saves two round trips.
        reading_engine = self._create_engine(url, READ_BUSY_SECONDS)
        super().__init__(engine, reading_engine.execution_options(isolation_level="AUTOCOMMIT"))

    def _create_engine(self, url: URL, busy_seconds: int) -> sa.Engine:
        engine = sa.create_engine(
            url,
            isolation_level="READ COMMITTED",  # after waiting for the lock, a writer must see the last writer's rows
            pool_pre_ping=True,
            pool_timeout=busy_seconds,
            max_overflow=POSTGRESQL_EXTRA_CONNECTIONS,
            connect_args={"connect_timeout": busy_seconds},
            hide_parameters=True,  # in messages of errors, which are logged
        )
        sa.event.listen(engine, "connect", partial(self._configure, busy_seconds=busy_seconds))
        return engine

    @staticmethod
    def _configure(connection: psycopg.Connection, _: object, busy_seconds: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit = on")
            cursor.execute(f"SET lock_timeout = '{busy_seconds}s'")
            # A writer whose machine vanished within a transaction must not keep the lock.
            cursor.execute("SET idle_in_transaction_session_timeout = '60s'")
        connection.commit()

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Hold a transaction that has taken the advisory lock."""
        with self.engine.begin() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(self.LOCK)))
            yield connection

    def copy_interactions(self, connection: sa.Connection, rows: pl.DataFrame) -> None:
        """Append the rows by COPY.

        Raises StoreError if the server refuses them.
        """
        driver: psycopg.Connection = connection.connection.driver_connection  # type: ignore[assignment]
        statement = f"COPY {interactions.name} ({', '.join(COLUMNS)}) FROM STDIN (FORMAT csv)"
        try:
            with driver.cursor() as cursor, cursor.copy(statement) as copy:
                copy.write(rows.write_csv(include_header=False))
        except psycopg.Error as error:
            raise StoreError(f"{self.engine.url}: {error}") from error

    @contextmanager
    def importing(self, connection: sa.Connection) -> Iterator[None]:
        """Drop the index of the interactions for the block, since building it afterwards takes a fraction of the time.

        SQLite gains nothing by that, since rows are imported in the order of its index.
        """
        for index in interactions.indexes:
            index.drop(connection)
        yield
        for index in interactions.indexes:
            index.create(connection)

    def rewrite(self, seconds: float, whatever_size: bool) -> bool:
        """Vacuum the tables that hold people, and sample them anew: the planner's statistics hold some of their ids."""
        tables = ", ".join(table.name for table in TABLES_WITH_PEOPLE)
        with self.reading() as connection:
            if not _wait_for_older_readers(connection, seconds):
                return False
            connection.exec_driver_sql(f"VACUUM (INDEX_CLEANUP ON, ANALYZE) {tables}")
        return True

    def flush(self, seconds: float) -> bool:
        """Do nothing: the write-ahead log belongs to the server, which reuses its files by and by."""
        return True


def _wait_for_older_readers(connection: sa.Connection, seconds: float) -> bool:
    """Wait until no other connection reads a state of the tables from before now; return False after so long.

    VACUUM spares what such a reader may still see.
    """
    deadline = time.monotonic() + seconds
    newest = connection.execute(sa.text("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")).scalar_one()
    while connection.execute(_OLDER_READERS, {"newest": newest}).scalar_one():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
