"""Looking for a person in whatever a store keeps: the bytes of its files, and the rows of all tables."""

import struct
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from nextreel.serving.storage.store import Store


def files_with(directory: Path, user: int, *texts: bytes) -> list[str]:
    """Return the files below a directory that hold a user's id, as text or as 8 bytes, or one of these texts.

    The id must be so large that SQLite stores it in 8 bytes, and no other bytes equal it by chance.
    """
    assert user > 2**48
    wanted = (struct.pack(">q", user), struct.pack("<q", user), str(user).encode(), *texts)
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return [path.name for path in files if any(each in path.read_bytes() for each in wanted)]


def rows_with(store: Store, *values: object) -> list[str]:
    """Return each table that holds one of these values, also within a text; those of PostgreSQL's statistics too."""
    return [table for table, row in dump(store) if any(str(value) in str(row) for value in values)]


def dump(store: Store) -> Iterator[tuple[str, tuple[object, ...]]]:
    with store.reading() as connection:
        tables = sa.inspect(connection).get_table_names()
        if connection.dialect.name == "postgresql":
            tables.append("pg_stats")
        for table in tables:
            for row in connection.execute(sa.text(f"SELECT * FROM {table}")):
                yield table, tuple(row)
