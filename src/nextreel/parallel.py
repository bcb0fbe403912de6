"""Computing in several threads, one a core, each of which lets BLAS use only itself.

numpy and scipy release Python's lock while they compute. Left alone, BLAS would start as many threads again for each
product of matrices, which then wait for each other.
"""

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from contextvars import copy_context
from functools import cache
from threading import Lock
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

from nextreel.machine import usable_threads

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_threads(
    function: Callable[[Item], Result], items: Iterable[Item], most_threads: int | None = None
) -> Iterator[Result]:
    """Yield the function's result for each item, in the order of the items.

    The function is called in up to `usable_threads()` threads, and only a few items ahead of the one whose result is
    yielded, so that few results are in memory. With one thread, it is called in this one. BLAS computes in one thread
    for each of them either way: what it computes in several may differ by rounding.
    """
    threads = usable_threads() if most_threads is None else min(most_threads, usable_threads())
    if threads <= 1:
        with single_threaded_blas():
            yield from map(function, items)
        return
    waiting: deque[Future[Result]] = deque()
    with single_threaded_blas(), ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                # Each call has the context of the caller, which says whether the result is still wanted.
                waiting.append(pool.submit(copy_context().run, function, item))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def single_threaded_blas() -> AbstractContextManager[None]:
    """Let BLAS compute in the calling thread only until all such blocks of the process have ended."""
    return _BLAS.single_threaded()


class _Blas:
    """The number of threads of the BLAS libraries of this process, which is the same for all of its threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._n_blocks = 0
        self._limits: dict[bool, Any] = {}

    @contextmanager
    def single_threaded(self) -> Iterator[None]:
        """Do as `single_threaded_blas`."""
        with self._lock:
            self._n_blocks += 1
            with_scipy = "scipy.linalg" in sys.modules  # which another block may have found before its import
            if with_scipy not in self._limits:
                self._limits[with_scipy] = _control_blas(with_scipy).limit(limits=1, user_api="blas")
        try:
            yield
        finally:
            with self._lock:
                self._n_blocks -= 1
                while self._n_blocks == 0 and self._limits:
                    self._limits.popitem()[1].restore_original_limits()


@cache
def _control_blas(with_scipy: bool) -> ThreadpoolController:
    """Find the BLAS libraries that are loaded, which takes longer than many a computation.

    scipy brings a library of its own, so they are found once without it and once with it.
    """
    return ThreadpoolController()


_BLAS = _Blas()
