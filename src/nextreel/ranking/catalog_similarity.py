"""How alike two movies are by the catalog: the cosine of their genres, which falls with the years between them."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl

from nextreel.arrays import Float32Array, Int64Array
from nextreel.ranking.genres import share_genres, unit_rows

YEAR_SCALE = 10
"""Number of years between two movies at which their similarity has fallen to 1 / e."""


@dataclass(frozen=True)
class CatalogSimilarity:
    """The genres and the years of a catalog's movies; `of` builds it.

    There are few combinations of genres and few years, so these are compared, not all movies.
    """

    combinations: Float32Array
    """float32[n_combinations, n_genres]: each combination of genres as a unit vector."""
    combination_of: Int64Array
    """int64[n_movies]: number of each movie's combination."""
    years: Float32Array
    """float32[n_years]: the different years of the movies, NaN if some are unknown."""
    year_of: Int64Array
    """int64[n_movies]: number of each movie's year."""

    @classmethod
    def of(cls, movies: pl.DataFrame) -> Self:
        """Build it from the catalog of a dataset."""
        genres = unit_rows(share_genres(movies))
        # Rows of bits, each one value to numpy: it takes over ten times as long to compare rows of numbers. The byte
        # that is added to each is for a catalog without genres.
        bits = np.pad(np.packbits(genres > 0, axis=1), ((0, 0), (0, 1)))
        rows = bits.view(f"V{bits.shape[1]}")[:, 0]
        _, first, combination_of = np.unique(rows, return_index=True, return_inverse=True)
        years, year_of = np.unique(movies["Year"].cast(pl.Float32).to_numpy(), return_inverse=True)
        return cls(genres[first], combination_of, years, year_of)

    def __len__(self) -> int:
        return len(self.year_of)

    def compare(self, movie: int) -> Float32Array:
        """Return the similarity of each movie to one, float32[n_movies] from 0 to 1; 0 if genres or years are unknown.

        `movie` is an index in the catalog.
        """
        by_genres = self.combinations @ self.combinations[self.combination_of[movie]]
        years_between = np.abs(self.years - self.years[self.year_of[movie]])
        by_years = np.nan_to_num(np.exp(years_between / np.float32(-YEAR_SCALE)))
        similarity: Float32Array = by_genres[self.combination_of] * by_years[self.year_of]
        return similarity
