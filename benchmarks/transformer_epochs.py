"""Kind `transformer-epochs`: the seconds of an epoch on one thread, on two, and by two worker processes of Ray.

Each measurement is a process of its own:

    python -m benchmarks.transformer_epochs PLACE EPOCHS DATA_DIR

fits the transformer and prints JSON. Of several epochs the shortest counts: the first one also builds kernels. Ray's
own processes share the cores with its workers. On a machine that computes something else meanwhile, the figures say
nothing.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.run import Config, Result
from nextreel.data.reading.table_reader import read_dataset
from nextreel.machine import usable_cores
from nextreel.models.registry import create_model
from nextreel.models.training.epochs import Epoch, Training
from nextreel.scale.ray_cluster import connect
from nextreel.scale.ray_replicas import RayReplicas

THREADS = {"one thread": 1, "two threads": 2, "two workers": 1}
"""Number of threads of each process."""


def measure(config: Config, data: Path) -> Result:
    """Return the seconds of each epoch and of what comes before and after them, and what a second core brings."""
    runs = {place: _run(place, config["epochs"], data) for place in config["places"]}
    seconds = {place: min(run["epochs"]) for place, run in runs.items()}
    alone = seconds["one thread"]
    return {
        "load": round(os.getloadavg()[0], 1),
        "usable_cores": usable_cores(),
        "runs": runs,
        "epoch_seconds": {place: round(value, 1) for place, value in seconds.items()},
        "speedup": {place: round(alone / value, 2) for place, value in seconds.items()},
    }


def _run(place: str, epochs: int, data: Path) -> dict[str, list[float]]:
    command = [sys.executable, "-m", __name__, place, str(epochs), str(data)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(THREADS[place])}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    run: dict[str, list[float]] = json.loads(done.stdout)
    print(place, run, flush=True)
    return run


def _fit(place: str, epochs: int, data: Path) -> dict[str, object]:
    dataset, seconds = read_dataset(data), list[float]()
    model = create_model("transformer", {"epochs": epochs})

    def note(epoch: Epoch) -> None:
        seconds.append(round(epoch.seconds, 2))

    started = time.perf_counter()
    if place == "two workers":
        with connect("ray") as ray:
            model.fit(dataset, Training(on_epoch=note, run_replicas=RayReplicas(ray)))
    else:
        model.fit(dataset, Training(on_epoch=note))
    return {"epochs": seconds, "other": round(time.perf_counter() - started - sum(seconds), 2)}


if __name__ == "__main__":
    print(json.dumps(_fit(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))))
