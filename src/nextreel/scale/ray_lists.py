"""Recommendation lists by tasks on a Ray cluster.

The model goes into the cluster's object store once. A worker process maps what numpy holds of it there, without a copy,
so that all workers of a machine share it; torch's networks are copied once for each worker. The queries travel with the
tasks, and the lists come back, so the machines need no common file system.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl

from nextreel.data.schema import TIMESTAMP, USER_ID
from nextreel.data.times import LATEST_TIMESTAMP
from nextreel.errors import ConfigError, require
from nextreel.machine import DEVICE_VARIABLE
from nextreel.prediction.predictor import Predictor
from nextreel.scale.bounded_tasks import run_bounded
from nextreel.scale.list_parts import AnsweredPart, BatchRequest, Part
from nextreel.version import __version__

THREADS = 1
"""Number of threads that a task computes with, and of cores that it asks the cluster for. The batches of queries don't
depend on each other, so tasks of one thread leave no core waiting for another."""
RETRIES = 3
"""Number of times that a task is run again because its process was killed."""


def compute_on_cpu() -> None:
    """Let networks compute on the CPU in this process, as they do in the workers.

    Raises
    ------
    ConfigError
        A GPU was asked for.
    """
    device = os.environ.get(DEVICE_VARIABLE, "auto")
    if device not in ("auto", "cpu"):
        raise ConfigError(
            f"device {device}: on a Ray cluster, lists are computed on CPUs; expected auto or cpu"
        )
    os.environ[DEVICE_VARIABLE] = "cpu"


def answer_on_ray(
    ray: Any, predictor: Predictor, request: BatchRequest, parts: Iterable[Part]
) -> Iterator[AnsweredPart]:
    """Yield the lists of each part, in the order in which they are finished.

    Parameters
    ----------
    ray : module
        Ray, connected to a cluster whose machines have the same nextreel.
    predictor : Predictor
        The model, with the data set that histories are cut from.
    request : BatchRequest
        What is asked of every list.
    parts : Iterable[Part]
        The queries; a part is taken only when there is room for its task.

    Raises
    ------
    NextreelError
        A task failed; that of `BatchRequest.answer` if the model or the request is at fault.
    """
    shared = ray.put(prepare(predictor, request))
    task = ray.remote(num_cpus=THREADS, max_retries=RETRIES)(answer_part)

    def submit(part: Part) -> Any:
        # In a list, so that a worker gets the reference, and looks into the store only once.
        return task.remote([shared], request, part.queries, THREADS, __version__)

    for part, lists in run_bounded(ray, parts, submit):
        yield part.number, lists


def prepare(predictor: Predictor, request: BatchRequest) -> Predictor:
    """Return a predictor for workers: without the users' attributes, and with all that scoring derives from a model.

    Two queries are answered for that, one with a history and one without. So the workers share what was derived too,
    and a request that can't be answered fails before anything is sent.
    """
    dataset = predictor.dataset
    active = int(np.argmax(np.diff(dataset.timeline.offsets) > 0))
    user = dataset.users[USER_ID][[active, active]]
    queries = pl.DataFrame({USER_ID: user, TIMESTAMP: [0, LATEST_TIMESTAMP]})
    lean = Predictor(predictor.model, replace(dataset, users=dataset.users.clear()))
    request.answer(lean, queries)
    return lean


def answer_part(
    shared: list[Any], request: BatchRequest, queries: pl.DataFrame, threads: int, version: str
) -> pl.DataFrame:
    """Return the lists of the queries of a part; runs in a worker process.

    Parameters
    ----------
    shared : list of one reference
        The predictor in the object store.
    request : BatchRequest
        What is asked of every list.
    queries : polars.DataFrame
        UserID and Timestamp.
    threads : int
        Number of threads to compute with.
    version : str
        The version of nextreel that submitted the task.
    """
    if version != __version__:
        raise ConfigError(
            f"the Ray cluster has nextreel {__version__}, this machine has {version}: install the same everywhere"
        )
    os.environ |= {"OMP_NUM_THREADS": str(threads), DEVICE_VARIABLE: "cpu"}
    predictor = _fetch(shared[0])
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(threads)
    return request.answer(predictor, queries)


@lru_cache(maxsize=1)
def _fetch(reference: Any) -> Predictor:
    predictor: Predictor = require("ray", "scale").get(reference)
    return predictor
