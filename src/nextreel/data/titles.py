"""Titles, years and genres as people write them, from the form of MovieLens."""

import polars as pl

YEAR = r"\s*\((\d{4})\)\s*$"
ARTICLE_LAST = r"^(.*), (The|A|An|La|Le|Les|L'|Il|El|Los|Las|Der|Die|Das|Det|Den|De|Un|Une)((?: \(.*\))?)$"


def with_parsed_titles(movies: pl.DataFrame) -> pl.DataFrame:
    """Make of "Title, The (1995)", "Drama|War": Title "The Title (1995)", Year 1995, Genres [Drama, War]."""
    bare = pl.col("Title").str.replace(YEAR, "")
    year = pl.col("Title").str.extract(YEAR)
    shown = bare.str.replace(ARTICLE_LAST, "${2} ${1}${3}").str.replace("^L' ", "L'")
    listed = (
        pl.col("Genres")
        .str.split("|")
        .list.eval(pl.element().filter((pl.element() != "") & (pl.element() != "(no genres listed)")))
    )
    return movies.with_columns(
        Title=pl.when(year.is_null())
        .then(shown)
        .otherwise((shown + " (" + year + ")").str.strip_chars_start()),
        Year=year.cast(pl.Int32),
        Genres=listed,
    )
