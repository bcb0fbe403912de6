"""Tasks of one thread and one core each on a Ray cluster.

What all tasks need goes into the cluster's object store once. A worker process maps what numpy holds of it there,
without a copy, so that all workers of a machine share it; frames and torch's networks are copied once for each worker.
Items travel with the tasks, and results come back, so the machines need no common file system.
"""

import os
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from nextreel.errors import ConfigError, require
from nextreel.machine import DEVICE_VARIABLE
from nextreel.parallel import single_threaded_blas
from nextreel.scale.bounded_tasks import TASKS_PER_CORE, count_tasks, run_bounded
from nextreel.scale.ray_cluster import LOCAL, RAY, check_place, connect, prepare_worker, require_listener
from nextreel.tasks import Item, Result, Shared
from nextreel.version import __version__

THREADS = 1
"""Number of threads that a task computes with, and of cores that it asks the cluster for. Tasks don't depend on each
other, so those of one thread leave no core waiting for another."""
RETRIES = 3
"""Number of times that a task is run again because its process was killed."""


@dataclass(frozen=True)
class RayTasks:
    """Runs tasks on a cluster, as `nextreel.tasks.RunTasks` describes."""

    ray: Any
    """The module, connected to a cluster whose machines have the same nextreel."""
    at_once: int | None = None
    """Number of tasks that may be under way; by default two for each core that the cluster has, or one in order."""
    in_order: bool = False
    """Whether results come in the order of the items; otherwise in the order in which they are finished."""
    own_process: bool = False
    """Whether each task gets a process of its own, so that its time and memory don't depend on those before it."""

    def __call__(
        self, function: Callable[[Shared, Item], Result], shared: Shared, items: Iterable[Item]
    ) -> Generator[tuple[Item, Result], None, None]:
        """Call `function(shared, item)` for each item in a worker process; closing the generator ends the tasks.

        Raises
        ------
        NextreelError
            A task raised it, or its process was killed again and again.
        """
        reference = self.ray.put(shared)
        calls = {"max_calls": 1} if self.own_process else {}
        task = self.ray.remote(num_cpus=THREADS, max_retries=RETRIES, **calls)(run_task)

        def submit(item: Item) -> Any:
            # In a list, so that a worker gets the reference, and looks into the store only once.
            return task.remote([reference], function, item, __version__)

        def most() -> int:
            return self.at_once or count_tasks(self.ray, 1 if self.in_order else TASKS_PER_CORE)

        return run_bounded(self.ray, items, submit, most, self.in_order)


def prepare_place(place: str) -> None:
    """Find out whether a place can be used, before a command reads data for it.

    Raises
    ------
    ConfigError
        It isn't a place, nothing listens at the address, or a GPU was asked for.
    MissingExtraError
        Ray isn't installed.
    """
    check_place(place)
    if place == LOCAL:
        return
    require("ray", "scale")
    if place != RAY:
        require_listener(place)
    device = os.environ.get(DEVICE_VARIABLE, "auto")
    if device not in ("auto", "cpu"):
        raise ConfigError(f"device {device}: a Ray cluster computes on CPUs here; expected auto or cpu")
    os.environ[DEVICE_VARIABLE] = "cpu"


@contextmanager
def tasks_at(
    place: str, at_once: int | None = None, *, in_order: bool = False, own_process: bool = False
) -> Iterator[RayTasks | None]:
    """Connect to the cluster of a place and yield what runs tasks there, as `RayTasks` says; None for this process.

    Raises ConfigError and MissingExtraError as `connect` does.
    """
    if place == LOCAL:
        yield None
        return
    with connect(place) as ray:
        yield RayTasks(ray, at_once, in_order, own_process)


def run_task(
    shared: list[Any], function: Callable[[Shared, Item], Result], item: Item, version: str
) -> Result:
    """Call `function(shared, item)` in a worker process.

    Parameters
    ----------
    shared : list of one reference
        What all tasks need, in the object store.
    function : callable
        What to compute.
    item : object
        What the task is about.
    version : str
        The version of nextreel that submitted the task.
    """
    prepare_worker(version, THREADS)
    fetched = _fetch(shared[0])
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(THREADS)
    with single_threaded_blas():
        return function(fetched, item)


@lru_cache(maxsize=1)
def _fetch(reference: Any) -> Any:
    return require("ray", "scale").get(reference)
