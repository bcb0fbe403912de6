"""The catalog of a server: the movies that the model was fitted on, then those added to the store since."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from nextreel.arrays import Float32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.schema import MOVIE_ID, MOVIES
from nextreel.data.titles import with_parsed_titles
from nextreel.ranking.genres import list_genres, share_genres, unit_rows
from nextreel.serving.inference.movie_cards import MovieCard, make_cards


@dataclass(frozen=True, eq=False)
class Catalog:
    """Movies by index. Adding movies gives another catalog, in which the earlier movies keep their indices."""

    movies: pl.DataFrame
    """MovieID, Title (in display form, "The Matrix" for "Matrix, The"), Genres (list) and Year of each movie."""
    n_learned: int
    """Number of movies that the model was fitted on; they come first."""

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        """Return the catalog of the data set that a model was fitted on."""
        return cls(dataset.movies, dataset.n_movies)

    def with_added(self, added: pl.DataFrame) -> Self:
        """Return the model's own movies followed by `added`, a frame in the form of movies.csv.

        An added movie with a MovieID of the model's own movies is left out.
        """
        learned = self.movies.head(self.n_learned)
        new = added.select(MOVIES.schema.names()).cast(MOVIES.schema)
        new = with_parsed_titles(new.join(learned, on=MOVIE_ID, how="anti", maintain_order="left"))
        return type(self)(pl.concat([learned, new.cast(learned.schema)]), self.n_learned)

    def __len__(self) -> int:
        return len(self.movies)

    def find(self, movie_ids: npt.NDArray[np.integer]) -> Int64Array:
        """Return int64[n]: the index of each MovieID, -1 for one that isn't in the catalog."""
        if not len(self):
            return np.full(len(movie_ids), -1, dtype=np.int64)
        place = np.searchsorted(self.movie_ids, movie_ids, sorter=self._by_id)
        index = self._by_id[np.minimum(place, len(self) - 1)]
        return np.where(self.movie_ids[index] == movie_ids, index, -1)

    @cached_property
    def movie_ids(self) -> Int64Array:
        """int64[n_movies]: MovieID of each index; only those of the model's own movies are sure to ascend."""
        return self.movies[MOVIE_ID].to_numpy()

    @cached_property
    def cards(self) -> list[MovieCard]:
        """The card of each movie, as the API and the page show it; the position in the list is the movie's index."""
        return make_cards(self.movies)

    @cached_property
    def genres(self) -> list[str]:
        """All genres that occur in the catalog, sorted."""
        return list_genres(self.movies)

    @cached_property
    def years(self) -> tuple[int, int] | None:
        """The earliest and the latest year of a movie; None if no movie has a year."""
        years = self.movies["Year"].drop_nulls().to_list()
        return (min(years), max(years)) if years else None

    @cached_property
    def genre_shares(self) -> Float32Array:
        """float32[n_movies, n_genres]: each movie divides one share equally among its genres."""
        return share_genres(self.movies)

    @cached_property
    def genre_directions(self) -> Float32Array:
        """float32[n_movies, n_genres]: `genre_shares` with the row of each movie scaled to length 1."""
        return unit_rows(self.genre_shares)

    @cached_property
    def _by_id(self) -> Int64Array:
        return np.argsort(self.movie_ids, kind="stable")
