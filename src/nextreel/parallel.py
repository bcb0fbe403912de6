"""Computing in several threads, one a core, each of which lets BLAS use only itself.

numpy and scipy release Python's lock while they compute. Left alone, BLAS would start as many threads again for each
product of matrices, which then wait for each other.
"""

import ctypes
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from pathlib import Path
from threading import Lock
from typing import TypeVar

from nextreel.machine import usable_threads

Item = TypeVar("Item")
Result = TypeVar("Result")

MAPS = Path("/proc/self/maps")
"""File that lists the libraries of this process."""
OPENBLAS_NAMES = tuple(
    (f"{prefix}openblas_get_num_threads{suffix}", f"{prefix}openblas_set_num_threads{suffix}")
    for prefix in ("scipy_", "")
    for suffix in ("64_", "_64", "")
)
"""Names under which builds of OpenBLAS have the functions that get and set the number of its threads."""


def map_in_threads(
    function: Callable[[Item], Result], items: Iterable[Item], most_threads: int | None = None
) -> Iterator[Result]:
    """Yield the function's result for each item, in the order of the items.

    The function is called in up to `usable_threads()` threads, and only a few items ahead of the one whose result is
    yielded, so that few results are in memory. With one thread, it is called in this one.
    """
    threads = usable_threads() if most_threads is None else min(most_threads, usable_threads())
    if threads == 1:
        yield from map(function, items)
        return
    waiting: deque[Future[Result]] = deque()
    with _BLAS.single_threaded(), ThreadPoolExecutor(threads) as pool:
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


class _Blas:
    """The number of threads of the OpenBLAS libraries of this process, which numpy and scipy bring along.

    Other libraries are left alone, and so are all on systems that don't list those of a process.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._n_blocks = 0
        self._before: list[tuple[Callable[[int], object], int]] = []

    @contextmanager
    def single_threaded(self) -> Iterator[None]:
        """Let BLAS compute in the calling thread only until all such blocks of the process have ended."""
        with self._lock:
            self._n_blocks += 1
            if self._n_blocks == 1:
                functions = _find_openblas()
                self._before = [(set_threads, get_threads()) for get_threads, set_threads in functions]
                for set_threads, _ in self._before:
                    set_threads(1)
        try:
            yield
        finally:
            with self._lock:
                self._n_blocks -= 1
                if self._n_blocks == 0:
                    for set_threads, threads in self._before:
                        set_threads(threads)


def _find_openblas() -> list[tuple[Callable[[], int], Callable[[int], object]]]:
    """Return the functions that get and set the number of threads, of each OpenBLAS library of this process."""
    try:
        lines = MAPS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    paths = {line.split(maxsplit=5)[-1] for line in lines if "openblas" in line}
    functions = []
    for path in sorted(path for path in paths if "openblas" in Path(path).name):
        try:
            library = ctypes.CDLL(path)
        except OSError:
            continue
        names = [pair for pair in OPENBLAS_NAMES if hasattr(library, pair[0]) and hasattr(library, pair[1])]
        functions += [(getattr(library, get), getattr(library, set_)) for get, set_ in names[:1]]
    return functions


_BLAS = _Blas()
