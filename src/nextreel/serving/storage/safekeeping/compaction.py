"""Completing erasures in a store whose file is too large to be rewritten while others wait."""

from nextreel.serving.storage.safekeeping.sqlite_files import file_of, require_file
from nextreel.serving.storage.store import Store

READER_SECONDS = 10.0
"""How long to wait for who still reads what was deleted."""


def compact_store(url: str) -> bool:
    """Remove what erased users have left in the files, however large they are.

    Returns False if somebody still reads it.

    Raises
    ------
    StoreError
        There is no store, or it can't be written.
    """
    if file := file_of(url):
        require_file(file)
    with Store.open(url) as store:
        return store.remove_remains(READER_SECONDS, whatever_size=True)
