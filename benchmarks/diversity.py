"""The cost of diversity and calibration: what each strength costs in NDCG, and how it changes the lists."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.run import Config, Result
from benchmarks.split_data import SplitData
from nextreel.arrays import Float32Array, Float64Array, Int32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.schema import MOVIE_ID, RATING, TIMESTAMP, USER_ID
from nextreel.data.splitting.split_rules import SplitRule
from nextreel.data.timeline import Histories
from nextreel.evaluation.bootstrap import estimate_mean
from nextreel.evaluation.metrics import ndcg, ranks_of, recall
from nextreel.evaluation.protocol import freeze_histories
from nextreel.models.base import Recommender
from nextreel.models.registry import create_model
from nextreel.ranking.genres import divergence, liked_genres, share_genres, variety
from nextreel.ranking.ranker import Ranker, Ranking
from nextreel.ranking.reranking import rerank

BATCH_SIZE = 1000
"""Maximum number of queries that are reranked at once, which bounds the memory."""


def measure(config: Config, data: Path) -> Result:
    """Return the metrics of the plain lists and of the lists reranked with each option and strength."""
    split = SplitData.read(data, SplitRule.for_rule(**config["split"]))
    train = split.train
    model = create_model(config["model"], config.get("options", {})).fit(train)
    queries = split.test.filter(pl.col(RATING) >= split.rule.threshold)
    return {
        "data": {"sha256": train.fingerprint, "queries": len(queries), "users": queries[USER_ID].n_unique()},
        "lists": compare_lists(model, train, queries, config),
    }


def compare_lists(model: Recommender, train: Dataset, queries: pl.DataFrame, config: Config) -> list[Result]:
    """Return the metrics of the plain lists, then of those of each option and strength, with frozen histories.

    "change" is the change of NDCG against the plain list of the same query. "variety" is 1 minus the mean cosine of the
    genres of two movies of a list; "miscalibration" is the divergence of a list's genres from those the user liked.
    """
    experiment = _RerankingExperiment.prepare(model, train, queries, config["k"], config["candidates"])
    return [experiment.describe()] + [
        experiment.describe(**{option: strength})
        for option in ("diversity", "calibration")
        for strength in config["strengths"]
    ]


@dataclass(frozen=True)
class _RerankingExperiment:
    """The queries with their candidates, which every strength reranks."""

    k: int
    users: Int64Array
    relevant: Int64Array
    histories: Histories
    candidates: Ranking
    genres: Float32Array
    """float32[n_movies, n_genres]: each movie's genres, which sum to 1."""
    liked: Float32Array
    """float32[n_queries, n_genres]: the genres that the user of each query liked."""
    plain_ndcg: Float64Array
    """float64[n_queries]: NDCG of the lists that aren't reranked."""

    @classmethod
    def prepare(
        cls, model: Recommender, train: Dataset, queries: pl.DataFrame, k: int, n_candidates: int
    ) -> "_RerankingExperiment":
        users, timestamps = queries[USER_ID].to_numpy(), queries[TIMESTAMP].to_numpy()
        relevant = train.index_of_movies(queries[MOVIE_ID].to_numpy())
        histories, genres = freeze_histories(train, users, timestamps), share_genres(train.movies)
        candidates = Ranker.of(model, train).rank(histories, timestamps, n_candidates)
        liked = liked_genres(histories, genres)
        plain_ndcg = ndcg(ranks_of(candidates.movies[:, :k], relevant), k)
        return cls(k, users, relevant, histories, candidates, genres, liked, plain_ndcg)

    def describe(self, **strengths: float) -> Result:
        """Return the metrics of the lists that are reranked with these strengths."""
        k, users = self.k, self.users
        calibrated = self.liked.any(axis=1)  # elsewhere the user liked no movie that has genres
        started = time.perf_counter()
        movies = self._rerank(strengths)
        seconds = time.perf_counter() - started
        ranks, list_genres = ranks_of(movies, self.relevant), self.genres[movies]
        miscalibration = divergence(self.liked, list_genres.sum(axis=1))[calibrated].astype(np.float64)
        metrics = {
            f"NDCG@{k}": ndcg(ranks, k),
            f"Recall@{k}": recall(ranks, k),
            "change": ndcg(ranks, k) - self.plain_ndcg,
            "variety": variety(list_genres).astype(np.float64),
        }
        return {
            **strengths,
            "metrics": {name: asdict(estimate_mean(values, users)) for name, values in metrics.items()}
            | {"miscalibration": asdict(estimate_mean(miscalibration, users[calibrated]))},
            "movies_recommended": len(np.unique(movies)),
            "seconds": round(seconds, 3),
        }

    def _rerank(self, strengths: dict[str, float]) -> Int32Array:
        n_queries = len(self.users)
        batches = np.array_split(np.arange(n_queries), 1 + n_queries // BATCH_SIZE)
        return np.concatenate(
            [
                rerank(
                    Ranking(
                        self.candidates.movies[batch],
                        self.candidates.scores[batch],
                        self.candidates.personal[batch],
                    ),
                    self.genres,
                    self.histories[batch],
                    self.k,
                    **strengths,
                ).movies
                for batch in batches
            ]
        )
