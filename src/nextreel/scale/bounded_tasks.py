"""Tasks on a cluster, only so many at a time that their arguments and results fit into memory."""

from collections.abc import Callable, Generator, Iterable
from typing import Any, TypeVar

from nextreel.errors import NextreelError

Item = TypeVar("Item")

TASKS_PER_CORE = 2
"""Number of tasks in flight for each core of the cluster: one that computes, one whose arguments arrive meanwhile."""


def run_bounded(
    ray: Any,
    items: Iterable[Item],
    submit: Callable[[Item], Any],
    most: Callable[[], int] | None = None,
    in_order: bool = False,
) -> Generator[tuple[Item, Any], None, None]:
    """Submit a task for each item, and yield the items with the results of their tasks, as they become ready.

    An item is taken from `items` only when there is room for its task, so that a caller who is slow to use the results
    slows down the tasks too.

    Parameters
    ----------
    ray : module
        Ray, connected to a cluster.
    items : Iterable
        What there is a task for.
    submit : callable
        Submits the task of an item and returns the reference of its result.
    most : callable, optional
        Returns how many tasks may be in flight; by default TASKS_PER_CORE for each core that the cluster has now.
    in_order : bool
        Whether results come in the order of the items. An item is then taken only after the results of all but the last
        `most` before it were used, whichever task is finished first.

    Raises
    ------
    NextreelError
        A task raised it, or its process was killed again and again.
    """
    limit = most if most is not None else lambda: count_tasks(ray)
    waiting: dict[Any, Item] = {}
    remaining = iter(items)
    is_last = False
    try:
        while True:
            while not is_last and len(waiting) < limit():
                try:
                    item = next(remaining)
                except StopIteration:
                    is_last = True
                else:
                    waiting[submit(item)] = item
            if not waiting:
                return
            candidates = [next(iter(waiting))] if in_order else list(waiting)
            ready, _ = ray.wait(candidates, num_returns=1)
            yield waiting.pop(ready[0]), _get(ray, ready[0])
    finally:
        for reference in waiting:
            ray.cancel(reference)


def count_tasks(ray: Any, per_core: int = TASKS_PER_CORE) -> int:
    """Return how many tasks may be in flight; the cluster may have grown since the last call."""
    return per_core * max(1, int(ray.cluster_resources().get("CPU", 1)))


def _get(ray: Any, reference: Any) -> Any:
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, NextreelError):
            raise error.cause from None
        raise
    except ray.exceptions.RayError as error:
        reason = str(error).strip().partition("\n")[0]
        raise NextreelError(
            f"a task on the Ray cluster was lost ({type(error).__name__}: {reason}); the same command continues from "
            "what is finished"
        ) from error
