"""IMDb ids of movies, by which the exports of film sites are matched with a catalog."""

import re

import polars as pl

from nextreel.data.schema import IMDB_ID, LINKS, MOVIE_ID
from nextreel.errors import DataError
from nextreel.wording import shorten

ID = re.compile(r"\s*(?:tt)?([0-9]{1,12})\s*", re.ASCII | re.IGNORECASE)
NO_LINKS = pl.DataFrame(schema={MOVIE_ID: pl.Int64(), IMDB_ID.name: pl.Int64()})
"""The links of a data set without any."""


def parse_imdb_id(text: str) -> int:
    """Return the number in an IMDb id such as "tt0114709", "0114709" or "114709"; ValueError for another text."""
    found = ID.fullmatch(text)
    if found is None or not int(found[1]):
        raise ValueError(f"{shorten(text, 40)!r} is not an IMDb id; expected one such as tt0114709")
    return int(found[1])


def with_numbers(links: pl.DataFrame, file: str) -> pl.DataFrame:
    """Return checked links with IMDb ids as numbers; movies without one are left out.

    Raises DataError, which names the `file`, if a cell holds something else.
    """
    numbers = []
    for row, text in enumerate(links[IMDB_ID.name]):
        try:
            numbers.append(None if text is None else parse_imdb_id(text))
        except ValueError as error:
            raise DataError(f"{file}, column {IMDB_ID.name}, row {row + 1}: {error}") from None
    frame = links.with_columns(pl.Series(IMDB_ID.name, numbers, dtype=pl.Int64))
    return frame.drop_nulls(IMDB_ID.name).select(LINKS.schema.names())
