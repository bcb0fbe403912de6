"""The peer's side: fit one library's model on the train rows and answer the queries, all from files to files.

    python -m benchmarks.peers.answer DIRECTORY

DIRECTORY holds task.json (model, options, k, seed), train.csv (UserID, MovieID, Rating, Timestamp in order of
time, ties in the file's order) and queries.parquet (query, UserID, Timestamp). Written into it are answers.parquet
(query, rank from 1, MovieID; a query that the peer can't answer has no rows) and report.json.
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
"""Where each library's `fit(task)` stands; the name of the library is the first word of the model's."""


@dataclass(frozen=True)
class Task:
    """What a peer is asked for."""

    model: str
    """Such as `implicit als`."""
    options: dict[str, Any]
    train: pl.DataFrame
    """UserID, MovieID, Rating, Timestamp in order of time."""
    k: int
    seed: int


@dataclass(frozen=True)
class Fitted:
    """A fitted peer."""

    recommend: Callable[[pl.DataFrame], pl.DataFrame]
    """From queries (query, UserID, Timestamp) to answers (query, rank, MovieID)."""
    epochs: list[dict[str, float]] = field(default_factory=list)
    """number, train_loss, seconds and cpu_seconds of each epoch, where there are epochs."""


def lists_by_user(queries: pl.DataFrame, lists: pl.DataFrame) -> pl.DataFrame:
    """Each query's copy of its user's list; `lists` has UserID, rank, MovieID.

    A peer that has no use for the moment has one list per user, since with frozen history all that a user's
    queries differ in is their moment.
    """
    joined = queries.select("query", "UserID").join(lists, on="UserID")
    return joined.select("query", "rank", "MovieID").sort("query", "rank")


def cpu_seconds() -> float:
    """Processor time of this process so far, all threads and ended children included."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def answer(directory: Path) -> None:
    """Do the task that lies in the directory."""
    wanted = json.loads((directory / "task.json").read_text(encoding="utf-8"))
    library = wanted["model"].split()[0]
    module = import_module(MODULES[library])
    train = pl.read_csv(directory / "train.csv")
    task = Task(wanted["model"], wanted["options"], train, wanted["k"], wanted["seed"])
    queries = pl.read_parquet(directory / "queries.parquet")

    started, cpu_started = time.perf_counter(), cpu_seconds()
    fitted = module.fit(task)
    fit_seconds, fit_cpu_seconds = time.perf_counter() - started, cpu_seconds() - cpu_started

    started, cpu_started = time.perf_counter(), cpu_seconds()
    answers = fitted.recommend(queries)
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
    answers.write_parquet(directory / "answers.parquet")
    (directory / "report.json").write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m benchmarks.peers.answer DIRECTORY")
    answer(Path(sys.argv[1]))
