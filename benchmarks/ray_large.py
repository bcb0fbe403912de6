"""A data set of tens of millions of rows on one machine, without a Ray cluster and with one: are the answers the same?

The data are those of `expanded_movielens`, ingested. The same commands fit a model and answer a file of queries, in
processes of their own. Memory is that of a command with all processes that it starts, Ray's own among them.
"""

import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.list_directories import count_differing_lists
from benchmarks.many_rows import write_queries
from benchmarks.process_trees import run_measured, run_measured_with_children
from benchmarks.run import Config, Result
from nextreel.prediction.manifest import ModelManifest
from nextreel.prediction.saving import load_mapped
from nextreel.scale.ray_cluster import LOCAL, RAY


def measure(config: Config, data: Path) -> Result:
    """Return what each command takes at each place, and what of the results isn't the same."""
    with tempfile.TemporaryDirectory(prefix="nextreel-ray-large-") as directory:
        home = Path(directory)
        copies = ("--users", str(config["users"]), "--movies", str(config["movies"]))
        run_measured(_python("benchmarks.expanded_movielens", data.absolute(), "source", *copies), home)
        run_measured(_python("nextreel", "ingest", "source", "data"), home)
        commands: dict[str, dict[str, Result]] = {"fit": {}, "recommend": {}}
        for place in (LOCAL, RAY):
            fit = ("fit", "data", "--model", config["model"], "--out", f"model-{place}")
            commands["fit"][place] = _measure(home, *fit, "--on", place)
        predictor, _ = load_mapped(home / "model-local")
        write_queries(predictor.dataset, config["queries"], home / "queries.parquet")
        for place in (LOCAL, RAY):
            recommend = (
                "recommend",
                "model-local",
                "--queries",
                "queries.parquet",
                "--out",
                f"lists-{place}",
            )
            commands["recommend"][place] = _measure(home, *recommend, "--on", place)
        fitted, fitted_on_ray = (ModelManifest.read(home / f"model-{place}") for place in (LOCAL, RAY))
        return {
            "rows": fitted.data.interactions,
            "movies": fitted.data.movies,
            **commands,
            "model_files_that_differ": [
                name for name, sha256 in fitted.files.items() if fitted_on_ray.files.get(name) != sha256
            ],
            "lists_that_differ": count_differing_lists(home / "lists-local", home / "lists-ray"),
        }


def _measure(home: Path, *arguments: str) -> Result:
    usage = run_measured_with_children(_python("nextreel", *arguments), home)
    print(arguments, usage, flush=True)
    return asdict(usage)


def _python(module: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", module, *map(str, arguments)]
