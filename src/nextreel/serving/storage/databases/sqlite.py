"""A store in a file of SQLite."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from threading import Lock

import numpy as np
import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import URL

from nextreel.errors import StoreError, UnusableStoreError
from nextreel.serving.storage.databases.database import (
    BUSY_SECONDS,
    COLUMNS,
    DAMAGED,
    LAST_ERASURE,
    READ_BUSY_SECONDS,
    Database,
)
from nextreel.serving.storage.private_file import create_private, describe_openness
from nextreel.serving.storage.sql_tables import interactions

EXTRA_CONNECTIONS = 40
"""Connections beyond the five of each of SQLAlchemy's pools, one for reading and one for writing."""
GONE = "the database file of the store was deleted or replaced; nothing was written: put the file back, or start again"
DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})
"""Codes of errors that only a damaged database raises."""
REWRITTEN_BYTES = 256 * 2**20
"""Size up to which a file is rewritten after an erasure: that takes some 20 seconds for a gigabyte, in which nobody can
write."""
ROWS_OF_STATEMENT = 8_000
"""Highest number of rows that one INSERT copies: beyond, statements grow and nothing becomes faster."""


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
            max_overflow=EXTRA_CONNECTIONS,
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


def is_damage(error: BaseException | None) -> bool:
    """Return whether an error is one of SQLite's that only a damaged database raises."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGE


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
