"""implicit: alternating least squares with confidences weighted by BM25, as in implicit's own examples.

The option `threshold` is the lowest rating that is kept (4 in implicit's MovieLens example); every kept rating counts
as 1. `bm25` has the parameters K1 and B of the weighting, which is computed on movies x users as in the examples.
`scale` multiplies the weights. All other options are passed on to `AlternatingLeastSquares`.
"""

from typing import Any

import numpy as np
import polars as pl
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import bm25_weight
from scipy.sparse import csr_matrix

from benchmarks.peers.recommend import FittedPeer, PeerTask, lists_by_user

PACKAGES = ("implicit", "numpy", "scipy")


def fit(task: PeerTask) -> FittedPeer:
    """Fit `implicit als`."""
    options = dict(task.options)
    threshold, bm25, scale = options.pop("threshold", 0), options.pop("bm25"), options.pop("scale", 1)
    users, user = np.unique(task.train["UserID"].to_numpy(), return_inverse=True)
    movies, movie = np.unique(task.train["MovieID"].to_numpy(), return_inverse=True)
    is_kept = task.train["Rating"].to_numpy() >= threshold
    shape = (len(users), len(movies))
    seen = csr_matrix((np.ones(len(user), dtype=np.float32), (user, movie)), shape)
    kept = csr_matrix((np.ones(is_kept.sum(), dtype=np.float32), (user[is_kept], movie[is_kept])), shape)
    weights = (bm25_weight(kept.T, **bm25).T * scale).tocsr().astype(np.float32)
    model = AlternatingLeastSquares(random_state=task.seed, num_threads=1, **options)
    model.fit(weights, show_progress=False)
    with_history = np.flatnonzero(np.diff(kept.indptr))
    return FittedPeer(
        lambda queries: lists_by_user(queries, _recommend(model, with_history, seen, users, movies, task.k))
    )


def _recommend(model: Any, rows: Any, seen: csr_matrix, users: Any, movies: Any, k: int) -> pl.DataFrame:
    indices, _ = model.recommend(rows, seen[rows], N=k, filter_already_liked_items=True)
    return pl.DataFrame(
        {
            "UserID": np.repeat(users[rows], k),
            "rank": np.tile(np.arange(1, k + 1), len(rows)),
            "MovieID": movies[indices.ravel()],
        }
    )
