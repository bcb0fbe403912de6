"""The price of diversity and calibration: what each strength costs in NDCG, and what it buys in the lists."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from nextreel.data.dataset import Dataset
from nextreel.data.reading.table_reader import read_tables
from nextreel.data.schema import MOVIE_ID, RATING, TIMESTAMP, USER_ID
from nextreel.data.splitting.split_rules import SplitRule, split_interactions
from nextreel.evaluation.bootstrap import estimate_mean
from nextreel.evaluation.metrics import ndcg, ranks_of, recall
from nextreel.evaluation.protocol import freeze_histories
from nextreel.models.base import Recommender
from nextreel.models.registry import create_model
from nextreel.ranking.genres import divergence, liked_genres, share_genres, variety
from nextreel.ranking.ranker import Ranker, Ranking
from nextreel.ranking.reranking import rerank

QUERIES_AT_ONCE = 1000


def measure(config: dict[str, Any], data: Path) -> dict[str, Any]:
    """For each way of choosing from the candidates: metrics, their change, variety and calibration of the lists."""
    tables = read_tables(data)
    rule = SplitRule.for_rule(**config["split"])
    split = split_interactions(tables.interactions, rule)
    train = Dataset.from_frames(split.train, tables.movies, tables.users)
    model = create_model(config["model"], config.get("options", {})).fit(train)
    queries = split.test.filter(pl.col(RATING) >= rule.threshold)
    return {
        "data": {"sha256": train.fingerprint, "queries": len(queries), "users": queries[USER_ID].n_unique()},
        "lists": compare_lists(model, train, queries, config),
    }


def compare_lists(
    model: Recommender, train: Dataset, queries: pl.DataFrame, config: dict[str, Any]
) -> list[dict[str, Any]]:
    """The figures of the plain list and of each way and strength, with histories that end with the train part.

    "change" is that of NDCG against the plain list, query by query. Variety is 1 minus the mean cosine of the genres
    of two movies of a list; "miscalibration" the divergence of a list's genres from those the user liked.
    """
    k, users = config["k"], queries[USER_ID].to_numpy()
    timestamps, relevant = queries[TIMESTAMP].to_numpy(), train.index_of_movies(queries[MOVIE_ID].to_numpy())
    histories, genres = freeze_histories(train, users, timestamps), share_genres(train.movies)
    candidates = Ranker.of(model, train).rank(histories, timestamps, config["candidates"])
    liked = liked_genres(histories, genres)
    calibrated = liked.any(axis=1)
    plain = ndcg(ranks_of(candidates.movies[:, :k], relevant), k)

    def describe(**strengths: float) -> dict[str, Any]:
        started = time.perf_counter()
        movies = np.concatenate(
            [
                rerank(
                    Ranking(candidates.movies[some], candidates.scores[some], candidates.personal[some]),
                    genres,
                    histories[some],
                    k,
                    **strengths,
                ).movies
                for some in np.array_split(np.arange(len(timestamps)), 1 + len(timestamps) // QUERIES_AT_ONCE)
            ]
        )
        seconds = time.perf_counter() - started
        ranks, shares = ranks_of(movies, relevant), genres[movies]
        away = divergence(liked, shares.sum(axis=1))[calibrated].astype(np.float64)
        figures = {
            f"NDCG@{k}": ndcg(ranks, k),
            f"Recall@{k}": recall(ranks, k),
            "change": ndcg(ranks, k) - plain,
            "variety": variety(shares).astype(np.float64),
        }
        return {
            **strengths,
            "metrics": {name: asdict(estimate_mean(values, users)) for name, values in figures.items()}
            | {"miscalibration": asdict(estimate_mean(away, users[calibrated]))},
            "movies_recommended": len(np.unique(movies)),
            "seconds": round(seconds, 3),
        }

    return [describe()] + [
        describe(**{way: strength})
        for way in ("diversity", "calibration")
        for strength in config["strengths"]
    ]
