"""Speed of the foundation: reading and checking, an epoch of Funk-SVD, evaluating a split's positive queries.

Each task runs several times in one process, after one run that isn't counted; the median is what to quote.
"""

import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nextreel.data.dataset import Dataset
from nextreel.data.reading.data_profile import profile_tables
from nextreel.data.reading.table_reader import read_tables
from nextreel.data.splitting.split_rules import SplitRule, split_interactions
from nextreel.evaluation.model_evaluation import evaluate
from nextreel.models.funk_svd import FunkSVD, FunkSVDConfig
from nextreel.models.popularity import Popularity
from nextreel.models.training.epochs import Epoch, Training


def measure(config: dict[str, Any], data: Path) -> dict[str, Any]:
    """Seconds by task, and the peak memory of the process after the fit in GiB."""
    repeats = config["repeats"]
    tables = read_tables(data)
    split = split_interactions(tables.interactions, SplitRule.for_rule(config["split"]))
    train = Dataset.from_frames(split.train, tables.movies, tables.users)
    epochs: list[Epoch] = []
    options = FunkSVDConfig(epochs=repeats + 1)
    model = FunkSVD(options).fit(train, Training(on_epoch=epochs.append))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    popularity = Popularity().fit(train)

    def read_and_check() -> None:
        read = read_tables(data)
        Dataset.from_frames(read.interactions, read.movies, read.users)
        profile_tables(read)

    tasks: dict[str, Callable[[], object]] = {
        "read and check": read_and_check,
        "evaluate funk-svd": lambda: evaluate(model, train, split.test),
        "evaluate popularity": lambda: evaluate(popularity, train, split.test),
    }
    seconds = {name: _time(task, repeats) for name, task in tasks.items()}
    seconds["funk-svd epoch"] = _summary([epoch.seconds for epoch in epochs[1:]])
    return {"data": {"sha256": train.fingerprint}, "seconds": seconds, "peak_memory_gib": round(peak, 3)}


def _time(task: Callable[[], object], repeats: int) -> dict[str, float]:
    task()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        task()
        seconds.append(time.perf_counter() - started)
    return _summary(seconds)


def _summary(seconds: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(seconds), 3),
        "min": round(min(seconds), 3),
        "max": round(max(seconds), 3),
    }
