"""The store: a durable log of the interactions, with added movies, impressions and erasures.

The log is append-only, except that erasing a user deletes their rows. Read back, a user's rows are in the order of a
data set's timeline: by (user, timestamp, id), where the ids keep the order of arrival.
"""

import json
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import polars as pl
import psycopg
import sqlalchemy as sa
from pydantic import ValidationError

from nextreel.arrays import Int64Array
from nextreel.data.data_format import ANY_FORMAT, DataFormat
from nextreel.data.dataset import Dataset
from nextreel.data.ids import Id, encode_id, kind_of
from nextreel.errors import ErasedMeanwhileError, StoreError, UnusableStoreError
from nextreel.serving.storage import data_facts
from nextreel.serving.storage.administration.audit_log import (
    COMMAND_LINE,
    Act,
    AuditEntry,
    read_acts,
    record_act,
)
from nextreel.serving.storage.databases import DAMAGED, Database, SQLite, connect, is_damage
from nextreel.serving.storage.facts import read_fact, write_fact
from nextreel.serving.storage.idempotency import (
    delete_expired,
    find_outcomes,
    record_outcomes,
    refuse_erased,
)
from nextreel.serving.storage.impressions import (
    Impression,
    insert_impressions,
    leave_out_erased,
    read_impressions,
)
from nextreel.serving.storage.interaction_rows import (
    NewInteraction,
    Outcome,
    append,
    blocks_of,
    read_after,
    read_later,
    read_users,
)
from nextreel.serving.storage.movie_rows import mark_deleted, put_movie, read_deleted, read_movies
from nextreel.serving.storage.people.erasure_journal import append_erasures, journal_of
from nextreel.serving.storage.people.erasure_log import (
    find_last_erasures,
    log_erasure,
    match_hidden,
    prepare_log,
    read_hider,
    read_last,
    read_log,
)
from nextreel.serving.storage.people.hidden_ids import IdHider
from nextreel.serving.storage.people.person_rows import delete_person
from nextreel.serving.storage.people.remains import (
    forget_remains,
    note_remains,
    read_remains,
    remove_remains,
)
from nextreel.serving.storage.people.user_export import UserExport, read_user
from nextreel.serving.storage.sql_tables import (
    FORMAT,
    NUMBERS_FORMAT,
    add_missing_columns,
    erasures,
    facts,
    interactions,
    metadata,
)
from nextreel.serving.storage.text_ids import Entity, read_all_texts, write_texts

__all__ = ["Impression", "NewInteraction", "Outcome", "Store"]

REMOVAL_SECONDS = 1.0
"""How long an erasure waits for who still reads what it deletes."""


