"""A fitted model with the interactions that histories come from: queries in, recommended MovieIDs out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from numbers import Integral

import numpy as np
import polars as pl

from nextreel.data.dataset import Dataset, require_dataset
from nextreel.data.ids import encode_ids
from nextreel.data.schema import (
    DTYPES,
    EXPECTED,
    MOVIE_ID,
    QUERIES,
    TIMESTAMP,
    USER_ID,
    Column,
    Kind,
)
from nextreel.data.value_checks import explain_cell, find_invalid
from nextreel.errors import QueryError
from nextreel.models.base import Recommender, require_model
from nextreel.ranking.ranker import Ranker, Ranking


@dataclass(frozen=True)
class Predictor:
    """Recommends movies with a fitted model.

    Raises ConfigError for a `model` that is no model, and DataError for a `dataset` that is no dataset.
    """

    model: Recommender
    """The fitted model, which scores the movies."""
    dataset: Dataset
    """The interactions that histories are cut from. They may be newer than those that the model was
    fitted on; the catalog must be the one that the model was fitted on."""

    def __post_init__(self) -> None:
        require_model(self.model)
        require_dataset(self.dataset)

    def recommend(
        self, queries: pl.DataFrame | Sequence[tuple[int, int]], k: int = 10, exclude_seen: bool = True
    ) -> pl.DataFrame:
        """Recommend k movies for each query, as one row for each movie.

        A query only uses what happened strictly before its Timestamp.

        Parameters
        ----------
        queries : pl.DataFrame | Sequence[tuple[int, int]]
            A frame with the columns UserID and Timestamp (POSIX seconds), or pairs of these.
        k : int
            Number of movies for each query, at most the number of movies in the catalog.
        exclude_seen : bool
            Don't recommend movies that the user has rated before.

        Returns
        -------
        A frame with the columns UserID, Timestamp, Rank (from 1), MovieID, Score and Fallback: k rows for each query,
        in the order of the queries. Fallback is null for a movie that the model recommends, "popularity" if the model
        doesn't know the user, and "list filled up" (without a Score) if fewer than k movies were left to recommend.

        Raises
        ------
        QueryError
            A query isn't valid (the message names its position), or k is out of range.
        """
        queries = make_query_frame(queries, self.dataset)
        ranking = self._rank_queries(queries, k, exclude_seen)
        is_filler = np.isneginf(ranking.scores).ravel()
        fallback = np.where(np.repeat(ranking.personal, k), "", "popularity")
        return pl.DataFrame(
            {
                USER_ID: queries[USER_ID][np.repeat(np.arange(len(queries)), k)],
                TIMESTAMP: np.repeat(queries[TIMESTAMP].to_numpy(), k),
                "Rank": np.tile(np.arange(1, k + 1, dtype=np.int32), len(queries)),
                MOVIE_ID: self.dataset.movies[MOVIE_ID][ranking.movies.ravel()],
                "Score": pl.Series(ranking.scores.ravel()).replace(-np.inf, None),
                "Fallback": pl.Series(np.where(is_filler, "list filled up", fallback)).replace("", None),
            }
        )

    def recommend_wide(
        self, queries: pl.DataFrame, k: int = 10, exclude_seen: bool = True, with_fallback: bool = False
    ) -> pl.DataFrame:
        """Recommend k movies for each query, as one row for each query.

        The parameters and the errors are those of `recommend`.

        Returns
        -------
        A frame with the columns UserID, Timestamp and MovieID1 (the best) to MovieIDk, in the order of the queries;
        with `with_fallback` also Fallback ("popularity" if the model doesn't know the user, or null) and Shortfall
        (the number of movies at the end of the list that only fill it up).
        """
        queries = make_query_frame(queries, self.dataset)
        ranking = self._rank_queries(queries, k, exclude_seen)
        movie_ids = self.dataset.movies[MOVIE_ID]
        columns = {f"{MOVIE_ID}{place + 1}": movie_ids[ranking.movies[:, place]] for place in range(k)}
        answers = queries.with_columns(**columns)
        if not with_fallback:
            return answers
        return answers.with_columns(
            Fallback=pl.Series(np.where(ranking.personal, "", "popularity")).replace("", None),
            Shortfall=np.isneginf(ranking.scores).sum(axis=1).astype(np.int32),
        )

    @cached_property
    def ranker(self) -> Ranker:
        """The ranker of this model and dataset, which works with movie indices instead of MovieIDs."""
        return Ranker.of(self.model, self.dataset)

    def _rank_queries(self, queries: pl.DataFrame, k: int, exclude_seen: bool) -> Ranking:
        user_ids, timestamps = encode_ids(queries[USER_ID]), queries[TIMESTAMP].to_numpy()
        return self.ranker.rank(self.dataset.histories(user_ids, timestamps), timestamps, k, exclude_seen)


def make_query_frame(queries: object, dataset: Dataset) -> pl.DataFrame:
    """Return queries as a frame with UserID and Timestamp (int64), in the given order.

    Raises
    ------
    QueryError
        `queries` is neither a frame nor an iterable of pairs, or one of them isn't a valid query; the message names
        the first such query and what was expected.
    """
    columns = _columns_of_queries(dataset)
    if isinstance(queries, pl.DataFrame):
        return _check_frame(queries, columns)
    if isinstance(queries, str) or not isinstance(queries, Iterable):
        raise QueryError(
            f"queries is {queries!r}; expected pairs (UserID, Timestamp) or a polars DataFrame of them"
        )
    pairs = [_check_pair(position, query, columns) for position, query in enumerate(queries)]
    return pl.DataFrame(pairs, schema={c.name: DTYPES[c.kind] for c in columns}, orient="row")


def _columns_of_queries(dataset: Dataset) -> tuple[Column, ...]:
    """Return the columns of queries, with the kind of the data set's UserIDs."""
    kind: Kind = "text id" if dataset.format.user_ids == "text" else "id"
    return tuple(replace(c, kind=kind) if c.name == USER_ID else c for c in QUERIES.columns)


def _check_frame(queries: pl.DataFrame, columns: tuple[Column, ...]) -> pl.DataFrame:
    for column in columns:
        dtype = queries.schema.get(column.name)
        if dtype is None:
            raise QueryError(f"queries: column {column.name} is missing; found {', '.join(queries.columns)}")
        is_right = dtype == pl.String if column.kind == "text id" else dtype.is_integer()
        if not (is_right or dtype == pl.Null):
            expected = f"{DTYPES[column.kind]}, {EXPECTED[column.kind]}"
            raise QueryError(f"queries: column {column.name} has type {dtype}; expected {expected}")
        for row, value in find_invalid(queries.select(column.name), QUERIES, column).head(1).iter_rows():
            raise QueryError(f"queries[{row - 1}], {column.name}: {_find_problem(column, value)}")
    return queries.select(QUERIES.schema.names()).cast({c.name: DTYPES[c.kind] for c in columns})


def _check_pair(position: int, query: object, columns: tuple[Column, ...]) -> list[int | str]:
    values = [] if isinstance(query, str | dict) or not isinstance(query, Iterable) else list(query)
    if len(values) != len(columns):
        expected = "expected a pair, UserID and Timestamp"
        raise QueryError(f"queries[{position}]: {query!r}; {expected}")
    for column, value in zip(columns, values, strict=True):
        if problem := _find_problem(column, value):
            raise QueryError(f"queries[{position}], {column.name}: {problem}")
    return [value if isinstance(value, str) else int(value) for value in values]


def _find_problem(column: Column, value: object) -> str:
    """Return what is wrong with a value; empty if it is valid."""
    if column.kind == "text id":
        if isinstance(value, str):
            return explain_cell(column.kind, value)
        return f"{value!r} is not a text; expected an id as text"
    if isinstance(value, Integral) and not isinstance(value, bool):
        return explain_cell(column.kind, str(value))
    hint = ", such as int(time.timestamp())" if isinstance(value, date) else ""
    return f"{value if hint else repr(value)} is not a whole number; expected {EXPECTED[column.kind]}{hint}"
