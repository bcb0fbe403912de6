"""Speed of basic tasks: reading and checking data, an epoch of Funk-SVD, and evaluating two models on a split.

Each task runs several times in one process, after one run that isn't counted.
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.run import Config, Result
from benchmarks.split_data import SplitData
from nextreel.data.dataset import Dataset
from nextreel.data.reading.data_profile import profile_tables
from nextreel.data.reading.table_reader import read_tables
from nextreel.data.splitting.split_rules import SplitRule
from nextreel.evaluation.model_evaluation import evaluate
from nextreel.models.funk_svd import FunkSVD, FunkSVDConfig
from nextreel.models.popularity import Popularity
from nextreel.models.training.epochs import Epoch, Training
from nextreel.prediction.fitting import measure_peak_memory


def measure(config: Config, data: Path) -> Result:
    """Return the seconds of each task, and the peak memory of the process after the fit in GiB."""
    repeats = config["repeats"]
    split = SplitData.read(data, SplitRule.for_rule(config["split"]))
    epochs: list[Epoch] = []
    options = FunkSVDConfig(epochs=repeats + 1)
    funk_svd = FunkSVD(options).fit(split.train, Training(on_epoch=epochs.append))
    peak_memory = measure_peak_memory()
    popularity = Popularity().fit(split.train)

    def read_and_check() -> None:
        tables = read_tables(data)
        Dataset.from_frames(tables.interactions, tables.movies, tables.users)
        profile_tables(tables)

    tasks: dict[str, Callable[[], object]] = {
        "read and check": read_and_check,
        "evaluate funk-svd": lambda: evaluate(funk_svd, split.train, split.test),
        "evaluate popularity": lambda: evaluate(popularity, split.train, split.test),
    }
    seconds = {name: _summarize(_time(task, repeats)) for name, task in tasks.items()}
    seconds["funk-svd epoch"] = _summarize([epoch.seconds for epoch in epochs[1:]])
    return {
        "data": {"sha256": split.train.fingerprint},
        "seconds": seconds,
        "peak_memory_gib": peak_memory and round(peak_memory, 3),
    }


def _time(task: Callable[[], object], repeats: int) -> list[float]:
    task()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        task()
        seconds.append(time.perf_counter() - started)
    return seconds


def _summarize(seconds: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(seconds), 3),
        "min": round(min(seconds), 3),
        "max": round(max(seconds), 3),
    }
