"""Ids of users and movies: numbers or texts outside, 64-bit integers inside.

A data set whose ids are whole numbers uses them as they are. A text id becomes a code: the first 63 bits of its BLAKE2b
hash. The code depends on nothing but the text, so every file, process and saved model agrees on it without a shared
table. Frames always hold the ids as people write them, arrays always hold integers; the functions here convert.
"""

from hashlib import blake2b
from typing import Literal

import numpy as np
import polars as pl

from nextreel.arrays import Int64Array
from nextreel.data.schema import LARGEST_INTEGER
from nextreel.errors import DataError

IdKind = Literal["number", "text"]
Id = int | str
"""An id of a user or a movie as people write it: a whole number from 0, or a text."""


def kind_of(ids: pl.Series) -> IdKind:
    """Return the kind of the ids in a column that has been checked."""
    return "text" if ids.dtype == pl.String else "number"


def encode_id(value: Id) -> int:
    """Return the integer that stands for an id: the number itself, or the code of a text."""
    if isinstance(value, int):
        return value
    return int.from_bytes(blake2b(value.encode(), digest_size=8).digest(), "big") & LARGEST_INTEGER


def encode_ids(ids: pl.Series) -> Int64Array:
    """Return int64[n]: the integer that stands for each id of a column that has been checked."""
    if kind_of(ids) == "number":
        return ids.to_numpy()
    texts = ids.unique()
    return ids.replace_strict(texts, _encode_each(texts), return_dtype=pl.Int64).to_numpy()


def sort_with_codes(ids: pl.Series) -> tuple[pl.Series, Int64Array]:
    """Return the distinct ids of a column, ordered by the integers that stand for them, and int64[n]: these integers.

    Raises
    ------
    DataError
        Two texts have the same code, which happens once in a million data sets of a million ids.
    """
    if kind_of(ids) == "number":
        numbers = ids.unique().sort()
        return numbers, numbers.to_numpy()
    texts = ids.unique().sort()
    codes = _encode_each(texts).to_numpy()
    order = np.argsort(codes, kind="stable")
    if len(same := np.flatnonzero(np.diff(codes[order]) == 0)):
        first, second = texts[order[same[0] : same[0] + 2].tolist()]
        raise DataError(f"the ids {first!r} and {second!r} have the same 63-bit code: rename one of them")
    return texts.gather(order), codes[order]


def find_positions(ids: pl.Series, distinct: pl.Series) -> Int64Array:
    """Return int64[n]: the position of each id among distinct ones from `sort_with_codes`, which hold all of them."""
    if kind_of(ids) == "number":
        return np.searchsorted(distinct.to_numpy(), ids.to_numpy())
    positions = pl.int_range(len(distinct), eager=True)
    return ids.replace_strict(distinct, positions, return_dtype=pl.Int64).to_numpy()


def _encode_each(texts: pl.Series) -> pl.Series:
    return pl.Series("code", [encode_id(text) for text in texts], dtype=pl.Int64)
