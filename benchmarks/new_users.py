"""People held out of training entirely: what their first few ratings are worth against popularity as of the moment.

Of a share of the users, drawn by chance, no model learns anything. Each is asked about with the first n ratings as
the history, for the next five positives, at each one's own moment. Rows of one second keep the order of the file, so
a history may end within the second that is asked about, as `frozen` histories do. With n = 0 the history is empty; the
part of these queries that lies in the user's first second asks for the very first choices.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from nextreel.arrays import Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.reading.table_reader import read_tables
from nextreel.data.schema import MOVIE_ID, POSITIVE, RATING, TIMESTAMP, USER_ID
from nextreel.evaluation.bootstrap import estimate_mean
from nextreel.evaluation.metrics import METRICS, ranks_of
from nextreel.evaluation.protocol import freeze_histories
from nextreel.models.base import Recommender
from nextreel.models.registry import create_model
from nextreel.ranking.ranker import Ranker

K = 10
BASELINE = "popularity"


def measure(config: dict[str, Any], data: Path) -> dict[str, Any]:
    """By length of the history, each model's metrics and their difference to popularity's, paired by user."""
    tables = read_tables(data)
    rows = tables.interactions.sort(TIMESTAMP, maintain_order=True).with_columns(
        place=pl.int_range(pl.len()).over(USER_ID), first_second=pl.col(TIMESTAMP).min().over(USER_ID)
    )
    user_ids = rows[USER_ID].unique().sort()
    drawn = np.random.default_rng(config["seed"]).random(len(user_ids)) < config["share"]
    is_new = rows[USER_ID].is_in(user_ids.filter(pl.Series(drawn)).to_list())
    new, others = rows.filter(is_new), rows.filter(~is_new)
    train = Dataset.from_frames(tables.interactions, tables.movies, tables.users)
    train = train.with_interactions(others)
    models = {name: create_model(name, options).fit(train) for name, options in config["models"].items()}

    parts = []
    for n in config["histories"]:
        known = train.with_interactions(pl.concat([others, new.filter(pl.col("place") < n)]))
        queries = _next_positives(new.filter(pl.col("place") >= n), config["positives"])
        ranks = {name: _ask(model, known, queries) for name, model in models.items()}
        parts.append({"history": n, **_compare(ranks, queries[USER_ID].to_numpy())})
        if n == 0:
            first = (queries[TIMESTAMP] == queries["first_second"]).to_numpy()
            ranks = {name: of_model[first] for name, of_model in ranks.items()}
            parts.append(
                {"history": n, "in_first_second": True, **_compare(ranks, queries[USER_ID].to_numpy()[first])}
            )
    return {
        "data": {"sha256": train.fingerprint, "train_rows": len(others), "new_users": int(drawn.sum())},
        "parts": parts,
    }


def _next_positives(rows: pl.DataFrame, n: int) -> pl.DataFrame:
    """The first n positives of each user, in order of time."""
    liked = rows.filter(pl.col(RATING) >= POSITIVE)
    return liked.filter(pl.int_range(pl.len()).over(USER_ID) < n)


def _ask(model: Recommender, known: Dataset, queries: pl.DataFrame) -> Int64Array:
    """Rank of each query's movie, from 1; 0 where it isn't among the best."""
    users, timestamps = queries[USER_ID].to_numpy(), queries[TIMESTAMP].to_numpy()
    ranking = Ranker.of(model, known).rank(freeze_histories(known, users, timestamps), timestamps, K)
    return ranks_of(ranking.movies, known.index_of_movies(queries[MOVIE_ID].to_numpy()))


def _compare(ranks: dict[str, Int64Array], users: Int64Array) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for name, of_model in ranks.items():
        values = {f"{metric}@{K}": compute(of_model, K) for metric, compute in METRICS.items()}
        baseline = {f"{metric}@{K}": compute(ranks[BASELINE], K) for metric, compute in METRICS.items()}
        figures[name] = {
            "metrics": {metric: asdict(estimate_mean(v, users)) for metric, v in values.items()},
            "above_popularity": {
                metric: asdict(estimate_mean(v - baseline[metric], users)) for metric, v in values.items()
            },
        }
    return {"queries": len(users), "users": len(np.unique(users)), "models": figures}
