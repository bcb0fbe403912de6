"""The store: who rated what and when, kept so that no acknowledged interaction is lost.

One log of interactions in a database, append-only but for the erasure of a person. Reading a user's rows back gives
what a data set's timeline would hold of them: ordered by (user, Timestamp, id), where ids keep the order of arrival.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import polars as pl
import sqlalchemy as sa

from nextreel.data.dataset import Dataset
from nextreel.data.schema import MOVIES
from nextreel.errors import StoreError
from nextreel.serving.storage.databases import Database, connect
from nextreel.serving.storage.idempotency import find_reply, keep_reply
from nextreel.serving.storage.impressions import Impression, read_impressions
from nextreel.serving.storage.interaction_rows import (
    NewInteraction,
    Outcome,
    append,
    blocks_of,
    read_after,
    read_users,
)
from nextreel.serving.storage.sql_tables import (
    FORMAT,
    answers,
    erasures,
    facts,
    interactions,
    metadata,
    movies,
    replies,
    reply_users,
)

__all__ = ["Impression", "NewInteraction", "Outcome", "Store"]


class Store:
    """Interactions, added movies, experiment answers and erasures in SQLite or PostgreSQL; safe to share by threads.

    Every method raises StoreError while the database can't be reached or can't write, leaves nothing half written
    then, and works again once the database does. A StoreError on writing may hide a commit whose acknowledgement was
    lost: write again, what stands already is KNOWN.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._url = database.engine.url.render_as_string(hide_password=True)

    @classmethod
    def open(cls, url: str) -> Self:
        """Connect, and create the tables where there are none.

        `sqlite:///FILE` or `postgresql+psycopg://USER:PASSWORD@HOST/DATABASE`; StoreError never shows the password.
        """
        store = cls(connect(url))
        try:
            store._prepare()
        except BaseException:
            store.close()
            raise
        return store

    def close(self) -> None:
        """Give the connections back."""
        self._database.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection that reads; whatever the database can't do becomes a StoreError."""
        with self._clear_errors(), self._database.reading() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that no other writer overlaps: all of it is durable at the end, or nothing is written."""
        with self._clear_errors(), self._database.writing() as connection:
            yield connection

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever imported, added or erased; a store whose people were all erased isn't empty."""
        with self.reading() as connection:
            return _is_unused(connection)

    @property
    def imported(self) -> str | None:
        """Fingerprint of the data set that was imported; None if none was."""
        with self.reading() as connection:
            return _read_fact(connection, "dataset")

    def import_dataset(self, dataset: Dataset, on_progress: Callable[[int, int], None]) -> None:
        """Copy all interactions of a data set into an unused store, in the order of its timeline: all or nothing.

        `on_progress(done, total)` hears of the rows copied so far. StoreError if the store isn't empty.
        """
        with self.writing() as connection:
            if not _is_unused(connection):
                raise StoreError(f"{self._url}: a data set is imported into an empty store only")
            for done, block in blocks_of(dataset):
                self._database.copy_interactions(connection, block)
                on_progress(done, len(dataset.timeline))
            _write_fact(connection, "dataset", dataset.fingerprint)
            connection.exec_driver_sql(f"ANALYZE {interactions.name}")

    def add(self, rows: Sequence[NewInteraction], idempotency_key: str | None = None) -> list[Outcome]:
        """Remember ratings, each once, and say what became of each; durable on return.

        With an Idempotency-Key, the same rows get the first answer again within a day; IdempotencyError, and nothing
        written, if they are others than at first.
        """
        with self.writing() as connection:
            if idempotency_key is None:
                return append(connection, rows)
            reply = find_reply(connection, idempotency_key, rows)
            if reply is None:
                reply = append(connection, rows)
                keep_reply(connection, idempotency_key, rows, reply)
            return reply

    def histories(self, user_ids: Sequence[int]) -> pl.DataFrame:
        """All rows of these users, UserID, MovieID, Rating, Timestamp, ordered by (user, Timestamp, arrival)."""
        with self.reading() as connection:
            return read_users(connection, user_ids)

    def since(self, last_id: int) -> tuple[int, pl.DataFrame]:
        """Rows that came after the one with this id, in order of id, and the id of the last one.

        Goes on without a gap from any id that it returned: no row turns up later with a lower id.
        """
        with self.reading() as connection:
            return read_after(connection, last_id)

    def everything(self) -> tuple[int, pl.DataFrame]:
        """All rows in order of id, and the id of the last one (0 if there is none)."""
        return self.since(0)

    def add_movie(self, movie_id: int, title: str, genres: Sequence[str]) -> bool:
        """Add a movie to the catalog; False, and nothing changes, if this MovieID was added before."""
        with self.writing() as connection:
            stands = sa.select(movies.c.movie_id).where(movies.c.movie_id == movie_id)
            if connection.execute(stands).first() is not None:
                return False
            connection.execute(
                sa.insert(movies), {"movie_id": movie_id, "title": title, "genres": "|".join(genres)}
            )
            return True

    def movies(self) -> pl.DataFrame:
        """The movies that were added, in the form of movies.csv, by MovieID."""
        with self.reading() as connection:
            rows = connection.execute(sa.select(movies).order_by(movies.c.movie_id)).all()
        return pl.DataFrame([tuple(row) for row in rows], schema=MOVIES.schema, orient="row")

    def keep_impressions(self, given: Sequence[Impression]) -> None:
        """Remember lists given during an experiment."""
        rows = [
            {
                "user_id": it.user_id,
                "at": it.timestamp,
                "version": it.version,
                "movie_ids": json.dumps(list(it.movie_ids)),
            }
            for it in given
        ]
        if not rows:
            return
        with self.writing() as connection:
            connection.execute(sa.insert(answers), rows)

    def impressions(self) -> list[Impression]:
        """The lists given during experiments, in the order in which they were."""
        with self.reading() as connection:
            return read_impressions(connection, sa.true())

    def export_user(self, user_id: int) -> dict[str, Any]:
        """All that is kept about a person, ready for JSON."""
        with self.reading() as connection:
            rows = read_users(connection, [user_id])
            given = read_impressions(connection, answers.c.user_id == user_id)
        return {
            "user_id": user_id,
            "interactions": [
                {"movie_id": movie, "rating": rating, "timestamp": timestamp}
                for _, movie, rating, timestamp in rows.iter_rows()
            ],
            "recommendations": [
                {"at": it.timestamp, "version": it.version, "movie_ids": list(it.movie_ids)} for it in given
            ],
        }

    def erase_user(self, user_id: int) -> int:
        """Remove all that is kept about a person, remember that they were erased; the number of interactions removed.

        Replies to Idempotency-Keys of requests that held one of their ratings go too.
        """
        with self.writing() as connection:
            theirs = sa.select(reply_users.c.idempotency_key).where(reply_users.c.user_id == user_id)
            connection.execute(sa.delete(replies).where(replies.c.idempotency_key.in_(theirs)))
            connection.execute(sa.delete(answers).where(answers.c.user_id == user_id))
            removed = connection.execute(
                sa.delete(interactions).where(interactions.c.user_id == user_id)
            ).rowcount
            connection.execute(sa.delete(erasures).where(erasures.c.user_id == user_id))
            connection.execute(sa.insert(erasures), {"user_id": user_id, "erased_at": int(time.time())})
        return removed

    def erased_users(self) -> list[int]:
        """UserIDs that were erased, ascending: a refit leaves what older files hold of them out."""
        with self.reading() as connection:
            return list(
                connection.execute(sa.select(erasures.c.user_id).order_by(erasures.c.user_id)).scalars()
            )

    @property
    def last_erasure(self) -> int:
        """A number that grows with each erasure: rows copied from here before it changed hold an erased person."""
        with self.reading() as connection:
            return connection.execute(sa.select(sa.func.max(erasures.c.id))).scalar_one() or 0

    def _prepare(self) -> None:
        with self.writing() as connection:
            metadata.create_all(connection)
            found = _read_fact(connection, "format")
            if found is None:
                _write_fact(connection, "format", str(FORMAT))
            elif int(found) > FORMAT:
                raise StoreError(
                    f"{self._url}: written by a newer nextreel (format {found}); update nextreel"
                )

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DBAPIError as error:
            raise StoreError(f"{self._url}: {_first_line(error.orig)}") from error
        except sa.exc.TimeoutError as error:
            raise StoreError(f"{self._url}: all connections are busy") from error


def _first_line(error: BaseException | None) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _is_unused(connection: sa.Connection) -> bool:
    used = [sa.exists(sa.select(table.c[0])) for table in (interactions, erasures)]
    never_imported = ~sa.exists(sa.select(facts.c.name).where(facts.c.name == "dataset"))
    return bool(connection.execute(sa.select(~sa.or_(*used) & never_imported)).scalar_one())


def _read_fact(connection: sa.Connection, name: str) -> str | None:
    return connection.execute(sa.select(facts.c.value).where(facts.c.name == name)).scalar_one_or_none()


def _write_fact(connection: sa.Connection, name: str, value: str) -> None:
    connection.execute(sa.insert(facts), {"name": name, "value": value})
