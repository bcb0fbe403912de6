"""A fitted model beside the interactions it answers from: the one path that every answer takes.

Evaluation, the command line and the course's notebook all come through `rank`: the model scores histories, movies
that the user has seen or that weren't out yet step back, and the k best remain. `recommend` cuts the histories
strictly before each query's moment.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from nextreel.data.dataset import Dataset
from nextreel.data.schema import MOVIE_ID, QUERIES, TIMESTAMP, USER_ID
from nextreel.data.timeline import FloatArray, Histories, Int64Array
from nextreel.errors import QueryError
from nextreel.models.base import Recommender
from nextreel.models.names import DEFAULT_MODEL
from nextreel.models.popularity import Popularity
from nextreel.models.registry import create_model
from nextreel.ranking.top_k import top_k

SCORES_AT_ONCE = 4_000_000
"""Scores computed per batch, to stay within a processor's cache and a laptop's memory."""


@dataclass(frozen=True)
class Ranking:
    """The k best movies of each query."""

    movies: npt.NDArray[np.int32]
    """int32[n_queries, k]: movie indices, best first."""
    scores: FloatArray
    """float32[n_queries, k]: -inf marks a movie that was only added to make the list full."""
    personal: npt.NDArray[np.bool_]
    """bool[n_queries]: the model's own answer; False is popularity's, for a user the model doesn't know."""


@dataclass(frozen=True)
class Predictor:
    """Answers queries with a fitted model.

    `dataset` supplies the histories. It may hold more than the model was fitted on (then the answers use what
    happened since), but its catalog must be the same.
    """

    model: Recommender
    dataset: Dataset

    def recommend(
        self, queries: pl.DataFrame | Sequence[tuple[int, int]], k: int = 10, exclude_seen: bool = True
    ) -> pl.DataFrame:
        """The k movies to watch next for each query (UserID, Timestamp), rows of a frame or pairs.

        Returns
        -------
        UserID, Timestamp, Rank (from 1), MovieID, Score, Fallback; k rows a query, in the order of the
        queries. Fallback is null for a personal answer, "popularity" for a user the model doesn't know, and
        "list filled up" (without a Score) where fewer than k movies were left.
        """
        if not isinstance(queries, pl.DataFrame):
            queries = pl.DataFrame(queries, schema=QUERIES.schema, orient="row")
        ranking = self._rank_queries(queries, k, exclude_seen)
        filler = np.isneginf(ranking.scores).ravel()
        fallback = np.where(np.repeat(ranking.personal, k), "", "popularity")
        return pl.DataFrame(
            {
                USER_ID: np.repeat(queries[USER_ID].to_numpy(), k),
                TIMESTAMP: np.repeat(queries[TIMESTAMP].to_numpy(), k),
                "Rank": np.tile(np.arange(1, k + 1, dtype=np.int32), len(queries)),
                MOVIE_ID: self.dataset.movie_ids[ranking.movies].ravel(),
                "Score": pl.Series(ranking.scores.ravel()).replace(-np.inf, None),
                "Fallback": pl.Series(np.where(filler, "list filled up", fallback)).replace("", None),
            }
        )

    def recommend_wide(self, queries: pl.DataFrame, k: int = 10, exclude_seen: bool = True) -> pl.DataFrame:
        """One row a query, in the order of the queries: UserID, Timestamp, MovieID1 (best) to MovieIDk."""
        ranking = self._rank_queries(queries, k, exclude_seen)
        movie_ids = self.dataset.movie_ids[ranking.movies]
        columns = {f"{MOVIE_ID}{place + 1}": movie_ids[:, place] for place in range(k)}
        return queries.select(USER_ID, TIMESTAMP).with_columns(**columns)

    def _rank_queries(self, queries: pl.DataFrame, k: int, exclude_seen: bool) -> Ranking:
        user_ids, at = queries[USER_ID].to_numpy(), queries[TIMESTAMP].to_numpy()
        return self.rank(self.dataset.histories(user_ids, at), at, k, exclude_seen)

    def rank(self, histories: Histories, at: Int64Array, k: int = 10, exclude_seen: bool = True) -> Ranking:
        """The same as arrays, for histories that were cut already: movie indices instead of MovieIDs."""
        if not 1 <= k <= self.dataset.n_movies:
            raise QueryError(
                f"k is {k}; the catalog has {self.dataset.n_movies} movies, so expected 1 to that"
            )
        movies = np.empty((len(at), k), dtype=np.int32)
        scores = np.empty((len(at), k), dtype=np.float32)
        personal = self.model.knows(histories)
        for batch in self._batches(at):
            batch_scores = self._score(histories[batch], at[batch], personal[batch])
            self._set_aside(batch_scores, histories[batch], at[batch], exclude_seen)
            movies[batch], scores[batch] = top_k(batch_scores, k)
        return Ranking(movies, scores, personal)

    def _batches(self, at: Int64Array) -> Iterator[Int64Array]:
        """Queries in order of time, since neighbours in time share most of the work of popularity."""
        by_time = np.argsort(at, kind="stable")
        size = max(1, SCORES_AT_ONCE // max(1, self.dataset.n_movies))
        return (by_time[start : start + size] for start in range(0, len(at), size))

    def _score(self, histories: Histories, at: Int64Array, personal: npt.NDArray[np.bool_]) -> FloatArray:
        if personal.all():
            return self.model.score(histories, at)
        scores = np.empty((len(at), self.dataset.n_movies), dtype=np.float32)
        if personal.any():
            scores[personal] = self.model.score(histories[personal], at[personal])
        scores[~personal] = self._popularity.score(histories[~personal], at[~personal])
        return scores

    def _set_aside(
        self, scores: FloatArray, histories: Histories, at: Int64Array, exclude_seen: bool
    ) -> None:
        if exclude_seen:
            query, row = histories.rows()
            scores[query, histories.timeline.movies[row]] = -np.inf
        if self._out_since.max(initial=0) >= at.min(initial=0):
            scores[self._out_since > at[:, None]] = -np.inf

    @cached_property
    def _popularity(self) -> Popularity:
        return Popularity().fit(self.dataset)

    @cached_property
    def _out_since(self) -> Int64Array:
        """int64[n_movies]: a movie is out from its year's first second, or from just after its first rating."""
        year = self.dataset.movies["Year"].fill_null(1)
        opened = pl.datetime(year, 1, 1, time_unit="us").dt.epoch("s")
        out_since = self.dataset.movies.select(opened.alias("second"))["second"].to_numpy().copy()
        first_rated = np.full(len(out_since), np.iinfo(np.int64).max)
        np.minimum.at(first_rated, self.dataset.timeline.movies, self.dataset.timeline.timestamps + 1)
        earlier: Int64Array = np.minimum(out_since, first_rated)
        return earlier


def fit(dataset: Dataset, model: str = DEFAULT_MODEL, **options: object) -> Predictor:
    """A predictor with the named model, fitted on the dataset; options are those of the model's config."""
    return Predictor(create_model(model, options).fit(dataset), dataset)
