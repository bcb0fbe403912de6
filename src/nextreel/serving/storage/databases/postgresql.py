"""A store in a PostgreSQL server."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import polars as pl
import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import URL

from nextreel.errors import StoreError
from nextreel.serving.storage.databases.database import BUSY_SECONDS, COLUMNS, READ_BUSY_SECONDS, Database
from nextreel.serving.storage.sql_tables import TABLES_WITH_PEOPLE, interactions

EXTRA_CONNECTIONS = 5
"""Connections beyond the five of each of SQLAlchemy's pools, one for reading and one for writing. A server allows few,
which all workers share."""
DAMAGE = frozenset({"XX001", "XX002"})
"""States of errors that only a damaged database raises."""
OLDER_READERS = sa.text(
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
            max_overflow=EXTRA_CONNECTIONS,
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


def is_damage(error: BaseException | None) -> bool:
    """Return whether an error is one of PostgreSQL's that only a damaged database raises."""
    return isinstance(error, psycopg.Error) and error.sqlstate in DAMAGE


def _wait_for_older_readers(connection: sa.Connection, seconds: float) -> bool:
    """Wait until no other connection reads a state of the tables from before now; return False after so long.

    VACUUM spares what such a reader may still see.
    """
    deadline = time.monotonic() + seconds
    newest = connection.execute(sa.text("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")).scalar_one()
    while connection.execute(OLDER_READERS, {"newest": newest}).scalar_one():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
