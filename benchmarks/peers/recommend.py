"""The peer's side: fit one library's model on the train rows and write a recommendation list for each query.

    python -m benchmarks.peers.recommend DIRECTORY

DIRECTORY contains task.json (model, options, k, seed), train.csv (UserID, MovieID, Rating, Timestamp in order of time,
ties in the order of the file) and queries.parquet (query, UserID, Timestamp). The command adds answers.parquet (query,
rank from 1, MovieID; no rows for a query that the peer has no list for) and report.json.

A peer knows a user's rows from train.csv. Where it is asked again after each of a user's later rows, there is a file
histories.parquet too: UserID and MovieID, each user's rows in order. The column `history` of queries.parquet says how
many of its user's first rows the peer may use for a query.
"""

import json
import platform
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

MODULES = {
    "rectools": "benchmarks.peers.rectools_models",
    "implicit": "benchmarks.peers.implicit_models",
    "skrecsys": "benchmarks.peers.skrecsys_models",
    "lenskit": "benchmarks.peers.lenskit_models",
}
"""Module with the function `fit(task)` of each library; a model's name begins with the name of its library."""


@dataclass(frozen=True)
class PeerTask:
    """What a peer has to do."""

    model: str
    """Library and model, such as `implicit als`."""
    options: dict[str, Any]
    """Options of the library's own model."""
    train: pl.DataFrame
    """UserID, MovieID, Rating, Timestamp in order of time."""
    k: int
    """Length of the lists."""
    seed: int


@dataclass(frozen=True)
class FittedPeer:
    """A peer after its fit."""

    recommend: Callable[[pl.DataFrame], pl.DataFrame]
    """Function from queries (query, UserID, Timestamp) to recommendation lists (query, rank, MovieID)."""
    epochs: list[dict[str, float]] = field(default_factory=list)
    """number, train_loss, seconds and cpu_seconds of each epoch; empty for a model without epochs."""
    recommend_after: Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame] | None = None
    """Function from queries (query, UserID, history) and histories (UserID, MovieID) to recommendation lists; None for
    a model that isn't asked so."""


def lists_by_user(queries: pl.DataFrame, lists: pl.DataFrame) -> pl.DataFrame:
    """Return each query's copy of its user's list; `lists` has UserID, rank, MovieID.

    A peer that doesn't use the query's timestamp has one list per user, since a user's queries with frozen histories
    differ in nothing else.
    """
    joined = queries.select("query", "UserID").join(lists, on="UserID")
    return joined.select("query", "rank", "MovieID").sort("query", "rank")


def answer(fitted: FittedPeer, queries: pl.DataFrame, histories: Path) -> pl.DataFrame:
    """Return the peer's lists: after the histories in a file if there is one, else after the train rows."""
    if not histories.exists():
        return fitted.recommend(queries)
    if fitted.recommend_after is None:
        raise NotImplementedError("this peer has no lists for histories that go on after its fit")
    return fitted.recommend_after(queries, pl.read_parquet(histories))


def cut_histories(queries: pl.DataFrame, histories: pl.DataFrame) -> pl.DataFrame:
    """Return query, MovieID: the rows of each query's history, in order.

    `queries` has query, UserID and history, the number of the user's first rows in `histories` (UserID, MovieID).
    """
    numbered = histories.with_columns(number=pl.int_range(pl.len()).over("UserID"))
    rows = queries.join(numbered, on="UserID").filter(pl.col("number") < pl.col("history"))
    return rows.sort("query", "number").select("query", "MovieID")


def cpu_seconds() -> float:
    """Return the processor time of this process so far, with all threads and the children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def run_task(directory: Path) -> None:
    """Do the task that the directory describes and write its results there."""
    description = json.loads((directory / "task.json").read_text(encoding="utf-8"))
    library = description["model"].split()[0]
    module = import_module(MODULES[library])
    train = pl.read_csv(directory / "train.csv")
    task = PeerTask(
        description["model"], description["options"], train, description["k"], description["seed"]
    )
    queries = pl.read_parquet(directory / "queries.parquet")

    started, cpu_started = time.perf_counter(), cpu_seconds()
    fitted = module.fit(task)
    fit_seconds, fit_cpu_seconds = time.perf_counter() - started, cpu_seconds() - cpu_started

    started, cpu_started = time.perf_counter(), cpu_seconds()
    lists = answer(fitted, queries, directory / "histories.parquet")
    report = {
        "fit_seconds": round(fit_seconds, 3),
        "fit_cpu_seconds": round(fit_cpu_seconds, 3),
        "answer_seconds": round(time.perf_counter() - started, 3),
        "answer_cpu_seconds": round(cpu_seconds() - cpu_started, 3),
        "peak_memory_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 3),
        "epochs": fitted.epochs,
        "versions": {
            "python": platform.python_version(),
            **{package: version(package) for package in module.PACKAGES},
        },
    }
    lists.write_parquet(directory / "answers.parquet")
    (directory / "report.json").write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m benchmarks.peers.recommend DIRECTORY")
    run_task(Path(sys.argv[1]))
