"""The peer's side: fit one library's model on the train rows and write a recommendation list for each query.

    python -m benchmarks.peers.recommend DIRECTORY

DIRECTORY contains task.json (model, options, k, seed), train.csv (UserID, MovieID, Rating, Timestamp in order of time,
ties in the order of the file) and queries.parquet (query, UserID, Timestamp). The command adds answers.parquet (query,
rank from 1, MovieID; no rows for a query that the peer has no list for) and report.json.
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


def lists_by_user(queries: pl.DataFrame, lists: pl.DataFrame) -> pl.DataFrame:
    """Return each query's copy of its user's list; `lists` has UserID, rank, MovieID.

    A peer that doesn't use the query's timestamp has one list per user, since a user's queries with frozen histories
    differ in nothing else.
    """
    joined = queries.select("query", "UserID").join(lists, on="UserID")
    return joined.select("query", "rank", "MovieID").sort("query", "rank")


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
    lists = fitted.recommend(queries)
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
