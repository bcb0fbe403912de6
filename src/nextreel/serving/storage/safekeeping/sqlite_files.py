"""Stores as files of SQLite: where they are, reading one without changing it, and taking one over."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import sqlalchemy as sa

from nextreel.errors import StoreError
from nextreel.serving.storage.databases import connect
from nextreel.serving.storage.private_file import COMPANIONS
from nextreel.serving.storage.store import Store

ELSEWHERE = (
    "back up PostgreSQL with pg_dump and restore it with pg_restore; then run `nextreel store check`, and erase again "
    "the users who were erased since the dump"
)


def to_url(store: str) -> str:
    """Return the URL of a store that is given by its URL or by the name of its file."""
    return store if "://" in store else f"sqlite:///{store}"


def file_of(url: str) -> Path | None:
    """Return the file of a store in SQLite, which needn't be there; None for a store in PostgreSQL.

    Raises
    ------
    StoreError
        The URL is wrong.
    """
    if url.startswith("sqlite:///") and (name := sa.make_url(url).database):
        return Path(name).absolute()
    connect(url).close()  # says what is wrong with the URL
    return None


def require_sqlite(url: str) -> Path:
    """Return the same file; raises StoreError for a store in PostgreSQL."""
    file = file_of(url)
    if file is None:
        raise StoreError(ELSEWHERE)
    return file


def require_file(file: Path) -> Path:
    """Return the file of a store that must be there; raises StoreError if it isn't."""
    if not file.is_file():
        raise StoreError(f"there is no store {file}")
    return file


@contextmanager
def translated_errors(file: Path) -> Iterator[None]:
    """Raise what SQLite says of a file as a StoreError."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"{file}: {error}") from error


@contextmanager
def reading_only(file: Path) -> Iterator[sqlite3.Connection]:
    """Provide a connection that can't change the file."""
    uri = f"{require_file(file).absolute().as_uri()}?mode=ro"
    with translated_errors(file), closing(sqlite3.connect(uri, uri=True)) as connection:
        yield connection


@contextmanager
def reading_store(file: Path) -> Iterator[sa.Connection]:
    """Provide the same as a connection of SQLAlchemy."""
    uri = f"{require_file(file).absolute().as_uri()}?mode=ro"
    engine = sa.create_engine(
        "sqlite://", creator=lambda: sqlite3.connect(uri, uri=True), poolclass=sa.NullPool
    )
    try:
        with engine.connect() as connection:
            yield connection
    except sa.exc.DBAPIError as error:
        raise StoreError(f"{file}: {error.orig}") from error
    finally:
        engine.dispose()


def open_copy(file: Path) -> Store:
    """Return the store in a file that is only a copy so far, as it is: no table that it lacks is created."""
    return Store(connect(f"sqlite:///{file}"))


def copy_database(source: Path, target: Path) -> None:
    """Copy a database, also one that others write to, to an empty file, which only its owner can read from now on."""
    target.chmod(0o600)
    with (
        reading_only(source) as reader,
        translated_errors(target),
        closing(sqlite3.connect(target)) as writer,
    ):
        reader.backup(writer)


def close_copy(file: Path) -> None:
    """Make a copy one file, without a write-ahead log beside it."""
    with translated_errors(file), closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")


def forget_log(file: Path) -> None:
    """Delete the write-ahead log of a store that is lost or damaged: SQLite would apply it to the one in its place."""
    for ending in COMPANIONS:
        file.with_name(f"{file.name}{ending}").unlink(missing_ok=True)


@contextmanager
def taken_over(file: Path) -> Iterator[sa.Connection | None]:
    """Keep everybody else from opening a store, and provide a connection to it; None if it is missing or unreadable.

    Raises
    ------
    StoreError
        Somebody else has it open.
    """
    if not file.exists():
        yield None
        return
    with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as held:
        try:
            held.execute("PRAGMA locking_mode = EXCLUSIVE")
            held.execute("PRAGMA journal_mode = DELETE")  # the log is written into the file
            held.execute("BEGIN EXCLUSIVE")
        except sqlite3.DatabaseError as error:
            if "locked" in str(error):
                raise StoreError(f"{file} is in use: stop the server first") from None
            yield None  # damaged, which may be why another one takes its place
            return
        engine = sa.create_engine("sqlite://", creator=lambda: held, poolclass=sa.StaticPool)
        with engine.connect() as connection:
            yield connection
