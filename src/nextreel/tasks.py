"""Computing a function for many items that don't depend on each other, wherever the caller has it done.

What is computed item by item, such as the windows of a backtest, takes a `RunTasks` and knows no more of the place: it
may be this process, its threads, or a cluster (`nextreel.scale`).
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from nextreel.parallel import map_in_threads

Shared = TypeVar("Shared")
Item = TypeVar("Item")
Result = TypeVar("Result")


class RunTasks(Protocol):
    """Yields the items with the function's results, in any order unless it says otherwise.

    An item is taken only when there is room for its task. The function is one of a module, so that a process elsewhere
    can import it; `shared` is what all tasks need, and what none of them changes.
    """

    def __call__(
        self, function: Callable[[Shared, Item], Result], shared: Shared, items: Iterable[Item]
    ) -> Iterator[tuple[Item, Result]]:
        """Call `function(shared, item)` for each item."""


def results_in_order(results: Iterable[tuple[int, Result]]) -> Iterator[Result]:
    """Yield the results of items that are the numbers from 0 on, in the order of the numbers.

    What comes early waits: numbers are added up in one order, since another one changes the last digits of the sum.
    """
    waiting: dict[int, Result] = {}
    following = 0
    for number, result in results:
        waiting[number] = result
        while following in waiting:
            yield waiting.pop(following)
            following += 1


def run_here(
    function: Callable[[Shared, Item], Result], shared: Shared, items: Iterable[Item]
) -> Iterator[tuple[Item, Result]]:
    """Run one task after the other in this thread; a task may use all cores."""
    for item in items:
        yield item, function(shared, item)


def run_in_threads(
    function: Callable[[Shared, Item], Result],
    shared: Shared,
    items: Iterable[Item],
    most_threads: int | None = None,
) -> Iterator[tuple[Item, Result]]:
    """Run tasks in threads, one a core but at most so many, and yield their results in the order of the items."""
    return map_in_threads(lambda item: (item, function(shared, item)), items, most_threads)
