"""Jobs for the tests of Ray: requests that meet an accident in a worker, and a driver that is killed in mid-job.

python -m tests.scale.jobs ADDRESS MODEL OUT runs the job on the cluster at ADDRESS, and kills itself after two parts.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from nextreel.machine import usable_threads
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import load_mapped
from nextreel.scale.list_parts import BatchRequest, ListCounts, describe_run, write_parts
from nextreel.scale.ray_cluster import connect
from nextreel.scale.ray_lists import answer_on_ray
from nextreel.tasks import Item, Result, RunTasks, Shared

ROWS = 20
"""Number of queries of a part."""


@dataclass(frozen=True)
class KillingRequest(BatchRequest):
    """A request whose first answer in a worker kills it."""

    driver: int = 0
    """Process that isn't killed."""
    flag: str = ""
    """File that says that a worker was killed."""

    def answer(self, predictor: Predictor, queries: pl.DataFrame) -> pl.DataFrame:
        if os.getpid() != self.driver:
            try:
                Path(self.flag).touch(exist_ok=False)
            except FileExistsError:
                pass
            else:
                os.kill(os.getpid(), signal.SIGKILL)
        return super().answer(predictor, queries)


@dataclass(frozen=True)
class FailingRequest(BatchRequest):
    """A request that asks for too many movies, but only in a worker."""

    driver: int = 0

    def answer(self, predictor: Predictor, queries: pl.DataFrame) -> pl.DataFrame:
        k = self.k if os.getpid() == self.driver else predictor.dataset.n_movies + 1
        return BatchRequest(k).answer(predictor, queries)


@dataclass(frozen=True)
class CountingRequest(BatchRequest):
    """A request that is answered with the number of threads that a worker computes with, and what it may write to."""

    def answer(self, predictor: Predictor, queries: pl.DataFrame) -> pl.DataFrame:
        shared = predictor.dataset.timeline.timestamps
        return pl.DataFrame({"Threads": [usable_threads()], "Writable": [shared.flags.writeable]})


def double(shared: None, number: int) -> int:
    """Return twice a number."""
    return 2 * number


def kill_this_process(shared: None, item: object) -> None:
    """End the process of a worker as the operating system does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def wait_for_the_interrupt(shared: None, pipe: Path | None) -> None:
    """Write to a named pipe, if there is one, once this task has begun and once it is interrupted."""
    if pipe is None:
        return
    with pipe.open("w") as opened:
        try:
            opened.write("began, ")
            opened.flush()
            while True:
                opened.fileno()
        except KeyboardInterrupt:
            opened.write("ended")


@dataclass(frozen=True)
class KillingOnce:
    """Runs tasks elsewhere; the first of them kills its process the first time."""

    run_tasks: RunTasks
    flag: Path
    """File that says that a process was killed."""

    def __call__(
        self, function: Callable[[Shared, Item], Result], shared: Shared, items: Iterable[Item]
    ) -> Iterator[tuple[Item, Result]]:
        """Call `function(shared, item)` for each item."""
        return self.run_tasks(_call_or_die, (function, shared, self.flag), items)


def _call_or_die(shared: tuple[Callable[[Shared, Item], Result], Shared, Path], item: Item) -> Result:
    function, of_function, flag = shared
    try:
        flag.touch(exist_ok=False)
    except FileExistsError:
        return function(of_function, item)
    kill_this_process(None, item)
    raise AssertionError


def make_queries(predictor: Predictor) -> pl.DataFrame:
    """Return two queries for each user, in no order of time."""
    users = predictor.dataset.users.select("UserID")
    return pl.concat(
        [users.with_columns(Timestamp=pl.lit(at, pl.Int64)) for at in (1_700_000_000, 1_000_000_000)]
    )


def run_job(
    ray: Any, model: Path, out: Path, request: BatchRequest | None = None, stop_after: int = -1
) -> ListCounts:
    """Answer the queries of `make_queries` on a cluster; `stop_after` that many parts, this process is killed."""
    request = request or BatchRequest(5)
    predictor, manifest = load_mapped(model)

    def on_part(done: int, total: int) -> None:
        if done == stop_after:
            os.kill(os.getpid(), signal.SIGKILL)

    return write_parts(
        make_queries(predictor),
        describe_run(manifest, BatchRequest(request.k)),
        out,
        lambda parts: answer_on_ray(ray, predictor, request, parts),
        on_part,
        ROWS,
    )


if __name__ == "__main__":
    with connect(sys.argv[1]) as connected:
        run_job(connected, Path(sys.argv[2]), Path(sys.argv[3]), stop_after=2)
