"""Text ids as integers: the codes of `nextreel.data.ids`, and dictionaries that give the texts back."""

from collections.abc import Iterable

import polars as pl

from nextreel.data.ids import kind_of, sort_with_codes
from nextreel.data.reading.partitioned_rows import CODE
from nextreel.errors import DataError


def encode_column(frame: pl.DataFrame, column: str) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Return a frame with integers in place of the texts in a column of ids, and the dictionary of these texts.

    The dictionary has the column and Code, one row for each text; it is None if the ids are numbers.

    Raises DataError if two texts have the same code.
    """
    ids = frame[column]
    if kind_of(ids) == "number":
        return frame, None
    texts, codes = sort_with_codes(ids)
    integers = pl.Series(CODE, codes)
    encoded = ids.replace_strict(texts, integers, return_dtype=pl.Int64)
    return frame.with_columns(encoded), pl.DataFrame([texts, integers])


def merge_dictionaries(dictionaries: Iterable[pl.DataFrame], column: str) -> pl.DataFrame:
    """Return one dictionary with the texts of several, sorted by code.

    Raises DataError if two texts have the same code.
    """
    merged = pl.concat(dictionaries).unique().sort(CODE)
    same = merged.filter(pl.col(CODE).is_duplicated())[column]
    if len(same):
        raise DataError(f"the ids {same[0]!r} and {same[1]!r} have the same 63-bit code: rename one of them")
    return merged
