"""The protocol of "Time to Split" (Gusak et al., RecSys 2025), step by step as its public code does it.

Filters  A row that repeats the movie of the user's row before it is dropped. Then users and movies with fewer than
         five rows are dropped, users first, and new repeats after each round, until nothing changes (the 5-core).
Split    One time divides all rows: the quantile 0.9 of their timestamps. Models learn from the rows up to it, of users
         with at least two of them.
Targets  Every later row is a target, whatever its rating. The history of a target is everything before it, later rows
         of the test part included. Of a user without a row up to the time of the split, the first row is no target.
Figures  NDCG@10 and the hit rate (Recall@10) over the whole catalog without seen movies: over all targets
         ("successive, global"), as the mean of the users' means ("successive, by user"), and over each user's last
         target ("last").

The paper sorts by user and time with a stable sort, so rows of a target's own second that stand before it in the file
are in its history: `file-order`. The same figures are computed with `strict` histories too. Every rating counts as
liked. Two differences remain: the paper's models see the last 128 rows of a history, and rows of the train part are
held out for their early stopping.

Source: https://github.com/monkey0head/time-to-split (`src/preprocess/filters.py`, `src/splits.py`, `src/datasets.py`).
"""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl

from benchmarks.run import OUTPUTS, Config, Result, config_hash
from nextreel.arrays import Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.reading.table_reader import read_tables
from nextreel.data.schema import MOVIE_ID, TIMESTAMP, USER_ID
from nextreel.data.tables import Tables
from nextreel.data.timeline import Ties
from nextreel.evaluation.bootstrap import Estimate, estimate_mean
from nextreel.evaluation.metrics import ranks_of, score_ranks
from nextreel.evaluation.protocol import EvaluationQueries
from nextreel.evaluation.slices import estimate_slices, slice_by_gap
from nextreel.models.base import Recommender
from nextreel.models.registry import create_model
from nextreel.prediction.fitting import measure_peak_memory
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import save

CORE = 5
"""Smallest number of rows of a user and of a movie."""
QUANTILE = 0.9
"""Share of the rows up to the time of the split."""
K = 10
TIES: tuple[Ties, ...] = ("file-order", "strict")


def measure(config: Config, data: Path) -> Result:
    """Return the counts of the data, the seconds of the fit, its peak memory in GiB, and the metrics by rule."""
    split = TargetSplit.read(data)
    train = split.dataset(split.train)
    model = create_model(config["model"], config.get("options", {}))
    started = time.perf_counter()
    model.fit(train)
    fit_seconds = time.perf_counter() - started
    peak_memory = measure_peak_memory()
    save(Predictor(model, train), OUTPUTS / config_hash(config), {"fit": {"fit_seconds": fit_seconds}})
    return {
        "data": {"sha256": train.fingerprint, **split.counts()},
        "fit_seconds": round(fit_seconds, 3),
        "peak_memory_gib": peak_memory and round(peak_memory, 3),
        "evaluations": [evaluate_targets(model, split, ties) for ties in TIES],
    }


