"""What a store needs of a database: to connect, durable commits, exclusive writing, bulk import, and overwriting.

In both, only one transaction writes at a time. SQLite has a single write lock; in PostgreSQL each writing transaction
first takes an advisory lock and holds it until the commit. Readers that follow the log by id need this: PostgreSQL's
sequence hands out ids at the insert, not at the commit, so of two concurrent transactions the one with the lower ids
might become visible last, and a reader that had already passed those ids would never see its rows. With one writer at
a time, ids become visible in their order. It also makes "insert unless it is there" safe. The cost is that durable
commits can't overlap: to write faster, use larger batches, not more connections.
"""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext

import polars as pl
import sqlalchemy as sa

from nextreel.serving.storage.sql_tables import erasures

BUSY_SECONDS = 10
"""How long a writer waits for the write lock, or a request for a free connection, before it fails."""
READ_BUSY_SECONDS = 2
"""How long a reader waits for a lock or a free connection before it fails; usually none has to wait at all."""
DAMAGED = "the database of the store is damaged; nothing was written: restore a backup of it"
LAST_ERASURE = f"SELECT max(id) FROM {erasures.name}"  # nosec B608 # a table of ours
COLUMNS = ("user_id", "movie_id", "rating", "timestamp")
"""Columns of the interactions table in the order in which imported rows hold them."""


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
