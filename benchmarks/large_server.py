"""A server of tens of millions of ratings: how long it takes to start, and how much memory its workers need.

The data are those of `expanded_movielens`. The first start imports them into a new SQLite store; later ones find them
there. A start ends when the server has shown that it recommends (`/readyz`). Seconds of the processor are measured
beside the others, since they don't depend on what else runs on the machine.
"""

import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from benchmarks.process_trees import list_processes, read_cpu_seconds, read_memory, to_gib
from benchmarks.run import Config, Result
from benchmarks.serving import serving
from nextreel.prediction.manifest import ModelManifest

EXPANDED_USERS = 7
"""Distance between the UserIDs whose lists are requested, so that they are of users of different length."""


def measure(config: Config, data: Path) -> Result:
    """Return the size of the data, and what each start of a server took and gave."""
    with tempfile.TemporaryDirectory(prefix="nextreel-large-") as directory:
        home = Path(directory)
        factors = ("--users", str(config["users"]), "--movies", str(config["movies"]))
        _run("benchmarks.expanded_movielens", str(data), str(home / "data"), *factors)
        _run("nextreel", "fit", str(home / "data"), "--model", config["model"], "--out", str(home / "model"))
        fitted = ModelManifest.read(home / "model").data
        starts = [_start(home, workers, config["queries"]) for workers in config["workers"]]
    return {"rows": fitted.interactions, "movies": fitted.movies, "starts": starts}


def _run(module: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", module, *arguments], check=True)


def _start(home: Path, workers: int, queries: int) -> Result:
    """Start a server over the store in `home`, ask it for lists about now, and return what that took."""
    started = time.perf_counter()
    with serving(home / "model", f"sqlite:///{home}/store.db", workers) as (port, process):
        seconds, processes = time.perf_counter() - started, list_processes(process.pid)
        cpu_seconds = sum(map(read_cpu_seconds, processes))
        latencies = [_request_list(port, EXPANDED_USERS * number) for number in range(queries)]
        memory = {pid: read_memory(pid) for pid in processes}
        measured = {
            "workers": workers,
            "seconds": round(seconds, 1),
            "cpu_seconds": round(cpu_seconds, 1),
            "median_list_ms": round(1000 * statistics.median(latencies), 1),
            "cpu_ms_per_list": round(
                1000 * (sum(map(read_cpu_seconds, processes)) - cpu_seconds) / queries, 2
            ),
            "memory_gib": to_gib(sum(of_process["Pss"] for of_process in memory.values())),
            "largest_own_memory_gib": to_gib(max(of_process["Anonymous"] for of_process in memory.values())),
        }
    print(measured, flush=True)
    return measured


def _request_list(port: int, user: int) -> float:
    """Return the seconds that a list takes."""
    started = time.perf_counter()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/users/{user}/recommendations") as response:
        response.read()
    return time.perf_counter() - started
