"""LensKit: ItemKNN and ALS, both for implicit feedback, in LensKit's own top-n pipeline."""

import pandas as pd
import polars as pl
from lenskit.als import ImplicitMFScorer
from lenskit.batch import recommend
from lenskit.data import from_interactions_df
from lenskit.knn import ItemKNNScorer
from lenskit.pipeline import topn_pipeline
from lenskit.training import TrainingOptions

from benchmarks.peers.recommend import FittedPeer, PeerTask, lists_by_user

PACKAGES = ("lenskit", "numpy", "scipy", "pandas", "torch")


def fit(task: PeerTask) -> FittedPeer:
    """Fit `lenskit item-knn` or `lenskit implicit-mf` with the options of LensKit's own configuration."""
    kind = {"lenskit item-knn": ItemKNNScorer, "lenskit implicit-mf": ImplicitMFScorer}[task.model]
    rows = {
        "user_id": task.train["UserID"].to_numpy(),
        "item_id": task.train["MovieID"].to_numpy(),
        "rating": task.train["Rating"].to_numpy(),
    }
    pipeline = topn_pipeline(kind(**task.options), n=task.k)
    pipeline.train(from_interactions_df(pd.DataFrame(rows)), TrainingOptions(rng=task.seed))

    def recommend_lists(queries: pl.DataFrame) -> pl.DataFrame:
        users = queries["UserID"].unique(maintain_order=True).to_list()
        recommended = recommend(pipeline, users, n=task.k, n_jobs=1).to_df()
        columns = {"UserID": "user_id", "rank": "rank", "MovieID": "item_id"}
        lists = pl.DataFrame({ours: recommended[theirs].to_numpy() for ours, theirs in columns.items()})
        return lists_by_user(queries, lists)

    return FittedPeer(recommend_lists)
