"""The texts of text ids: all other tables hold only their codes, and this one tells which text a code stands for.

A store of numeric ids has no rows here. A user's text goes when the user is erased, so that only the code remains.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import polars as pl
import sqlalchemy as sa

from nextreel.data.ids import Id, encode_id
from nextreel.errors import StoreError
from nextreel.serving.storage.sql_tables import id_texts

Entity = Literal["user", "movie"]

BLOCK = 2_000
"""Codes looked up by one statement; databases allow some ten thousand parameters at most."""


def write_texts(connection: sa.Connection, entity: Entity, ids: Iterable[Id]) -> None:
    """Note the text of each text id that isn't known yet; numbers stand for themselves and need no row.

    No other connection may write at the same time.

    Raises
    ------
    StoreError
        Two texts have the same code, which happens once in a million stores of a million ids.
    """
    texts: dict[int, str] = {}
    for text in ids:
        if isinstance(text, str):
            _require_same(entity, texts.setdefault(encode_id(text), text), text)
    if not texts:
        return
    known = read_texts(connection, entity, [*texts])
    for code, text in known.items():
        _require_same(entity, text, texts[code])
    new = [
        {"entity": entity, "code": code, "text": text} for code, text in texts.items() if code not in known
    ]
    if new:
        connection.execute(sa.insert(id_texts), new)


def read_texts(connection: sa.Connection, entity: Entity, codes: Sequence[int]) -> dict[int, str]:
    """Return the text of each of these codes that has one."""
    texts: dict[int, str] = {}
    query = sa.select(id_texts.c.code, id_texts.c.text).where(id_texts.c.entity == entity)
    for start in range(0, len(codes), BLOCK):
        rows = connection.execute(query.where(id_texts.c.code.in_(codes[start : start + BLOCK])))
        texts |= {row.code: row.text for row in rows}
    return texts


def read_all_texts(connection: sa.Connection, entity: Entity) -> dict[int, str]:
    """Return the text of every code that has one."""
    query = sa.select(id_texts.c.code, id_texts.c.text).where(id_texts.c.entity == entity)
    return {row.code: row.text for row in connection.execute(query)}


def delete_text(connection: sa.Connection, entity: Entity, code: int) -> None:
    """Forget the text of a code, if it has one."""
    connection.execute(sa.delete(id_texts).where(id_texts.c.entity == entity, id_texts.c.code == code))


def decode_ids(codes: pl.Series, texts: Mapping[int, str]) -> pl.Series:
    """Return a column of the texts that a column of codes stands for; null for a code without a text."""
    known = pl.DataFrame({"code": [*texts], "text": [*texts.values()]}, {"code": pl.Int64, "text": pl.String})
    coded = codes.rename("code").to_frame()
    return coded.join(known, on="code", how="left", maintain_order="left")["text"].rename(codes.name)


def _require_same(entity: Entity, one: str, other: str) -> None:
    if one != other:
        # The message is logged, and a log must not name people.
        names = "" if entity == "user" else f" {one!r} and {other!r}"
        raise StoreError(f"two {entity} ids{names} have the same 63-bit code: rename one")
