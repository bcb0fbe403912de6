"""Filters that a caller sets on the catalog: genres, years, and movies to leave out.

A movie passes if it has one of the included genres and none of the excluded ones, its year is within the bounds, and
it isn't itself excluded. A movie whose year or genres are unknown fails a condition that requires them.
"""

from dataclasses import dataclass

import polars as pl

from nextreel.arrays import BoolArray
from nextreel.data.ids import Id
from nextreel.data.schema import MOVIE_ID
from nextreel.data.titles import genre_key
from nextreel.errors import QueryError
from nextreel.ranking.genres import list_genres


@dataclass(frozen=True)
class Filters:
    """Conditions that every recommended movie must meet; raises QueryError for conditions that exclude each other."""

    include_genres: frozenset[str] = frozenset()
    """Genres of which a movie must have at least one, in any case, with or without blanks; empty for no condition."""
    exclude_genres: frozenset[str] = frozenset()
    """Genres of which a movie must have none, in any case, with or without blanks."""
    year_min: int | None = None
    """Earliest year that a movie may have; None for no condition."""
    year_max: int | None = None
    """Latest year that a movie may have; None for no condition."""
    exclude: frozenset[Id] = frozenset()
    """MovieIDs of movies to leave out; those that aren't in the catalog have no effect."""

    def __post_init__(self) -> None:
        if self.year_min is not None and self.year_max is not None and self.year_min > self.year_max:
            raise QueryError(
                f"year_min is {self.year_min} and year_max {self.year_max}: no year is in between"
            )
        excluded = {genre_key(genre) for genre in self.exclude_genres}
        both = sorted(genre.strip() for genre in self.include_genres if genre_key(genre) in excluded)
        if both:
            raise QueryError(f"{both[0]} is in include_genres and in exclude_genres: expected one of the two")

    def allowed(self, movies: pl.DataFrame) -> BoolArray | None:
        """Return bool[n_movies], which rows of a dataset's `movies` pass; None if there are no conditions.

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


def _spell_as_in(movies: pl.DataFrame, genres: frozenset[str]) -> list[str]:
    """Return genres in all spellings that the movies have, sorted. Raises QueryError for an unknown genre."""
    catalog_genres = list_genres(movies)
    wanted = {genre_key(genre) for genre in genres}
    known = {genre_key(genre) for genre in catalog_genres}
    unknown = sorted(genre.strip() for genre in genres if genre_key(genre) not in known)
    if unknown:
        expected = (
            f"expected one of {', '.join(catalog_genres)}" if catalog_genres else "the catalog has no genres"
        )
        raise QueryError(f"no movie has the genre {unknown[0]!r}; {expected}")
    return [genre for genre in catalog_genres if genre_key(genre) in wanted]
