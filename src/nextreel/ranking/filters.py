"""What a caller allows of the catalog: genres, years, and movies that mustn't come.

A movie passes if it has one of the genres asked for and none of those refused, its year lies within the bounds and
it isn't excluded by name. A movie of which the year or the genres aren't known fails a condition that asks for them.
"""

from dataclasses import dataclass

import polars as pl

from nextreel.arrays import BoolArray
from nextreel.data.schema import MOVIE_ID
from nextreel.errors import QueryError
from nextreel.ranking.genres import list_genres


@dataclass(frozen=True)
class Filters:
    """Conditions on the movies of an answer, all of which must hold; QueryError where they can't all hold."""

    include_genres: frozenset[str] = frozenset()
    """A movie has at least one of these, written in any case; empty asks for none."""
    exclude_genres: frozenset[str] = frozenset()
    """A movie has none of these."""
    year_min: int | None = None
    """First year that is allowed."""
    year_max: int | None = None
    """Last year that is allowed."""
    exclude: frozenset[int] = frozenset()
    """MovieIDs that mustn't come; one outside the catalog excludes nothing."""

    def __post_init__(self) -> None:
        if self.year_min is not None and self.year_max is not None and self.year_min > self.year_max:
            raise QueryError(
                f"year_min is {self.year_min} and year_max {self.year_max}: no year is in between"
            )
        refused = {genre.casefold() for genre in self.exclude_genres}
        both = sorted(genre for genre in self.include_genres if genre.casefold() in refused)
        if both:
            raise QueryError(f"{both[0]} is in include_genres and in exclude_genres: expected one of the two")

    def allowed(self, movies: pl.DataFrame) -> BoolArray | None:
        """bool[n_movies]: which rows of a dataset's `movies` pass; None if nothing is asked for.

        Raises QueryError for a genre that no movie has.
        """
        conditions = []
        if self.include_genres:
            conditions.append(_has_one_of(_spell_as_in(movies, self.include_genres)))
        if self.exclude_genres:
            conditions.append(~_has_one_of(_spell_as_in(movies, self.exclude_genres)).fill_null(False))
        if self.year_min is not None:
            conditions.append(pl.col("Year") >= self.year_min)
        if self.year_max is not None:
            conditions.append(pl.col("Year") <= self.year_max)
        if self.exclude:
            conditions.append(~pl.col(MOVIE_ID).is_in(list(self.exclude)))
        if not conditions:
            return None
        passes = pl.all_horizontal(conditions).fill_null(False)
        return movies.select(passes.alias("allowed"))["allowed"].to_numpy()


def _has_one_of(genres: list[str]) -> pl.Expr:
    return pl.any_horizontal(pl.col("Genres").list.contains(genre) for genre in genres)


def _spell_as_in(movies: pl.DataFrame, asked: frozenset[str]) -> list[str]:
    """The genres asked for as the catalog writes them."""
    known = list_genres(movies)
    spelling = {genre.casefold(): genre for genre in known}
    unknown = sorted(genre for genre in asked if genre.casefold() not in spelling)
    if unknown:
        raise QueryError(f"no movie has the genre {unknown[0]!r}; there are {', '.join(known) or 'none'}")
    return [spelling[genre.casefold()] for genre in sorted(asked)]
