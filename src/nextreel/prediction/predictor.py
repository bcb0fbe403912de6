"""A fitted model beside the interactions it answers from: queries in, lists of MovieIDs out.

`recommend` cuts the histories strictly before each query's moment; `Ranker` does the rest.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from numbers import Integral

import numpy as np
import polars as pl

from nextreel.data.dataset import Dataset, require_dataset
from nextreel.data.schema import EXPECTED, MOVIE_ID, QUERIES, TIMESTAMP, USER_ID, Column
from nextreel.data.value_checks import explain_cell, find_invalid
from nextreel.errors import QueryError
from nextreel.models.base import Recommender, require_model
from nextreel.ranking.ranker import Ranker, Ranking


@dataclass(frozen=True)
class Predictor:
    """Answers queries with a fitted model.

    `dataset` supplies the histories. It may hold more than the model was fitted on (then the answers use what
    happened since), but its catalog must be the same.
    """

    model: Recommender
    dataset: Dataset

    def __post_init__(self) -> None:
        require_model(self.model)
        require_dataset(self.dataset)

    def recommend(
        self, queries: pl.DataFrame | Sequence[tuple[int, int]], k: int = 10, exclude_seen: bool = True
    ) -> pl.DataFrame:
        """The k movies to watch next for each query (UserID, Timestamp), rows of a frame or pairs.

        Raises QueryError for what is no query, named by its place, and for a k beyond the catalog.

        Returns
        -------
        UserID, Timestamp, Rank (from 1), MovieID, Score, Fallback; k rows a query, in the order of the
        queries. Fallback is null for a personal answer, "popularity" for a user the model doesn't know, and
        "list filled up" (without a Score) where fewer than k movies were left.
        """
        queries = frame_queries(queries)
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
        queries = frame_queries(queries)
        ranking = self._rank_queries(queries, k, exclude_seen)
        movie_ids = self.dataset.movie_ids[ranking.movies]
        columns = {f"{MOVIE_ID}{place + 1}": movie_ids[:, place] for place in range(k)}
        return queries.with_columns(**columns)

    @cached_property
    def ranker(self) -> Ranker:
        """Ranks histories by movie index; the same path for every caller."""
        return Ranker.of(self.model, self.dataset)

    def _rank_queries(self, queries: pl.DataFrame, k: int, exclude_seen: bool) -> Ranking:
        user_ids, timestamps = queries[USER_ID].to_numpy(), queries[TIMESTAMP].to_numpy()
        return self.ranker.rank(self.dataset.histories(user_ids, timestamps), timestamps, k, exclude_seen)


def frame_queries(queries: object) -> pl.DataFrame:
    """UserID and Timestamp as int64, in the given order; QueryError names the first one that is no query."""
    if isinstance(queries, pl.DataFrame):
        return _check_frame(queries)
    if isinstance(queries, str) or not isinstance(queries, Iterable):
        found = f"{queries!r} holds no queries"
        raise QueryError(f"{found}; expected pairs (UserID, Timestamp) or a polars DataFrame of them")
    pairs = [_check_pair(number, query) for number, query in enumerate(queries)]
    return pl.DataFrame(pairs, schema=QUERIES.schema, orient="row")


def _check_pair(number: int, query: object) -> list[int]:
    values = [] if isinstance(query, str | dict) or not isinstance(query, Iterable) else list(query)
    if len(values) != len(QUERIES.columns):
        expected = "expected a pair of whole numbers, UserID and Timestamp"
        raise QueryError(f"queries[{number}]: {query!r}; {expected}")
    for column, value in zip(QUERIES.columns, values, strict=True):
        if reason := _explain(column, value):
            raise QueryError(f"queries[{number}], {column.name}: {reason}")
    return [int(value) for value in values]


def _check_frame(queries: pl.DataFrame) -> pl.DataFrame:
    for column in QUERIES.columns:
        dtype = queries.schema.get(column.name)
        if dtype is None:
            raise QueryError(f"queries: column {column.name} is missing; found {', '.join(queries.columns)}")
        if not (dtype.is_integer() or dtype == pl.Null):
            expected = f"{QUERIES.schema[column.name]}, {EXPECTED[column.kind]}"
            raise QueryError(f"queries: column {column.name} has type {dtype}; expected {expected}")
        for row, value in find_invalid(queries.select(column.name), QUERIES, column).head(1).iter_rows():
            raise QueryError(f"queries[{row - 1}], {column.name}: {_explain(column, value)}")
    return queries.select(QUERIES.schema.names()).cast(QUERIES.schema)


def _explain(column: Column, value: object) -> str:
    """What is wrong with a value, or nothing."""
    if isinstance(value, Integral) and not isinstance(value, bool):
        return explain_cell(column.kind, str(value))
    hint = ", such as int(moment.timestamp())" if isinstance(value, date) else ""
    return f"{value if hint else repr(value)} is no whole number; expected {EXPECTED[column.kind]}{hint}"
