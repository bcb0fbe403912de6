"""Backups of a store in SQLite, and restoring one, which replays the erasures that were made since.

A backup is a copy of the database, taken while servers go on writing. It holds the people of its time, also those who
are erased later, until it is deleted. A restore doesn't bring them back: it erases them from the copy before the copy
takes the place of the store.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from nextreel.atomic_files import replacing
from nextreel.errors import StoreError
from nextreel.serving.storage.administration.carried_over import carry_over, record_restore
from nextreel.serving.storage.databases import BUSY_SECONDS
from nextreel.serving.storage.facts import read_fact, write_fact
from nextreel.serving.storage.people.erasure_log import (
    LoggedErasure,
    match_hidden,
    prepare_log,
    read_last,
    replay,
)
from nextreel.serving.storage.people.hidden_ids import IdHider
from nextreel.serving.storage.people.person_rows import delete_person, list_people
from nextreel.serving.storage.people.remains import note_remains
from nextreel.serving.storage.safekeeping.known_erasures import KnownErasures, read_journals
from nextreel.serving.storage.safekeeping.sqlite_files import (
    close_copy,
    copy_database,
    forget_log,
    open_copy,
    reading_store,
    require_file,
    require_sqlite,
    taken_over,
)
from nextreel.serving.storage.safekeeping.store_check import count_rows, find_damage
from nextreel.serving.storage.store import Store

ORIGIN = "backup of"
"""Name of the fact, in a backup, that holds the path of the store that it is of."""


@dataclass(frozen=True)
class Copied:
    """What a backup or a restored store holds."""

    ratings: int
    users: int
    """Number of users with at least one rating."""
    erasures: int = 0
    """Number of erasures since the backup that were replayed."""
    keeps_keys: bool = True
    """Whether the API keys are those of now; if not, those that were revoked since the backup are valid again."""


def back_up(url: str, file: Path, force: bool = False) -> Copied:
    """Copy a store to a file that only its owner can read; others may write to the store meanwhile.

    Parameters
    ----------
    url : str
        URL of the store, which must be in SQLite.
    file : Path
        The backup, which is written completely or not at all.
    force : bool
        Whether an earlier backup in its place is replaced.

    Raises
    ------
    StoreError
        There is no store, it is damaged, or the file exists.
    DataError
        The file can't be written.
    """
    source = require_file(require_sqlite(url))
    if file.exists() and (not force or file.samefile(source)):
        raise StoreError(f"{file} exists; nothing was written: choose another name, or --force to replace it")
    with Store.open(url) as store:
        store.remove_remains()
        with store.writing() as connection:
            store.write_journal(connection)
    with replacing(file) as copy:
        copy_database(source, copy)
        _require_sound(copy)
        with open_copy(copy) as backup, backup.writing() as connection:
            write_fact(connection, ORIGIN, str(source))
            counts = count_rows(connection)
        close_copy(copy)
    return Copied(*counts)


def restore(file: Path, url: str, journals: Sequence[Path] = (), without_erasures: bool = False) -> Copied:
    """Put a backup in the place of a store, without who was erased since; the store changes completely or not at all.

    Parameters
    ----------
    file : Path
        The backup.
    url : str
        URL of the store to replace or create, in SQLite. No server may have it open.
    journals : Sequence[Path]
        Journals of erasures, beside those that are found (see `known_erasures`).
    without_erasures : bool
        Whether to restore even if nothing is known of the erasures since the backup.

    Raises
    ------
    StoreError
        The backup is damaged, the store in its place is in use or another one, or nothing is known of the erasures.
    DataError
        The store can't be written.
    """
    target = require_sqlite(url)
    _require_sound(require_file(file))
    with reading_store(file) as connection:
        saved = KnownErasures.read(connection)
        origin = Path(read_fact(connection, ORIGIN) or target)
    with taken_over(target) as live, replacing(target) as copy:
        known = [saved, *_read_replaced(live, target, saved), *_read_origin(origin, target, saved)]
        logged = read_journals(saved.identity, [target, origin, file], journals)
        if len(known) == 1 and logged is None and not without_erasures:
            raise StoreError(
                f"the erasures since {file} was made are unknown: neither the store nor its journal was found. Name a "
                "copy of the journal with --erasures, or use --without-erasures and erase these users again yourself"
            )
        hider = next((each.hider for each in known if each.hider is not None), None) or IdHider.draw()
        entries = [entry for each in known[1:] for entry in each.hidden_by(hider)]
        copy_database(file, copy)
        with open_copy(copy) as store, store.writing() as connection:
            prepare_log(connection, hider)
        with Store.open(f"sqlite:///{copy}") as store:
            n_replayed = _replay(store, [*entries, *(logged or ())])
            with store.writing() as connection:
                keeps_keys = _keep_administration(connection, live, origin, saved)
                record_restore(connection, file.name)
            store.remove_remains(BUSY_SECONDS)
            with store.reading() as connection:
                counts = count_rows(connection)
        close_copy(copy)
        if live is None:
            forget_log(target)
    with Store.open(url) as store, store.writing() as connection:
        store.write_journal(connection)
    return Copied(*counts, n_replayed, keeps_keys)


def _read_replaced(live: sa.Connection | None, target: Path, saved: KnownErasures) -> list[KnownErasures]:
    """Return what the store that is replaced knows; raises StoreError if it is another store than the backup's."""
    if live is None or not sa.inspect(live).get_table_names():
        return []
    known = KnownErasures.read(live)
    if known.identity != saved.identity:
        raise StoreError(f"{target} isn't the store that was backed up: restore to another file")
    return [known]


def _read_origin(origin: Path, target: Path, saved: KnownErasures) -> list[KnownErasures]:
    """Return what the store knows that the backup is of, if it is still there and isn't the one to replace."""
    if origin == target or not origin.is_file():
        return []
    with reading_store(origin) as connection:
        known = KnownErasures.read(connection)
    return [known] if known.identity == saved.identity else []


def _keep_administration(
    restored: sa.Connection, live: sa.Connection | None, origin: Path, saved: KnownErasures
) -> bool:
    """Keep the keys and the log of the store that is replaced or, if there is none, of the one that the backup is of.

    Returns False if there is neither.
    """
    try:
        if live is not None and sa.inspect(live).get_table_names():
            carry_over(live, restored)
            return True
        if origin.is_file():
            with reading_store(origin) as connection:
                if KnownErasures.read(connection).identity == saved.identity:
                    carry_over(connection, restored)
                    return True
    except (sa.exc.DatabaseError, StoreError):  # damaged, which may be why another one takes its place
        pass
    return False


def _replay(store: Store, entries: Sequence[LoggedErasure]) -> int:
    """Erase from a copy who was erased later than it was made; return how many that are."""
    with store.writing() as connection:
        last_id = read_last(connection)
        later = {(entry.id, entry.hidden_id): entry for entry in entries if entry.id > last_id}
        log = [later[key] for key in sorted(later)]
        people = list_people(connection)
        for code in match_hidden(store.id_hider, people, {entry.hidden_id for entry in log}).tolist():
            delete_person(connection, code, store.id_hider)
        replay(connection, log)
        if log:
            note_remains(connection, read_last(connection))
    return len({entry.hidden_id for entry in log})


def _require_sound(file: Path) -> None:
    """Raise StoreError if a database is damaged."""
    with reading_store(file) as connection:
        damage = find_damage(connection)
    if damage:
        raise StoreError(f"{file} is damaged: {damage[0]}")
