"""Titles, years and genres as people write them, from the form of MovieLens."""

import polars as pl

from nextreel.data.schema import MOVIE_ID

YEAR = r"\s*\((\d{4})\)\s*$"
NO_GENRES = "(no genres listed)"
ARTICLE_LAST = r"^(.*), (The|A|An|La|Le|Les|L'|Il|El|Los|Las|Der|Die|Das|Det|Den|De|Un|Une)((?: \(.*\))?)$"


def with_parsed_titles(movies: pl.DataFrame) -> pl.DataFrame:
    """Make of "Title, The (1995)", "Drama|War": Title "The Title (1995)", Year 1995, Genres [Drama, War]."""
    bare = pl.col("Title").str.replace(YEAR, "")
    year = pl.col("Title").str.extract(YEAR)
    shown = bare.str.replace(ARTICLE_LAST, "${2} ${1}${3}").str.replace("^L' ", "L'")
    listed = (
        pl.col("Genres")
        .str.split("|")
        .list.eval(pl.element().filter((pl.element() != "") & (pl.element() != NO_GENRES)))
    )
    return movies.with_columns(
        Title=pl.when(year.is_null())
        .then(shown)
        .otherwise((shown + " (" + year + ")").str.strip_chars_start()),
        Year=year.cast(pl.Int32),
        Genres=listed,
    )


def with_titles_of_files(movies: pl.DataFrame) -> pl.DataFrame:
    """The way back: MovieID, Title and Genres in a form of which `with_parsed_titles` makes the same again."""
    listed = (
        pl.when(pl.col("Genres").list.len() == 0)
        .then(pl.lit(NO_GENRES))
        .otherwise(pl.col("Genres").list.join("|"))
    )
    return movies.select(MOVIE_ID, "Title", Genres=listed)
