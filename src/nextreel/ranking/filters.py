"""Filters that a caller sets on the catalog: genres, years, and movies to leave out.

A movie passes if it has one of the included genres and none of the excluded ones, its year is within the bounds, and
it isn't itself excluded. A movie whose year or genres are unknown fails a condition that requires them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral
from typing import Self

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

    @classmethod
    def of_caller(
        cls,
        include_genres: Iterable[str] = (),
        exclude_genres: Iterable[str] = (),
        year_min: int | None = None,
        year_max: int | None = None,
    ) -> Self:
        """Return filters of values that nobody has checked; one genre as a text stands for a list of it.

        Raises
        ------
        QueryError
            A genre is no text, a year no whole number, or two conditions exclude each other.
        """
        return cls(
            include_genres=_check_genres(include_genres, "include_genres"),
            exclude_genres=_check_genres(exclude_genres, "exclude_genres"),
            year_min=_check_year(year_min, "year_min"),
            year_max=_check_year(year_max, "year_max"),
        )

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


def _check_genres(genres: object, name: str) -> frozenset[str]:
    if isinstance(genres, str):
        return frozenset([genres])
    if not isinstance(genres, Iterable):
        raise QueryError(f"{name} is {genres!r}; expected a list of genres")
    wanted = list(genres)
    for genre in wanted:
        if not isinstance(genre, str):
            raise QueryError(f"{name} holds {genre!r}; expected genres as text")
    return frozenset(wanted)


def _check_year(year: object, name: str) -> int | None:
    if year is None:
        return None
    if isinstance(year, Integral) and not isinstance(year, bool):
        return int(year)
    raise QueryError(f"{name} is {year!r}; expected a year as a whole number")


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