class Store:
    """Interactions, added movies, impressions and erasures in SQLite or PostgreSQL; safe to share between threads.

    Every method raises StoreError if the database can't be reached or written to. Nothing is half written then, and
    the method works again once the database does. If a write fails, its commit may have succeeded all the same and
    only the acknowledgement been lost: write again, rows that are stored already have the outcome KNOWN.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._url = database.engine.url.render_as_string(hide_password=True)
        self._data_format: DataFormat | None = None
        self._id_hider: IdHider | None = None

    @classmethod
    def open(cls, url: str) -> Self:
        """Connect to `sqlite:///FILE` or `postgresql+psycopg://USER:PASSWORD@HOST/DATABASE` and create missing tables.

        Raises
        ------
        StoreError
            The URL is wrong, the database can't be used, or a newer nextreel wrote the store. The message never
            contains the password.
        """
        store = cls(connect(url))
        try:
            store._prepare()
        except BaseException:
            store.close()
            raise
        return store

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Provide a connection for queries. Raises StoreError for whatever the database can't do."""
        with self._translated_errors(), self._database.reading() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Provide a transaction that is the only writer: at its end all of it is durable, or nothing was written.

        Raises StoreError for whatever the database can't do.
        """
        with self._translated_errors(), self._database.writing() as connection:
            yield connection

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever imported, added or erased; a store whose users were all erased isn't empty."""
        with self.reading() as connection:
            return _is_unused(connection)

    @property
    def imported(self) -> str | None:
        """Fingerprint of the data set that was imported; None if there was no import."""
        with self.reading() as connection:
            return data_facts.read_imported(connection)

    @property
    def url(self) -> str:
        """URL of the database, without its password."""
        return self._url

    @property
    def warning(self) -> str | None:
        """What the store's owner should know of it, such as that others may read its file; None if there is nothing."""
        return self._database.warning

    @property
    def identity(self) -> str:
        """A random text that tells this store from every other, and stays with it when the database is moved."""
        with self.reading() as connection:
            return read_fact(connection, "identity") or ""

    @property
    def data_format(self) -> DataFormat:
        """The kinds of ids and the scale of the ratings; numbers and stars unless an import said otherwise."""
        if self._data_format is None:  # once it is there, it never changes
            with self.reading() as connection:
                self._data_format = data_facts.read_format(connection)
        return self._data_format or ANY_FORMAT

    @property
    def known_data(self) -> set[str]:
        """Fingerprints of the data set that was imported and of those whose models this store has served."""
        with self.reading() as connection:
            served, imported = data_facts.list_served(connection), data_facts.read_imported(connection)
        return served if imported is None else {*served, imported}

    @property
    def remembers_models(self) -> bool:
        """Whether the store has noted which models it serves; False for one that an earlier nextreel filled."""
        with self.reading() as connection:
            return bool(data_facts.list_served(connection))

    def remember_data(self, fingerprint: str) -> None:
        """Note that models of the data set with this fingerprint belong to the store."""
        with self.writing() as connection:
            data_facts.note_served(connection, fingerprint)

    def import_dataset(
        self, dataset: Dataset, on_progress: Callable[[int, int], None], learned: str | None = None
    ) -> None:
        """Copy all interactions of a data set into an unused store, in timeline order: all of them or none.

        `on_progress` is called with the number of rows copied so far and the number of all rows. `learned` is the
        fingerprint of the data set that the model to serve was fitted on, if it is another one. Raises StoreError if
        the store isn't empty.
        """
        with self.writing() as connection:
            if not _is_unused(connection):
                raise StoreError(f"{self._url}: a data set can only be imported into an empty store")
            with self._database.importing(connection):
                for n_copied, block in blocks_of(dataset):
                    self._database.copy_interactions(connection, block)
                    on_progress(n_copied, len(dataset.timeline))
            last_id = connection.execute(sa.select(sa.func.max(interactions.c.id))).scalar_one() or 0
            data_facts.note_import(connection, dataset, learned or dataset.fingerprint, last_id)
            connection.exec_driver_sql(f"ANALYZE {interactions.name}")

    def note_rows(self, fingerprint: str, last_id: int, last_erasure: int, before: int | None = None) -> None:
        """Note that the data set with this fingerprint holds the store as of a position.

        It has exactly the rows up to `last_id`, in timeline order, without those of users who were erased by
        `last_erasure` and, if `before` is given, without those from that timestamp on.
        """
        with self.writing() as connection:
            data_facts.note_rows(connection, fingerprint, last_id, last_erasure, before)

    def rows_of(self, fingerprint: str) -> tuple[int, int, int | None] | None:
        """Return what was noted of a data set (see `note_rows`): the ids of the last row and the last erasure, and the
        timestamp before which its rows are; None if nothing was."""
        with self.reading() as connection:
            return data_facts.read_rows(connection, fingerprint)

    def learn_movies(self, movie_ids: pl.Series) -> None:
        """Note the texts of a model's text MovieIDs that the store doesn't know yet."""
        if kind_of(movie_ids) == "number":
            return
        known = set(self.texts("movie").values())
        if new := [text for text in movie_ids if text not in known]:
            with self.writing() as connection:
                write_texts(connection, "movie", new)

    def texts(self, entity: Entity) -> dict[int, str]:
        """Return the text of every text id of users or of movies by its code; nothing for numeric ids."""
        with self.reading() as connection:
            return read_all_texts(connection, entity)

    def add(
        self,
        rows: Sequence[NewInteraction],
        idempotency_key: str | None = None,
        last_erasure: int | None = None,
    ) -> list[Outcome]:
        """Store ratings, each event once, and return an outcome for each; they are durable on return.

        Under an Idempotency-Key, the same rows get the recorded outcomes again for a day, and other rows, or those of a
        user who was erased since, raise IdempotencyError without anything being written. With the id of the last
        erasure when the ratings arrived, those of a user who was erased later raise ErasedMeanwhileError.
        """
        with self.writing() as connection:
            if last_erasure is not None and self.last_erasure > last_erasure:
                codes = {encode_id(row.user_id) for row in rows}
                if find_last_erasures(connection, self.id_hider, codes, after=last_erasure):
                    raise ErasedMeanwhileError(
                        "a user of this request was erased while it waited; nothing was written"
                    )
            if idempotency_key is None:
                return append(connection, rows)
            delete_expired(connection)
            outcomes = find_outcomes(connection, idempotency_key, rows)
            if outcomes is None:
                refuse_erased(connection, idempotency_key, self.id_hider)
                outcomes = append(connection, rows)
                record_outcomes(connection, idempotency_key, rows, outcomes)
            return outcomes

    def histories(self, user_ids: Sequence[int]) -> pl.DataFrame:
        """Return all rows of these users (UserID, MovieID, Rating, Timestamp), by (user, timestamp, arrival).

        Here and in every frame of rows, ids are numbers: the codes of text ids.
        """
        with self.reading() as connection:
            return read_users(connection, user_ids)

    def since(self, last_id: int) -> tuple[int, pl.DataFrame]:
        """Return the rows with an id above `last_id`, in order of id, and the id of the last one.

        Calling this again with the returned id continues without a gap: no row becomes visible later with a lower id.
        """
        with self.reading() as connection:
            return read_after(connection, last_id)

    def everything(self) -> tuple[int, pl.DataFrame]:
        """Return all rows in order of id, and the id of the last one (0 if there are none)."""
        return self.since(0)

    def later(self, timestamp: int, last_id: int) -> pl.DataFrame:
        """Return the rows from a timestamp on with an id up to `last_id`, in order of id."""
        with self.reading() as connection:
            return read_later(connection, timestamp, last_id)

    def add_movie(self, movie_id: Id, title: str, genres: Sequence[str]) -> bool:
        """Add a movie to the catalog; return False, and change nothing, if this MovieID was added before.

        A movie that was added and deleted is replaced by this one.
        """
        with self.writing() as connection:
            return put_movie(connection, movie_id, title, genres)

    def delete_movie(self, movie_id: Id, by: str = COMMAND_LINE) -> bool:
        """Delete a movie, added or of the model's own catalog; return False if it is deleted already.

        Its ratings stay. The audit log says `by` whom it was deleted.
        """
        with self.writing() as connection:
            is_new = mark_deleted(connection, encode_id(movie_id), True)
            if is_new:
                record_act(connection, Act.MOVIE_DELETED, by, str(movie_id))
            return is_new

    def restore_movie(self, movie_id: Id) -> bool:
        """Undo the deletion of a movie; return False if it isn't deleted."""
        with self.writing() as connection:
            return mark_deleted(connection, encode_id(movie_id), False)

    def movies(self) -> pl.DataFrame:
        """Return the added movies as in movies.csv, ordered by MovieID, deleted ones too."""
        kind = self.data_format.movie_ids or "number"
        with self.reading() as connection:
            return read_movies(connection, kind)

    def deleted_movies(self) -> list[int]:
        """Return the MovieIDs of the deleted movies, or their codes, ascending."""
        with self.reading() as connection:
            return read_deleted(connection)

    def keep_impressions(self, shown: Sequence[Impression]) -> None:
        """Store lists that were shown during an experiment, but not those of users who were erased since."""
        if shown:
            with self.writing() as connection:
                if remaining := leave_out_erased(connection, self.id_hider, shown):
                    insert_impressions(connection, remaining)

    def impressions(self) -> list[Impression]:
        """Return all lists that were shown during experiments, in the order in which they were stored."""
        with self.reading() as connection:
            return read_impressions(connection, sa.true())

    def audit_log(self, limit: int, before: int | None = None) -> list[AuditEntry]:
        """Return at most `limit` administrative acts, latest first, of those with an id below `before`."""
        with self.reading() as connection:
            return read_acts(connection, limit, before)

    def export_user(self, user_id: Id) -> UserExport:
        """Return all data about a user."""
        format_ = self.data_format
        with self.reading() as connection:
            return read_user(connection, user_id, format_)

    def erase_user(self, outside_id: Id, by: str = COMMAND_LINE) -> int:
        """Delete all rows of a user, log the erasure, and return the number of interactions deleted.

        What remains is the user's hidden id. Bytes of the rows are left in the database's files until `remove_remains`.
        """
        code = encode_id(outside_id)
        with self.writing() as connection:
            n_deleted = delete_person(connection, code, self.id_hider)
            erasure = log_erasure(connection, self.id_hider.hide(code))
            note_remains(connection, erasure.id)
            record_act(connection, Act.USER_ERASED, by)
            self.write_journal(connection)
        return n_deleted

    def erased_among(self, codes: Int64Array) -> Int64Array:
        """Return those of these users, by UserID or code, who were ever erased: a refit omits what older files hold."""
        with self.reading() as connection:
            hidden_ids = [entry.hidden_id for entry in read_log(connection)]
        return match_hidden(self.id_hider, codes, hidden_ids)

    @property
    def last_erasure(self) -> int:
        """A number that grows with every erasure: rows that were read before it changed may be of an erased user."""
        with self._translated_errors():
            return self._database.last_erasure()

    @property
    def id_hider(self) -> IdHider:
        """What hides the ids of erased users; its secret never changes."""
        if self._id_hider is None:
            with self.reading() as connection:
                self._id_hider = read_hider(connection)
            if self._id_hider is None:
                raise StoreError(
                    f"{self._url}: an earlier nextreel wrote it: run `nextreel serve` on it to upgrade it"
                )
        return self._id_hider

    def remove_remains(self, seconds: float = REMOVAL_SECONDS, whatever_size: bool = False) -> bool:
        """Remove what erased users have left in the database's files, waiting so long for who still reads it.

        Large files of SQLite are only rewritten `whatever_size`, since nobody can write meanwhile. Returns False if
        something is left; then the store remembers that, and it can be tried again.
        """
        with self.reading() as connection:
            noted = read_remains(connection)
        if not noted:
            return True
        with self._translated_errors():
            removed = remove_remains(self._database, noted, seconds, whatever_size)
        if removed:
            with self.writing() as connection:
                forget_remains(connection, removed)
        return removed == noted

    def write_journal(self, connection: sa.Connection) -> None:
        """Bring the journal of erasures beside a file of SQLite up to date; on PostgreSQL there is none."""
        if isinstance(self._database, SQLite):
            identity = read_fact(connection, "identity") or ""
            append_erasures(journal_of(self._database.file), identity, read_log(connection))

    def _prepare(self) -> None:
        with self.writing() as connection:
            metadata.create_all(connection)
            add_missing_columns(connection)
            stored_format = read_fact(connection, "format")
            if read_fact(connection, "identity") is None:
                write_fact(connection, "identity", uuid.uuid4().hex)
            if prepare_log(connection):
                note_remains(connection, read_last(connection))
            if stored_format is None:
                write_fact(connection, "format", str(NUMBERS_FORMAT))
            elif not stored_format.isdecimal():
                raise UnusableStoreError(f"{self._url}: its format is {stored_format[:50]!r}", DAMAGED)
            elif int(stored_format) > FORMAT:
                raise StoreError(
                    f"{self._url}: written by a newer nextreel (format {stored_format}); update nextreel"
                )

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DBAPIError as error:
            raise self._translate(error.orig) from error
        except (sqlite3.Error, psycopg.Error) as error:  # of a new connection, before SQLAlchemy has it
            raise self._translate(error) from error
        except (UnicodeDecodeError, json.JSONDecodeError, ValidationError) as error:
            # SQLite's own message holds damaged bytes, or a text isn't the JSON that it was stored as.
            raise UnusableStoreError(f"{self._url}: {_first_line(error)}", DAMAGED) from error
        except sa.exc.TimeoutError as error:
            raise StoreError(f"{self._url}: all connections are busy") from error

    def _translate(self, error: BaseException | None) -> StoreError:
        message = f"{self._url}: {_first_line(error)}"
        return UnusableStoreError(message, DAMAGED) if is_damage(error) else StoreError(message)


def _first_line(error: BaseException | None) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _is_unused(connection: sa.Connection) -> bool:
    used = [sa.exists(sa.select(table.c[0])) for table in (interactions, erasures)]
    never_imported = ~sa.exists(sa.select(facts.c.name).where(facts.c.name == "dataset"))
    return bool(connection.execute(sa.select(~sa.or_(*used) & never_imported)).scalar_one())
