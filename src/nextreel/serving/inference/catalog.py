"""The movies that can be recommended: those that the model learned, and behind them those added to the store since."""

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
from nextreel.serving.inference.movie_cards import Card, _show


@dataclass(frozen=True, eq=False)
class Catalog:
    """Movies by index; a catalog that grew is another one, whose first indices mean the same."""

    movies: pl.DataFrame
    """MovieID, Title (as shown), Genres (list), Year."""
    n_learned: int
    """Movies that the model learned; their indices come first."""

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        """The catalog of the data that a model learned from."""
        return cls(dataset.movies, dataset.n_movies)

    def with_added(self, added: pl.DataFrame) -> Self:
        """The learned movies with those of the store behind them; a movie that was learned meanwhile stays one."""
        learned = self.movies.head(self.n_learned)
        new = added.select(MOVIES.schema.names()).cast(MOVIES.schema)
        new = with_parsed_titles(new.join(learned, on=MOVIE_ID, how="anti", maintain_order="left"))
        return type(self)(pl.concat([learned, new.cast(learned.schema)]), self.n_learned)

    def __len__(self) -> int:
        return len(self.movies)

    def find(self, movie_ids: npt.NDArray[np.integer]) -> Int64Array:
        """int64[n]: index of each MovieID, -1 for one outside the catalog."""
        if not len(self):
            return np.full(len(movie_ids), -1, dtype=np.int64)
        place = np.searchsorted(self.movie_ids, movie_ids, sorter=self._by_id)
        index = self._by_id[np.minimum(place, len(self) - 1)]
        return np.where(self.movie_ids[index] == movie_ids, index, -1)

    @cached_property
    def movie_ids(self) -> Int64Array:
        """int64[n_movies]: MovieID of each index; ascending only among the learned ones."""
        return self.movies[MOVIE_ID].to_numpy()

    @cached_property
    def cards(self) -> list[Card]:
        """Each movie as answers show it, by index."""
        return _show(self.movies)

    @cached_property
    def genres(self) -> list[str]:
        """Every genre, sorted."""
        return list_genres(self.movies)

    @cached_property
    def genre_shares(self) -> Float32Array:
        """float32[n_movies, n_genres]: each movie's share of each genre."""
        return share_genres(self.movies)

    @cached_property
    def genre_directions(self) -> Float32Array:
        """float32[n_movies, n_genres]: the same as unit vectors."""
        return unit_rows(self.genre_shares)

    @cached_property
    def _by_id(self) -> Int64Array:
        return np.argsort(self.movie_ids, kind="stable")
