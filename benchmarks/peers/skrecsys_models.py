"""skrecsys: EASE and ItemKNN with a weight of 1 for every interaction, as in skrecsys' own benchmark on ML-1M."""

import numpy as np
import polars as pl
from skrecsys.recommendation import EASE, ItemKNNRecommender

from benchmarks.peers.recommend import FittedPeer, PeerTask, lists_by_user

PACKAGES = ("skrecsys", "numpy", "scipy", "scikit-learn")


def fit(task: PeerTask) -> FittedPeer:
    """Fit `skrecsys ease` or `skrecsys item-knn` with the options of skrecsys' own constructor."""
    kind = {"skrecsys ease": EASE, "skrecsys item-knn": ItemKNNRecommender}[task.model]
    model = kind(n_jobs=1, **task.options)
    model.fit(task.train.select("UserID", "MovieID").to_numpy())
    users = task.train["UserID"].unique().sort().to_numpy()

    def recommend(queries: pl.DataFrame) -> pl.DataFrame:
        movies, scores = model.recommend(users, n_recommendations=task.k)
        lists = pl.DataFrame(
            {
                "UserID": np.repeat(users, task.k),
                "rank": np.tile(np.arange(1, task.k + 1), len(users)),
                "MovieID": movies.ravel(),
            }
        )
        return lists_by_user(queries, lists.filter(np.isfinite(scores.ravel())))

    return FittedPeer(recommend)
