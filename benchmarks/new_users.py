"""New users: how much better than popularity a model is when it knows only a user's first few ratings.

A random share of the users is held out of training entirely. For each length n, such a user's first n ratings are the
history, and the next few positives are the queries, each as of its own timestamp. Ratings of one second keep the order
of the file, so a history may end within the second of a query, as frozen histories do. With n = 0 the history is empty;
the queries within the user's first second, which are about the very first choices, are also reported on their own.
"""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.run import Config, Result
from nextreel.arrays import Float64Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.reading.table_reader import read_tables
from nextreel.data.schema import MOVIE_ID, POSITIVE, RATING, TIMESTAMP, USER_ID
from nextreel.evaluation.bootstrap import estimate_mean
from nextreel.evaluation.metrics import ranks_of, score_ranks
from nextreel.evaluation.protocol import freeze_histories
from nextreel.models.base import Recommender
from nextreel.models.registry import create_model
from nextreel.ranking.ranker import Ranker

K = 10
BASELINE = "popularity"


def measure(config: Config, data: Path) -> Result:
    """Return each model's metrics and their differences to popularity's, by length of the history."""
    tables = read_tables(data)
    rows = tables.interactions.sort(TIMESTAMP, maintain_order=True).with_columns(
        place=pl.int_range(pl.len()).over(USER_ID), first_second=pl.col(TIMESTAMP).min().over(USER_ID)
    )
    user_ids = rows[USER_ID].unique().sort()
    held_out = np.random.default_rng(config["seed"]).random(len(user_ids)) < config["share"]
    is_held_out = rows[USER_ID].is_in(user_ids.filter(pl.Series(held_out)).to_list())
    held_out_rows, train_rows = rows.filter(is_held_out), rows.filter(~is_held_out)
    train = Dataset.from_frames(tables.interactions, tables.movies, tables.users)
    train = train.with_interactions(train_rows)
    models = {name: create_model(name, options).fit(train) for name, options in config["models"].items()}

    parts = []
    for n in config["histories"]:
        history_rows = held_out_rows.filter(pl.col("place") < n)
        known = train.with_interactions(pl.concat([train_rows, history_rows]))
        queries = _first_positives(held_out_rows.filter(pl.col("place") >= n), config["positives"])
        users = queries[USER_ID].to_numpy()
        ranks = {name: _rank_relevant(model, known, queries) for name, model in models.items()}
        parts.append({"history": n, **_compare(ranks, users)})
        if n == 0:
            first = (queries[TIMESTAMP] == queries["first_second"]).to_numpy()
            ranks = {name: model_ranks[first] for name, model_ranks in ranks.items()}
            parts.append({"history": n, "in_first_second": True, **_compare(ranks, users[first])})
    return {
        "data": {
            "sha256": train.fingerprint,
            "train_rows": len(train_rows),
            "new_users": int(held_out.sum()),
        },
        "parts": parts,
    }


def _first_positives(rows: pl.DataFrame, n: int) -> pl.DataFrame:
    """Return the first n positives of each user, in order of time."""
    positives = rows.filter(pl.col(RATING) >= POSITIVE)
    return positives.filter(pl.int_range(pl.len()).over(USER_ID) < n)


def _rank_relevant(model: Recommender, known: Dataset, queries: pl.DataFrame) -> Int64Array:
    """Return the rank of each query's relevant movie, from 1; 0 if the movie isn't in the list."""
    users, timestamps = queries[USER_ID].to_numpy(), queries[TIMESTAMP].to_numpy()
    ranking = Ranker.of(model, known).rank(freeze_histories(known, users, timestamps), timestamps, K)
    return ranks_of(ranking.movies, known.index_of_movies(queries[MOVIE_ID].to_numpy()))


def _compare(ranks: dict[str, Int64Array], users: Int64Array) -> Result:
    """Return the metrics of each model, and their differences to the baseline's, paired by query."""
    baseline = score_ranks(ranks[BASELINE], [K])

    def estimate(values: Float64Array) -> dict[str, float]:
        return asdict(estimate_mean(values, users))

    models = {}
    for name, model_ranks in ranks.items():
        scores = score_ranks(model_ranks, [K])
        models[name] = {
            "metrics": {metric: estimate(values) for metric, values in scores.items()},
            "above_popularity": {
                metric: estimate(values - baseline[metric]) for metric, values in scores.items()
            },
        }
    return {"queries": len(users), "users": len(np.unique(users)), "models": models}
