"""How time and memory grow with the number of rows: the commands, each in a process of its own, at several sizes.

The data are those of `expanded_movielens`, so that the figures say something about data that a model can learn from.
"""

import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.expanded_movielens import Expansion, write_expansion
from benchmarks.run import Config, Result
from nextreel.data.dataset import Dataset
from nextreel.data.reading.table_reader import read_tables
from nextreel.data.schema import TIMESTAMP, USER_ID

FEWEST_ROWS = 900_000
"""Number of rows from which on a size counts for the exponents; below it, starting a process is much of the time."""


def measure(config: Config, data: Path) -> Result:
    """Return what each command takes at each size, and the exponent by which its CPU time grows with the rows."""
    sizes = [_measure_size(config, size, data) for size in config["sizes"]]
    tasks = dict.fromkeys(task for size in sizes for task in size["tasks"])
    return {"sizes": sizes, "exponents": {task: _exponent(sizes, task) for task in tasks}}


def _measure_size(config: Config, size: dict[str, Any], data: Path) -> Result:
    with tempfile.TemporaryDirectory(prefix="nextreel-scaling-") as directory:
        home = Path(directory)
        # In a process of its own, because a child's peak of memory would count that of this process.
        made = _run_python(
            "benchmarks.scaling",
            str(data),
            str(home),
            *(str(size[name]) for name in ("users", "movies", "one_of")),
        )
        rows, users, movies = (int(number) for number in made.split())
        tasks = {
            "check": _run(home, "check", "data"),
            "ingest": _run(home, "ingest", "data", "partitioned"),
            "split": _run(home, "split", "data", "parts"),
        }
        queries = config["queries"]
        for model in config["models"]:
            if rows > model.get("most_rows", math.inf):
                continue
            name, out = model["name"], f"model-{model['name']}"
            options = [f"--set={option}" for option in model.get("options", [])]
            tasks[f"fit {name}"] = _run(home, "fit", "parts", "--model", name, "--out", out, *options)
            few, many = (
                _run(home, "recommend", out, "--queries", f"{kind}.csv", "--out", f"{name}-{kind}.parquet")
                for kind in ("few", "many")
            )
            tasks[f"answer {name}"] = {
                **many,
                "queries_per_second": round(queries / _difference(many, few), 1),
            }
            print(rows, name, tasks[f"fit {name}"], tasks[f"answer {name}"], flush=True)
        return {"rows": rows, "users": users, "movies": movies, "tasks": tasks}


def _difference(many: dict[str, float], few: dict[str, float]) -> float:
    return max(many["seconds"] - few["seconds"], 1e-3)


def _run(home: Path, *arguments: str) -> dict[str, float]:
    """Run a command and return its seconds, its CPU seconds and the peak of its memory in GiB."""
    command = [sys.executable, "-m", "nextreel", *arguments]
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with status {process.returncode}")
    return {
        "seconds": round(time.perf_counter() - started, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_memory_gib": round(usage.ru_maxrss / 2**20, 3),
    }


def _run_python(module: str, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments], check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def _exponent(sizes: list[Result], task: str) -> float | None:
    """Return the slope of log CPU seconds over log rows, by least squares; None with fewer than two sizes."""
    points = [
        (math.log(size["rows"]), math.log(size["tasks"][task]["cpu_seconds"]))
        for size in sizes
        if task in size["tasks"] and size["rows"] >= FEWEST_ROWS
    ]
    if len(points) < 2 or task.startswith("answer"):
        return None
    mean_x, mean_y = (sum(values) / len(points) for values in zip(*points, strict=True))
    slope: float = sum((x - mean_x) * (y - mean_y) for x, y in points) / sum(
        (x - mean_x) ** 2 for x, _ in points
    )
    return round(slope, 3)


def make_data(data: Path, home: Path, users: int, movies: int, one_of: int) -> tuple[int, int, int]:
    """Write an expansion of the data set, of one user in `one_of`, and files of few and of many queries.

    Returns the numbers of its rows, users and movies.
    """
    tables = read_tables(data)
    whole = Dataset.from_tables(tables)
    kept = tables.interactions.filter(pl.col(USER_ID) % one_of == 0)
    dataset = Dataset.from_frames(kept, tables.movies) if one_of > 1 else whole
    rows = write_expansion(Expansion.of(dataset, users, movies), home / "data")
    n_users, n_movies = users * dataset.n_users, movies * dataset.n_movies
    latest = int(whole.timeline.timestamps.max()) + 86_400 * 60
    for name, count in (("few", 100), ("many", 10_100)):
        ids = pl.int_range(count, eager=True) * 7 % n_users
        pl.DataFrame({USER_ID: ids, TIMESTAMP: latest}).write_csv(home / f"{name}.csv")
    return rows, n_users, n_movies


if __name__ == "__main__":
    print(*make_data(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:6])))
