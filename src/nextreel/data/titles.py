"""Titles, years and genres as people read them, parsed from the form of MovieLens' files."""

import re
import unicodedata
from collections.abc import Iterable

import polars as pl

from nextreel.data.schema import MOVIE_ID

YEAR = r"\s*\(([0-9]{4})\)\s*$"
"""A year at the end of a title. Only the digits 0 to 9 make a year: others stay part of the title."""
NO_GENRES = "(no genres listed)"
ARTICLE_LAST = r"^(.*), (The|A|An|La|Le|Les|L'|Il|El|Los|Las|Der|Die|Das|Det|Den|De|Un|Une)((?: \(.*\))?)$"


def with_parsed_titles(movies: pl.DataFrame) -> pl.DataFrame:
    """Parse the columns Title and Genres of movies.csv, and add the column Year.

    "Title, The (1995)" with "Drama | War" becomes Title "The Title (1995)", Year 1995 and Genres ["Drama", "War"].
    """
    without_year = pl.col("Title").str.replace(YEAR, "")
    year = pl.col("Title").str.extract(YEAR)
    article_first = without_year.str.replace(ARTICLE_LAST, "${2} ${1}${3}").str.replace("^L' ", "L'")
    genre = pl.element()
    genres = (
        pl.col("Genres")
        .str.split("|")
        .list.eval(genre.str.strip_chars())
        .list.eval(genre.filter((genre != "") & (genre != NO_GENRES)))
    )
    parsed = movies.with_columns(
        Title=pl.when(year.is_null())
        .then(article_first)
        .otherwise((article_first + " (" + year + ")").str.strip_chars_start()),
        Year=year.cast(pl.Int32),
        Genres=genres,
    )
    return unify_genres(parsed)


def parse_name(title: str) -> tuple[str, int | None]:
    """Return the name and the year of one title in the form of MovieLens' files, such as "Matrix, The (1999)"."""
    found = re.search(YEAR, title)
    name = title[: found.start()] if found else title
    return re.sub(ARTICLE_LAST, r"\2 \1\3", name.strip()), int(found[1]) if found else None


def genre_key(genre: str) -> str:
    """Return what the spellings of one genre have in common: they differ in case, blanks and forms of letters."""
    return " ".join(unicodedata.normalize("NFKC", genre).casefold().split())


def unify_genres(movies: pl.DataFrame, preferred: Iterable[str] = ()) -> pl.DataFrame:
    """Give every genre one spelling in all movies, whose column Genres is a list, and no movie a genre twice.

    It is the one in `preferred` or, for a genre that isn't there, the one that most movies have; of two that equally
    many have, the first in alphabetical order.
    """
    counts = movies["Genres"].explode().drop_nulls().value_counts().rows()
    spelling: dict[str, str] = {}
    for genre, _ in sorted(counts, key=lambda counted: (-counted[1], counted[0])):
        spelling.setdefault(genre_key(genre), genre.strip())
    spelling |= {genre_key(genre): genre for genre in preferred}
    other = {genre: spelling[genre_key(genre)] for genre, _ in counts}
    respelt = {genre: spelt for genre, spelt in other.items() if genre != spelt}
    genres = pl.col("Genres")
    if respelt:
        genres = genres.list.eval(pl.element().replace(list(respelt), list(respelt.values())))
    return movies.with_columns(Genres=genres.list.unique(maintain_order=True))


def to_file_form(movies: pl.DataFrame) -> pl.DataFrame:
    """Return parsed movies as MovieID, Title and Genres in a form that `with_parsed_titles` parses to the same."""
    genres = (
        pl.when(pl.col("Genres").list.len() == 0)
        .then(pl.lit(NO_GENRES))
        .otherwise(pl.col("Genres").list.join("|"))
    )
    return movies.select(MOVIE_ID, "Title", Genres=genres)
