"""How time and memory grow with the rows or the movies: the commands, each in a process of its own, at several sizes.

The data are those of `expanded_movielens`, so that the figures say something about data that a model can learn from.
Run it on one core: then processor time is the time on an idle core, whatever else runs on the machine.
"""

import json
import math
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.expanded_movielens import Expansion, write_expansion
from benchmarks.process_trees import run_measured
from benchmarks.run import Config, Result
from nextreel.data.dataset import Dataset
from nextreel.data.reading.table_reader import read_tables
from nextreel.data.schema import MOVIE_ID, TIMESTAMP, USER_ID
from nextreel.data.times import DAY

FEW = 100
"""Queries of the shorter of two runs, whose difference is the time of the others without the start."""


def measure(config: Config, data: Path) -> Result:
    """Return what each command takes at each size, and the exponent by which its CPU time grows.

    The config's `growth` names what it grows with, rows or movies, and the number of them from which on a size counts
    for the exponents: below it, starting a process is much of the time. With `evaluated_users`, models are evaluated on
    about that many users.
    """
    # The largest first: if it doesn't fit into memory, that is known at once.
    sizes = [_measure_size(config, size, data) for size in reversed(config["sizes"])][::-1]
    tasks = dict.fromkeys(task for size in sizes for task in size["tasks"])
    along, least = config["growth"]["of"], config["growth"]["from"]
    return {"sizes": sizes, "exponents": {task: _exponent(sizes, task, along, least) for task in tasks}}


def _measure_size(config: Config, size: dict[str, Any], data: Path) -> Result:
    with tempfile.TemporaryDirectory(prefix="nextreel-scaling-") as directory:
        home = Path(directory)
        # In a process of its own, because a child's peak of memory would count that of this process.
        made = _run_python(
            "benchmarks.scaling",
            str(data),
            str(home),
            json.dumps(size),
            str(config["queries"]),
        )
        rows, users, movies = (int(number) for number in made.split())
        tasks = {
            "check": _run(home, "check", "data"),
            "ingest": _run(home, "ingest", "data", "partitioned"),
            "split": _run(home, "split", "data", "parts"),
        }
        print(rows, tasks, flush=True)
        if "evaluated_users" in config:
            one_of = max(1, users // config["evaluated_users"])
            _write_test_part(home / "parts", home / "tested", one_of)
        single: Result = {}
        for model in config["models"]:
            if rows > model.get("most_rows", math.inf):
                continue
            name, of_model = model["name"], _measure_model(home, model, config)
            tasks |= of_model
            if how_many := model.get("single_answers"):
                single[name] = json.loads(
                    _run_python("benchmarks.single_answers", str(home / f"model-{name}"), str(how_many))
                )
            print(rows, of_model, single.get(name, ""), flush=True)
        return {"rows": rows, "users": users, "movies": movies, "tasks": tasks, "single_answers": single}


def _measure_model(home: Path, model: dict[str, Any], config: Config) -> dict[str, dict[str, float]]:
    """Return what the fit, the answers and the evaluation of a model took."""
    name, out = model["name"], f"model-{model['name']}"
    options = [f"--set={option}" for option in model.get("options", [])]
    tasks = {f"fit {name}": _run(home, "fit", "parts", "--model", name, "--out", out, *options)}
    few, many = (
        _run(home, "recommend", out, "--queries", f"{kind}.csv", "--out", f"{name}-{kind}.parquet")
        for kind in ("few", "many")
    )
    seconds = max(many["cpu_seconds"] - few["cpu_seconds"], 1e-3)
    tasks[f"answer {name}"] = {**many, "queries_per_second": round(config["queries"] / seconds, 1)}
    if "evaluated_users" in config:
        tasks[f"evaluate {name}"] = _evaluate(home, name)
    return tasks


def _evaluate(home: Path, name: str) -> dict[str, float]:
    """Evaluate a model on a part of the test part and return what that took, with the number of queries and NDCG@10."""
    measured = _run(home, "evaluate", f"model-{name}", "tested", "--json-file", f"{name}.json")
    figures = json.loads((home / f"{name}.json").read_text(encoding="utf-8"))
    ndcg = round(figures["metrics"]["NDCG@10"]["mean"], 4)
    return {**measured, "queries": figures["queries"], "ndcg@10": ndcg}


def _write_test_part(split: Path, part: Path, one_of: int) -> None:
    """Write the rows of one user in `one_of` of a split's test part, beside the rule of the split."""
    part.mkdir()
    shutil.copy(split / "split.json", part)
    with (
        (split / "test.csv").open(encoding="utf-8") as whole,
        (part / "test.csv").open("w", encoding="utf-8") as some,
    ):
        some.write(next(whole))
        some.writelines(row for row in whole if int(row.partition(",")[0]) % one_of == 0)


def _run(home: Path, *arguments: str) -> dict[str, float]:
    """Run a command and return its seconds, its CPU seconds and the peak of its memory in GiB."""
    return asdict(run_measured([sys.executable, "-m", "nextreel", *arguments], home))


def _run_python(module: str, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments], check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def _exponent(sizes: list[Result], task: str, along: str, least: int) -> float | None:
    """Return the slope of log CPU seconds over log rows or movies, by least squares; None with fewer than two sizes.

    Answers and evaluations are of about as many queries at each size, so their time doesn't grow as a fit's does.
    """
    points = [
        (math.log(size[along]), math.log(size["tasks"][task]["cpu_seconds"]))
        for size in sizes
        if task in size["tasks"] and size[along] >= least
    ]
    if len(points) < 2 or task.startswith(("answer", "evaluate")):
        return None
    mean_x, mean_y = (sum(values) / len(points) for values in zip(*points, strict=True))
    slope: float = sum((x - mean_x) * (y - mean_y) for x, y in points) / sum(
        (x - mean_x) ** 2 for x, _ in points
    )
    return round(slope, 3)


def make_data(data: Path, home: Path, size: dict[str, int], queries: int) -> tuple[int, int, int]:
    """Write an expansion of the data set and files of few and of many queries.

    `size` says how often users and movies are copied; before that, one user in `one_of` is kept, and the `most_rated`
    movies. Returns the numbers of rows, users and movies.
    """
    tables = read_tables(data)
    kept, catalog = tables.interactions, tables.movies
    latest = int(kept[TIMESTAMP].to_numpy().max())
    if "one_of" in size:
        kept = kept.filter(pl.col(USER_ID) % size["one_of"] == 0)
    if "most_rated" in size:
        by_ratings = kept.group_by(MOVIE_ID).len().sort("len", MOVIE_ID, descending=[True, False])
        best = by_ratings.head(size["most_rated"])
        kept = kept.join(best, on=MOVIE_ID, how="semi")
        catalog = None if catalog is None else catalog.join(best, on=MOVIE_ID, how="semi")
    dataset = Dataset.from_frames(kept, catalog)
    rows = write_expansion(Expansion.of(dataset, size["users"], size["movies"]), home / "data")
    n_users, n_movies = size["users"] * dataset.n_users, size["movies"] * dataset.n_movies
    for name, count in (("few", FEW), ("many", FEW + queries)):
        ids = pl.int_range(count, eager=True) * 7 % n_users
        pl.DataFrame({USER_ID: ids, TIMESTAMP: latest + 60 * DAY}).write_csv(home / f"{name}.csv")
    return rows, n_users, n_movies


if __name__ == "__main__":
    _, data_set, out, size_as_json, how_many = sys.argv
    print(*make_data(Path(data_set), Path(out), json.loads(size_as_json), int(how_many)))
