"""ContestantRun of any other recommender, from a file: judged as our own are.

The file has the form that `nextreel recommend --queries` writes: UserID, Timestamp, MovieID1 (best) to MovieIDk. A
query without a row is answered by popularity as of its moment, as for a model that doesn't know the user. A list that
names a movie twice, one outside the catalog or, where seen movies are excluded, one that the user has seen is refused.
"""

from pathlib import Path

import numpy as np
import polars as pl

from nextreel.arrays import Int32Array, Int64Array
from nextreel.data.reading.table_reader import read_table
from nextreel.data.schema import MOVIE_ID, QUERIES, TIMESTAMP, USER_ID, Column, Table
from nextreel.errors import DataError, DataProblem
from nextreel.evaluation.protocol import EvaluationQueries
from nextreel.models.popularity import Popularity

KEY = [USER_ID, TIMESTAMP]


def read_lists(
    file: Path, questions: EvaluationQueries, k: int, exclude_seen: bool = True
) -> tuple[Int32Array, int]:
    """int32[n_queries, k], movie indices by rank, and how many of the queries the file answers.

    Raises DataError for a file or a list that isn't as it should be.
    """
    names = [f"{MOVIE_ID}{place}" for place in range(1, k + 1)]
    table = Table((), (*QUERIES.columns, *(Column(name, "id") for name in names)), needs_rows=True)
    rows = read_table(file, table).unique(maintain_order=True)
    again = rows.filter(pl.struct(KEY).is_duplicated())
    if len(again):
        user, moment = again.row(0)[:2]
        raise DataError(f"{file.name} answers user {user} at {moment} with two different lists")
    asked = questions.queries.select(KEY).join(rows, on=KEY, how="left", maintain_order="left")
    answered = asked[names[0]].is_not_null().to_numpy()
    lists = np.full((len(questions), k), -1, dtype=np.int32)
    ids = asked.filter(answered).select(names).to_numpy()
    lists[answered] = questions.dataset.index_of_movies(ids.ravel()).reshape(ids.shape)
    _check(file, ids, lists[answered], questions[answered], exclude_seen)
    if not answered.all():
        popularity = Popularity().fit(questions.dataset)
        lists[~answered] = questions[~answered].rank_with(popularity, k, exclude_seen).movies
    return lists, int(answered.sum())


def _check(
    file: Path,
    ids: Int64Array,
    lists: Int32Array,
    questions: EvaluationQueries,
    exclude_seen: bool,
) -> None:
    n_movies = questions.dataset.n_movies
    in_order = np.sort(lists, axis=1)
    of_query = np.arange(len(lists))[:, None] * n_movies
    owner, row = questions.histories.rows()
    seen = owner * n_movies + questions.dataset.timeline.movies[row]
    twice = np.zeros(lists.shape, dtype=np.bool_)
    twice[:, 1:] = in_order[:, 1:] == in_order[:, :-1]
    wrongs = {
        "is outside the catalog": lists < 0,
        "stands twice in one list": np.isin(of_query + lists, (of_query + in_order)[twice]),
        "was seen by the user before": np.isin(of_query + lists, seen) & exclude_seen,
    }
    for what, wrong in wrongs.items():
        if wrong.any():
            query, place = (int(first[0]) for first in np.nonzero(wrong))
            user, moment = questions.queries.row(query)[0], int(questions.timestamps[query])
            message = f"movie {ids[query, place]} {what} (user {user} at {moment})"
            raise DataError(
                [DataProblem(file.name, None, f"{MOVIE_ID}{place + 1}", message)], int(wrong.sum())
            )
