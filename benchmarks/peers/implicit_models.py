"""implicit: alternating least squares on confidences weighted by BM25, as implicit's own examples do it.

The option `threshold` keeps the ratings from there on (the MovieLens example: 4), every row counting as 1; `bm25`
gives the weighting its K1 and B, on movies x users as in the examples; `scale` multiplies the weights. The other
options are those of `AlternatingLeastSquares`.
"""

from typing import Any

import numpy as np
import polars as pl
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import bm25_weight
from scipy.sparse import csr_matrix

from benchmarks.peers.answer import Fitted, Task, lists_by_user

PACKAGES = ("implicit", "numpy", "scipy")


def fit(task: Task) -> Fitted:
    """`implicit als`."""
    options = dict(task.options)
    threshold, bm25, scale = options.pop("threshold", 0), options.pop("bm25"), options.pop("scale", 1)
    users, user = np.unique(task.train["UserID"].to_numpy(), return_inverse=True)
    movies, movie = np.unique(task.train["MovieID"].to_numpy(), return_inverse=True)
    learned = task.train["Rating"].to_numpy() >= threshold
    shape = (len(users), len(movies))
    seen = csr_matrix((np.ones(len(user), dtype=np.float32), (user, movie)), shape)
    counted = csr_matrix((np.ones(learned.sum(), dtype=np.float32), (user[learned], movie[learned])), shape)
    weights = (bm25_weight(counted.T, **bm25).T * scale).tocsr().astype(np.float32)
    model = AlternatingLeastSquares(random_state=task.seed, num_threads=1, **options)
    model.fit(weights, show_progress=False)
    with_history = np.flatnonzero(np.diff(counted.indptr))
    return Fitted(
        lambda queries: lists_by_user(queries, _recommend(model, with_history, seen, users, movies, task.k))
    )


def _recommend(model: Any, rows: Any, seen: csr_matrix, users: Any, movies: Any, k: int) -> pl.DataFrame:
    found, _ = model.recommend(rows, seen[rows], N=k, filter_already_liked_items=True)
    return pl.DataFrame(
        {
            "UserID": np.repeat(users[rows], k),
            "rank": np.tile(np.arange(1, k + 1), len(rows)),
            "MovieID": movies[found.ravel()],
        }
    )
