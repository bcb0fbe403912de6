"""The catalog of a server: the movies that the model was fitted on, then those added to the store since."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from nextreel.arrays import BoolArray, Float32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.ids import encode_ids
from nextreel.data.schema import MOVIE_ID, MOVIES
from nextreel.data.titles import unify_genres, with_parsed_titles
from nextreel.ranking.catalog_similarity import CatalogSimilarity
from nextreel.ranking.genres import list_genres, share_genres
from nextreel.serving.inference.movie_cards import MovieCard, make_cards


@dataclass(frozen=True, eq=False)
class Catalog:
    """Movies by index. Adding movies gives another catalog, in which the earlier movies keep their indices."""

    movies: pl.DataFrame
    """MovieID, Title (in display form, "The Matrix" for "Matrix, The"), Genres (list) and Year of each movie."""
    n_learned: int
    """Number of movies that the model was fitted on; they come first."""
    deleted: frozenset[int] = frozenset()
    """MovieIDs, or their codes, of deleted movies: histories may hold ratings of them, but nothing shows them."""

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        """Return the catalog of the data set that a model was fitted on."""
        return cls(dataset.movies, dataset.n_movies)

    def with_added(self, added: pl.DataFrame, deleted: Sequence[int] = ()) -> Self:
        """Return the model's own movies followed by `added`, a frame in the form of movies.csv.

        An added movie with a MovieID of the model's own movies is left out. Movies that this catalog has keep their
        indices; one that `added` lacks now counts as deleted, like those whose MovieIDs, or codes, are in `deleted`.
        """
        learned, earlier = self.movies.head(self.n_learned), self.movies.slice(self.n_learned)
        schema = pl.Schema({**MOVIES.schema, MOVIE_ID: learned.schema[MOVIE_ID]})
        parsed = with_parsed_titles(added.select(schema.names()).cast(schema)).cast(learned.schema)
        parsed = parsed.join(learned, on=MOVIE_ID, how="anti", maintain_order="left")
        gone = earlier.join(parsed, on=MOVIE_ID, how="anti", maintain_order="left")
        kept = earlier.select(MOVIE_ID).join(
            pl.concat([parsed, gone]), on=MOVIE_ID, how="left", maintain_order="left"
        )
        new = parsed.join(earlier, on=MOVIE_ID, how="anti", maintain_order="left")
        movies = pl.concat([learned, unify_genres(pl.concat([kept, new]), list_genres(learned))])
        return type(self)(movies, self.n_learned, frozenset([*deleted, *encode_ids(gone[MOVIE_ID]).tolist()]))

    def equals(self, other: Self) -> bool:
        """Return whether both hold the same movies, of which the same are deleted."""
        return self.deleted == other.deleted and self.movies.equals(other.movies)

    def has_all(self, interactions: pl.DataFrame) -> bool:
        """Return whether the catalog has every movie of a frame of rows of the store, whose MovieIDs are numbers."""
        return bool((self.find(interactions[MOVIE_ID].to_numpy()) >= 0).all())

    def __len__(self) -> int:
        return len(self.movies)

    def find(self, movie_ids: npt.NDArray[np.integer]) -> Int64Array:
        """Return int64[n]: the index of each MovieID, or code of one, -1 for one that isn't in the catalog."""
        if not len(self):
            return np.full(len(movie_ids), -1, dtype=np.int64)
        place = np.searchsorted(self.movie_ids, movie_ids, sorter=self._by_id)
        index = self._by_id[np.minimum(place, len(self) - 1)]
        return np.where(self.movie_ids[index] == movie_ids, index, -1)

    def find_listed(self, movie_ids: npt.NDArray[np.integer]) -> Int64Array:
        """Do as `find`, but return -1 for a deleted movie too."""
        index = self.find(movie_ids)
        return np.where((index >= 0) & ~self.is_deleted[index], index, -1) if self.deleted else index

    @cached_property
    def is_deleted(self) -> BoolArray:
        """bool[n_movies]: whether each movie is deleted."""
        return np.isin(self.movie_ids, list(self.deleted))

    @cached_property
    def listed(self) -> pl.DataFrame:
        """The movies that aren't deleted, in the form of `movies`."""
        return self.movies.filter(~self.is_deleted) if self.deleted else self.movies

    @cached_property
    def movie_ids(self) -> Int64Array:
        """int64[n_movies]: MovieID of each index, or the code of a text id; those of the model's own movies ascend."""
        return encode_ids(self.movies[MOVIE_ID])

    @cached_property
    def cards(self) -> list[MovieCard]:
        """The card of each movie, as the API and the page show it; the position in the list is the movie's index."""
        return make_cards(self.movies)

    @cached_property
    def genres(self) -> list[str]:
        """All genres of the movies that aren't deleted, sorted."""
        return list_genres(self.listed)

    @cached_property
    def years(self) -> tuple[int, int] | None:
        """The earliest and the latest year of a movie that isn't deleted; None if no movie has a year."""
        years = self.listed["Year"].drop_nulls().to_list()
        return (min(years), max(years)) if years else None

    @cached_property
    def genre_shares(self) -> Float32Array:
        """float32[n_movies, n_genres]: each movie divides one share equally among its genres."""
        return share_genres(self.movies)

    @cached_property
    def similarity(self) -> CatalogSimilarity:
        """How alike the movies are by their genres and years."""
        return CatalogSimilarity.of(self.movies)

    @cached_property
    def _by_id(self) -> Int64Array:
        return np.argsort(self.movie_ids, kind="stable")
