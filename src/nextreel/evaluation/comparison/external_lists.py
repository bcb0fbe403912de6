"""Recommendation lists of another recommender, read from a file.

The file has the form that `nextreel recommend --queries` writes: UserID, Timestamp, MovieID1 (best) to MovieIDk.
Popularity ranks the queries that have no row in the file, as it does for users whom a model doesn't know. The file is
refused if a list names a movie twice, a movie outside the catalog or, where seen movies are excluded, a movie in the
user's history.
"""

from pathlib import Path

import numpy as np
import polars as pl

from nextreel.arrays import Int32Array
from nextreel.data.data_format import DataFormat
from nextreel.data.ids import encode_ids
from nextreel.data.reading.table_reader import read_table
from nextreel.data.schema import MOVIE_ID, QUERIES, TIMESTAMP, USER_ID, Column, Kind, Table
from nextreel.errors import DataError, DataProblem
from nextreel.evaluation.protocol import EvaluationQueries
from nextreel.models.popularity import Popularity

KEY = [USER_ID, TIMESTAMP]


def read_external_lists(
    file: Path, queries: EvaluationQueries, k: int, exclude_seen: bool = True
) -> tuple[Int32Array, int]:
    """Read the recommendation lists of the queries from a file.

    Parameters
    ----------
    file : Path
        CSV or Parquet.
    queries : EvaluationQueries
        The queries that the lists are for; rows of the file for other queries are ignored.
    k : int
        Length of the lists; longer ones are cut.
    exclude_seen : bool
        Whether a list that holds a movie in the user's history is an error.

    Returns
    -------
    int32[n_queries, k], int
        Movie indices, best first, and the number of queries that have a list in the file.

    Raises
    ------
    DataError
        The file is malformed, has two different lists for one query, or a list that isn't allowed.
    """
    names = [f"{MOVIE_ID}{rank}" for rank in range(1, k + 1)]
    rows = _read_rows(file, names, queries.dataset.format)
    matches = queries.rows.select(KEY).join(rows, on=KEY, how="left", maintain_order="left")
    in_file = matches[names[0]].is_not_null().to_numpy()
    lists = np.full((len(queries), k), -1, dtype=np.int32)
    ids = matches.filter(in_file).select(names)
    columns = [queries.dataset.index_of_movies(encode_ids(column)) for column in ids]
    lists[in_file] = np.column_stack(columns)
    _check_lists(file, ids, lists[in_file], queries[in_file], exclude_seen)
    if not in_file.all():
        popularity = Popularity().fit(queries.dataset)
        lists[~in_file] = queries[~in_file].rank_with(popularity, k, exclude_seen).movies
    return lists, int(in_file.sum())


def _read_rows(file: Path, names: list[str], format_: DataFormat) -> pl.DataFrame:
    """Read one row per query: UserID, Timestamp and the columns `names`; DataError for two different ones."""
    kind: Kind = "text id" if format_.movie_ids == "text" else "id"
    table = Table((), (*QUERIES.columns, *(Column(name, kind) for name in names)), needs_rows=True)
    rows = read_table(file, table, format_).unique(maintain_order=True)
    repeated = rows.filter(pl.struct(KEY).is_duplicated())
    if len(repeated):
        user, timestamp = repeated.row(0)[:2]
        raise DataError(f"{file.name} has two different lists for user {user} at {timestamp}")
    return rows


def _check_lists(
    file: Path, ids: pl.DataFrame, lists: Int32Array, queries: EvaluationQueries, exclude_seen: bool
) -> None:
    """Raise DataError for the first movie that a list may not hold; `ids` has the MovieIDs, `lists` the indices."""
    n_movies = queries.dataset.n_movies
    # One key per pair of query and movie.
    offsets = np.arange(len(lists))[:, None] * n_movies
    ascending = np.sort(lists, axis=1)
    repeated = np.zeros(lists.shape, dtype=np.bool_)
    repeated[:, 1:] = ascending[:, 1:] == ascending[:, :-1]
    query_of_row, row = queries.histories.rows()
    seen = query_of_row * n_movies + queries.dataset.timeline.movies[row]
    problems = {
        "is outside the catalog": lists < 0,
        "stands twice in one list": np.isin(offsets + lists, (offsets + ascending)[repeated]),
        "is in the user's history already": np.isin(offsets + lists, seen) & exclude_seen,
    }
    for problem, wrong in problems.items():
        if wrong.any():
            query, place = (int(first[0]) for first in np.nonzero(wrong))
            user, timestamp = queries.rows[USER_ID][query], int(queries.timestamps[query])
            message = f"movie {ids[query, place]} {problem} (user {user} at {timestamp})"
            raise DataError(
                [DataProblem(file.name, None, f"{MOVIE_ID}{place + 1}", message)], int(wrong.sum())
            )
