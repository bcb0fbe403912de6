"""The erasures that are known outside a backup: a restore replays those that the backup lacks.

They are looked for in the store that is replaced, in the store that the backup is of, and in journals: beside these
two, beside the backup, and where the user says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from nextreel.errors import StoreError
from nextreel.serving.storage.facts import read_fact
from nextreel.serving.storage.people.erasure_journal import journal_of, journal_store, read_journal
from nextreel.serving.storage.people.erasure_log import LoggedErasure, read_hider, read_log
from nextreel.serving.storage.people.hidden_ids import IdHider


@dataclass(frozen=True)
class KnownErasures:
    """What a store knows of its erasures."""

    identity: str
    """Identity of the store."""
    hider: IdHider | None
    """What hid the ids in `log`; None if an earlier nextreel wrote the store, so that they are in clear."""
    log: list[LoggedErasure]

    @classmethod
    def read(cls, connection: sa.Connection) -> "KnownErasures":
        """Read them from a store, which isn't changed.

        Raises
        ------
        StoreError
            The database is no store.
        """
        if not {"facts", "erasures", "interactions"} <= set(sa.inspect(connection).get_table_names()):
            raise StoreError("it is no store of nextreel's")
        return cls(read_fact(connection, "identity") or "", read_hider(connection), read_log(connection))

    def hidden_by(self, hider: IdHider) -> list[LoggedErasure]:
        """Return the log with ids hidden by `hider`, by which they are hidden here or which hides them now."""
        if self.hider is not None:
            return self.log
        return [LoggedErasure(entry.id, hider.hide(entry.hidden_id), entry.erased_at) for entry in self.log]


def read_journals(identity: str, near: Sequence[Path], named: Sequence[Path]) -> list[LoggedErasure] | None:
    """Return the erasures of all journals of a store; None if there is no journal.

    Parameters
    ----------
    identity : str
        The store.
    near : Sequence[Path]
        Stores and backups, of which each may have a journal beside it, also one of another store.
    named : Sequence[Path]
        Journals that must be there, and of this store.

    Raises
    ------
    StoreError
        A journal is damaged, or one of `named` is missing or of another store.
    """
    found: list[LoggedErasure] | None = None
    for file in dict.fromkeys(map(journal_of, near)):
        if file.exists() and journal_store(file) == identity:
            found = [*(found or ()), *read_journal(file, identity)]
    for file in named:
        found = [*(found or ()), *read_journal(file, identity)]
    return found