@dataclass(frozen=True)
class TargetSplit:
    """The rows of a data set after the filters, divided by time; each part in the order of time, then of the file."""

    tables: Tables
    """The tables that the rows come from."""
    train: pl.DataFrame
    """Rows that models learn from."""
    known: pl.DataFrame
    """Rows that are in histories and are no targets: those up to the time of the split, and the first one of every user
    without such a row."""
    targets: pl.DataFrame
    """All later rows."""

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read a data directory, filter its interactions and divide them."""
        tables = read_tables(directory)
        return cls.of(tables, filter_rows(tables.interactions))

    @classmethod
    def of(cls, tables: Tables, rows: pl.DataFrame) -> Self:
        """Divide rows that have been filtered."""
        by_time = rows.sort(TIMESTAMP, maintain_order=True)
        until = by_time[TIMESTAMP].quantile(QUANTILE, "linear")
        is_early = pl.col(TIMESTAMP) <= until
        early_of_user = is_early.sum().over(USER_ID)
        is_first = pl.int_range(pl.len()).over(USER_ID) == 0
        is_known = is_early | (is_first & (early_of_user == 0))
        return cls(
            tables,
            train=by_time.filter(is_early & (early_of_user >= 2)),
            known=by_time.filter(is_known),
            targets=by_time.filter(~is_known),
        )

    def dataset(self, rows: pl.DataFrame) -> Dataset:
        """Return a data set of these rows whose catalog has all movies that passed the filters; all rows are liked."""
        movies = pl.concat([self.known, self.targets]).select(pl.col(MOVIE_ID).unique())
        titles = self.tables.movies
        if titles is not None:
            movies = movies.join(titles, on=MOVIE_ID, how="left")
        return Dataset.from_frames(rows, movies, self.tables.users, liked_from=self.tables.scale.lowest)

    def queries(self, ties: Ties) -> EvaluationQueries:
        """Return a query for every target, in their order, with its history under a rule for ties."""
        lowest = self.tables.scale.lowest
        return EvaluationQueries.from_split(self.dataset(self.known), self.targets, "live", lowest, ties)

    def counts(self) -> dict[str, int]:
        """Return the numbers of rows, users and movies, as they are in a result file."""
        rows = pl.concat([self.known, self.targets])
        return {
            "rows": len(rows),
            "users": rows[USER_ID].n_unique(),
            "movies": rows[MOVIE_ID].n_unique(),
            "train_rows": len(self.train),
            "targets": len(self.targets),
            "target_users": self.targets[USER_ID].n_unique(),
        }


def filter_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows without consecutive repeats and in the 5-core, sorted by user and time."""
    kept = _drop_repeats(rows.sort(USER_ID, TIMESTAMP, maintain_order=True))
    while _smallest_count(kept, USER_ID) < CORE or _smallest_count(kept, MOVIE_ID) < CORE:
        kept = kept.filter(pl.len().over(USER_ID) >= CORE)
        kept = _drop_repeats(kept.filter(pl.len().over(MOVIE_ID) >= CORE))
    return kept


def _drop_repeats(by_user: pl.DataFrame) -> pl.DataFrame:
    before = pl.col(MOVIE_ID).shift(1).over(USER_ID)
    return by_user.filter(before.is_null() | (pl.col(MOVIE_ID) != before))


def _smallest_count(rows: pl.DataFrame, column: str) -> int:
    """Return the number of rows of the rarest value; the size of the core if there are no rows."""
    return CORE if rows.is_empty() else int(rows[column].value_counts()["count"].to_numpy().min())


def evaluate_targets(model: Recommender, split: TargetSplit, ties: Ties) -> Result:
    """Rank all targets with a fitted model and return the metrics under one rule for ties."""
    queries = split.queries(ties)
    return describe_ranks(ranks_of(queries.rank_with(model, K).movies, queries.relevant), queries, ties)


def describe_ranks(ranks: Int64Array, queries: EvaluationQueries, ties: Ties) -> Result:
    """Return the metrics of the targets' ranks, int64[n_targets], as they are in a result file."""
    slices = slice_by_gap(queries.histories, queries.timestamps)
    return {
        "protocol": {"name": "time-to-split", "ties": ties, "k": K, "exclude_seen": True},
        "queries": len(queries),
        **{name: _facts(estimates) for name, estimates in summarize(ranks, queries.users).items()},
        "slices": {
            name: {"queries": int(slices[name].sum()), **_facts(estimates)}
            for name, estimates in estimate_slices(slices, ranks, queries.users, K).items()
        },
    }


def summarize(ranks: Int64Array, users: Int64Array) -> dict[str, dict[str, Estimate]]:
    """Return the metrics over all targets, by user and over each user's last target.

    Parameters
    ----------
    ranks : int64[n_targets]
        Rank of each target, 0 if it isn't in the list.
    users : int64[n_targets]
        UserID of each target; the targets of a user are in order.
    """
    of_user, position, counts = np.unique(users, return_inverse=True, return_counts=True)
    last = np.zeros(len(of_user), dtype=np.int64)
    np.maximum.at(last, position, np.arange(len(users)))
    scores = score_ranks(ranks, [K])
    return {
        "successive_global": {name: estimate_mean(values, users) for name, values in scores.items()},
        "successive_by_user": {
            name: estimate_mean(np.bincount(position, weights=values) / counts, of_user)
            for name, values in scores.items()
        },
        "last": {name: estimate_mean(values[last], of_user) for name, values in scores.items()},
    }


def _facts(estimates: Mapping[str, Estimate]) -> Result:
    return {name: asdict(estimate) for name, estimate in estimates.items()}
