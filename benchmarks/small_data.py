"""Small data: is the default model ever worse than a simpler one?

A model with many weights may lose where there are few ratings. The data set, or random samples of its users with about
as many rows as the config names, are split by the rule `clean`, and all models are fitted on the train part. Each pair
of models of a sample is tested on the same queries, with Holm's correction for all pairs of that sample.
"""

import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.run import Config, Result
from nextreel.data.dataset import Dataset
from nextreel.data.reading.table_reader import read_tables
from nextreel.data.schema import USER_ID
from nextreel.data.table_writer import write_table
from nextreel.evaluation.comparison.contestants import Contestant
from nextreel.evaluation.comparison.leaderboard import Leaderboard, compare_models

METRIC = "NDCG@10"


def measure(config: Config, data: Path) -> Result:
    """Return NDCG@10 of each model by sample, and the tests of the default model with each of the others."""
    tables = read_tables(data)
    samples: list[Result] = []
    for n_rows in config.get("rows", [len(tables.interactions)]):
        for seed in config.get("seeds", [0]):
            sample = _sample_users(tables.interactions, n_rows, seed)
            with tempfile.TemporaryDirectory() as directory:
                frames = {"ratings.parquet": sample, "movies.parquet": tables.movies}
                for name, frame in frames.items():
                    if frame is not None:
                        write_table(frame, Path(directory) / name)
                models = [Contestant(name, name) for name in config["models"]]
                board = compare_models(Path(directory), models, modes=["frozen"], cutoffs=[10])
            samples.append({"rows": len(sample), "seed": seed, **_describe(board, config["default"])})
            print(samples[-1], flush=True)
    dataset = Dataset.from_tables(tables)
    return {"data": {"sha256": dataset.fingerprint, "rows": len(dataset.timeline)}, "samples": samples}


def _sample_users(interactions: pl.DataFrame, n_rows: int, seed: int) -> pl.DataFrame:
    """Return all rows of random users, as few users as have at least `n_rows` together, in the order of the rows."""
    lengths = interactions.group_by(USER_ID, maintain_order=True).len()
    order = np.random.default_rng(seed).permutation(len(lengths))
    before = np.cumsum(lengths["len"].to_numpy()[order]) - lengths["len"].to_numpy()[order]
    chosen = lengths[USER_ID].gather(order[before < n_rows])
    return interactions.filter(pl.col(USER_ID).is_in(chosen.implode()))


def _describe(board: Leaderboard, default: str) -> Result:
    """Return the metric and the fit's seconds of each model, and in which tests the default model is worse."""
    figures = board.figures["frozen"]
    tests = [test.facts() for test in board.tests if default in (test.better, test.worse)]
    return {
        "queries": len(board.users),
        "models": {
            name: {
                METRIC: asdict(model.metrics[METRIC]),
                "fit_seconds": board.runs[name].fit_seconds,
            }
            for name, model in figures.items()
        },
        "tests": tests,
        "significantly_better_than_default": [
            test["better"] for test in tests if test["worse"] == default and test["real"]
        ],
    }
