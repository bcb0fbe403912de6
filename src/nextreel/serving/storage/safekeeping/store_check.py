"""Whether a store is sound: its database undamaged, and its rows what nextreel writes. Nothing is changed."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from nextreel.data.data_format import ANY_FORMAT, DataFormat
from nextreel.data.rating_scale import STARS
from nextreel.data.schema import LARGEST_INTEGER
from nextreel.errors import StoreError
from nextreel.serving.storage.databases import connect, is_damage
from nextreel.serving.storage.facts import read_fact
from nextreel.serving.storage.people.erasure_journal import journal_of, journal_store, read_journal
from nextreel.serving.storage.people.erasure_log import read_hider, read_log
from nextreel.serving.storage.people.remains import read_remains
from nextreel.serving.storage.safekeeping.sqlite_files import file_of, reading_store
from nextreel.serving.storage.sql_tables import FORMAT, id_texts, impressions, interactions, replies

SHOWN = 20
"""Number of problems of one kind that are listed."""


@dataclass(frozen=True)
class CheckedStore:
    """What a check found."""

    ratings: int
    users: int
    """Number of users with at least one rating."""
    problems: list[str]
    """What is wrong, in sentences; empty if the store is sound."""


def check_store(url: str) -> CheckedStore:
    """Check a store or, in SQLite, a backup of one.

    Raises
    ------
    StoreError
        There is no store, or it is so damaged that it can't be read.
    """
    file = file_of(url)
    with _translated_errors(url), _reading(url) if file is None else reading_store(file) as connection:
        if damage := find_damage(connection):
            return CheckedStore(0, 0, damage)
        problems = [problem for check in CHECKS if (problem := check(connection)) is not None]
        if file is not None and (problem := _compare_with_journal(connection, journal_of(file))):
            problems.append(problem)
        return CheckedStore(*count_rows(connection), problems)


def count_rows(connection: sa.Connection) -> tuple[int, int]:
    """Return the number of ratings and of users who have some."""
    n_users = sa.func.count(interactions.c.user_id.distinct())
    ratings, users = connection.execute(sa.select(sa.func.count(), n_users).select_from(interactions)).one()
    return int(ratings), int(users)


def find_damage(connection: sa.Connection) -> list[str]:
    """Return what the database itself finds wrong, and whether a table is missing; empty if it is whole."""
    if connection.dialect.name == "sqlite":
        try:
            rows = connection.execute(sa.text(f"PRAGMA integrity_check({SHOWN})")).scalars().all()
        except sa.exc.DatabaseError as error:
            if not is_damage(error.orig):
                raise
            return [str(error.orig)]
        if rows != ["ok"]:
            return [str(row) for row in rows]
        if broken := connection.execute(sa.text("PRAGMA foreign_key_check")).all():
            return [f"{len(broken):,} rows refer to rows that are missing"]
    tables = set(sa.inspect(connection).get_table_names())
    missing = {"facts", "interactions", "movies", "replies", "answers", "erasures"} - tables
    return [f"it is no store of nextreel's: it has no table {', '.join(sorted(missing))}"] if missing else []


def _compare_with_journal(connection: sa.Connection, journal: Path) -> str | None:
    identity = read_fact(connection, "identity")
    if not journal.exists() or journal_store(journal) != identity:
        return None
    journaled = {entry.hidden_id for entry in read_journal(journal, identity)}
    missing = {entry.hidden_id for entry in read_log(connection)} - journaled
    return (
        f"{len(missing):,} erasures aren't in {journal}: a restore wouldn't replay them" if missing else None
    )


def _check_format(connection: sa.Connection) -> str | None:
    stored = read_fact(connection, "format") or ""
    if not stored.isdigit():
        return f"its format is {stored or 'missing'}, expected a number"
    if int(stored) > FORMAT:
        return f"it was written by a newer nextreel (format {stored})"
    return None if read_fact(connection, "identity") else "it has no identity"


def _check_ratings(connection: sa.Connection) -> str | None:
    scale = _read_format(connection).scale or STARS
    row = interactions.c
    is_id = row.user_id.between(0, LARGEST_INTEGER) & row.movie_id.between(0, LARGEST_INTEGER)
    is_valid = (
        is_id & row.rating.between(scale.lowest, scale.highest) & row.timestamp.between(0, LARGEST_INTEGER)
    )
    count = _count(connection, interactions, ~is_valid)
    return f"{count:,} ratings have an id, a rating or a timestamp that can't be" if count else None


def _check_texts(connection: sa.Connection) -> str | None:
    format_ = _read_format(connection)
    problems = []
    for entity, kind, codes in (
        ("user", format_.user_ids, interactions.c.user_id),
        ("movie", format_.movie_ids, interactions.c.movie_id),
    ):
        text = sa.select(id_texts.c.code).where(id_texts.c.entity == entity, id_texts.c.code == codes)
        if kind == "text" and (count := _count(connection, interactions, ~sa.exists(text))):
            problems.append(f"{count:,} ratings are of a {entity} whose text id is missing")
    return "; ".join(problems) or None


def _check_lists(connection: sa.Connection) -> str | None:
    unreadable = [
        f"{count:,} {what} can't be read"
        for what, column in (
            ("lists of experiments", impressions.c.movie_ids),
            ("outcomes", replies.c.outcomes),
        )
        if (count := sum(not _is_list(text) for text in connection.execute(sa.select(column)).scalars()))
    ]
    return "; ".join(unreadable) or None


def _check_remains(connection: sa.Connection) -> str | None:
    if read_hider(connection) is None:
        return "an earlier nextreel wrote it, and it still names erased users: run `nextreel serve` on it to upgrade it"
    return (
        "the last erasure isn't complete: serve the store, or run `nextreel store compact`"
        if read_remains(connection)
        else None
    )


CHECKS: tuple[Callable[[sa.Connection], str | None], ...] = (
    _check_format,
    _check_ratings,
    _check_texts,
    _check_lists,
    _check_remains,
)


def _read_format(connection: sa.Connection) -> DataFormat:
    text = read_fact(connection, "data_format")
    return ANY_FORMAT if text is None else DataFormat.model_validate_json(text)


def _count(connection: sa.Connection, table: sa.Table, condition: sa.ColumnElement[bool]) -> int:
    return int(
        connection.execute(sa.select(sa.func.count()).select_from(table).where(condition)).scalar_one()
    )


def _is_list(text: str) -> bool:
    try:
        return isinstance(json.loads(text), list)
    except (TypeError, ValueError):
        return False


@contextmanager
def _reading(url: str) -> Iterator[sa.Connection]:
    database = connect(url)
    try:
        with database.reading() as connection:
            yield connection
    finally:
        database.close()


@contextmanager
def _translated_errors(url: str) -> Iterator[None]:
    try:
        yield
    except (sa.exc.DBAPIError, ValueError) as error:
        place = sa.make_url(url).render_as_string(hide_password=True)
        raise StoreError(f"{place}: {getattr(error, 'orig', error)}") from error
