"""Batch answers by one worker of a Ray cluster and by two: what the second one brings, and what the cluster costs.

Each measurement is a process of its own:

    python -m benchmarks.ray_workers MODEL QUERIES WORKERS PART_ROWS

answers the queries by so many workers of one core each, or in this process with 0, and prints JSON. Ray's own processes
share the cores with the workers, so two workers on a machine of two cores are what a user gets there, not the best that
two workers can do. On a machine that computes something else meanwhile, the figures say nothing.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from logging import CRITICAL
from pathlib import Path

import polars as pl

from benchmarks.run import Config, Result
from nextreel.data.reading.table_reader import read_dataset
from nextreel.data.schema import TIMESTAMP, USER_ID
from nextreel.prediction.fitting import fit
from nextreel.prediction.saving import load_mapped, save
from nextreel.scale.list_parts import BatchRequest, Part
from nextreel.scale.ray_cluster import ENVIRONMENT
from nextreel.scale.ray_lists import answer_on_ray
from nextreel.wording import number_of


def measure(config: Config, data: Path) -> Result:
    """Return the rates of one core in this process and of each number of workers, and Ray's fixed cost."""
    with tempfile.TemporaryDirectory(prefix="nextreel-ray-workers-") as directory:
        model, queries = Path(directory) / "model", Path(directory) / "queries.parquet"
        predictor = fit(read_dataset(data), config["model"])
        save(predictor, model)
        users = predictor.dataset.users[USER_ID]
        asked = pl.Series(range(config["queries"])) % len(users)
        latest = int(predictor.dataset.timeline.timestamps.max())
        pl.DataFrame({USER_ID: users[asked]}).with_columns(
            pl.lit(latest, pl.Int64).alias(TIMESTAMP)
        ).write_parquet(queries)
        del predictor
        runs = {
            workers: _run(model, queries, workers, config["part_rows"]) for workers in (0, *config["workers"])
        }
    rates = {workers: config["queries"] / run["seconds"] for workers, run in runs.items()}
    few, many = min(config["workers"]), max(config["workers"])
    fixed = runs[many]["fixed_seconds"]
    needed = find_break_even(fixed, rates[0], rates[many])
    return {
        "load": round(os.getloadavg()[0], 1),
        "queries_per_second": {_name(workers): round(rate, 1) for workers, rate in rates.items()},
        "speedup": round(rates[many] / rates[few], 2),
        "fixed_seconds": {_name(workers): round(run["fixed_seconds"], 1) for workers, run in runs.items()},
        "queries_from_which_ray_is_sooner": needed if math.isfinite(needed) else None,
    }


def find_break_even(fixed_seconds: float, local_rate: float, ray_rate: float) -> float:
    """Return the number of queries from which a cluster is sooner than one core here; infinite if it never is."""
    saved_per_query = 1 / local_rate - 1 / ray_rate
    return math.ceil(fixed_seconds / saved_per_query) if saved_per_query > 0 else math.inf


def _name(workers: int) -> str:
    return number_of(workers, "worker") if workers else "local"


def _run(model: Path, queries: Path, workers: int, part_rows: int) -> dict[str, float]:
    command = [sys.executable, "-m", __name__, str(model), str(queries), str(workers), str(part_rows)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    run: dict[str, float] = json.loads(done.stdout)
    print(_name(workers), run, flush=True)
    return run


def _answer(model: Path, queries: Path, workers: int, part_rows: int) -> dict[str, float]:
    """Return the seconds until the first lists are there, and those of all queries after that."""
    predictor, _ = load_mapped(model)
    frame, request = pl.read_parquet(queries), BatchRequest()
    parts = [Part(number, part) for number, part in enumerate(frame.iter_slices(part_rows))]
    first = [Part(number, frame.head(1)) for number in range(max(1, workers))]
    started = time.perf_counter()
    if workers == 0:
        request.answer(predictor, first[0].queries)
        ready = time.perf_counter()
        for part in parts:
            request.answer(predictor, part.queries)
        return {"fixed_seconds": ready - started, "seconds": time.perf_counter() - ready}
    import ray

    os.environ |= ENVIRONMENT
    ray.init("local", num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level=CRITICAL)
    list(answer_on_ray(ray, predictor, request, first))
    ready = time.perf_counter()
    list(answer_on_ray(ray, predictor, request, parts))
    answered = time.perf_counter()
    ray.shutdown()
    return {"fixed_seconds": ready - started, "seconds": answered - ready}


if __name__ == "__main__":
    print(json.dumps(_answer(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))))
