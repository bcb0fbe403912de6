"""Titles, years and genres as people read them, parsed from the form of MovieLens' files."""

import polars as pl

from nextreel.data.schema import MOVIE_ID

YEAR = r"\s*\((\d{4})\)\s*$"
NO_GENRES = "(no genres listed)"
ARTICLE_LAST = r"^(.*), (The|A|An|La|Le|Les|L'|Il|El|Los|Las|Der|Die|Das|Det|Den|De|Un|Une)((?: \(.*\))?)$"


def with_parsed_titles(movies: pl.DataFrame) -> pl.DataFrame:
    """Parse the columns Title and Genres of movies.csv, and add the column Year.

    "Title, The (1995)" with "Drama|War" becomes Title "The Title (1995)", Year 1995 and Genres ["Drama", "War"].
    """
    without_year = pl.col("Title").str.replace(YEAR, "")
    year = pl.col("Title").str.extract(YEAR)
    article_first = without_year.str.replace(ARTICLE_LAST, "${2} ${1}${3}").str.replace("^L' ", "L'")
    genres = (
        pl.col("Genres")
        .str.split("|")
        .list.eval(pl.element().filter((pl.element() != "") & (pl.element() != NO_GENRES)))
    )
    return movies.with_columns(
        Title=pl.when(year.is_null())
        .then(article_first)
        .otherwise((article_first + " (" + year + ")").str.strip_chars_start()),
        Year=year.cast(pl.Int32),
        Genres=genres,
    )


def to_file_form(movies: pl.DataFrame) -> pl.DataFrame:
    """Return parsed movies as MovieID, Title and Genres in a form that `with_parsed_titles` parses to the same."""
    genres = (
        pl.when(pl.col("Genres").list.len() == 0)
        .then(pl.lit(NO_GENRES))
        .otherwise(pl.col("Genres").list.join("|"))
    )
    return movies.select(MOVIE_ID, "Title", Genres=genres)
