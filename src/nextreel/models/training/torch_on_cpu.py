"""Settings under which torch computes small models fastest on a CPU."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from nextreel.machine import usable_threads

Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]
"""A function like `map`: it yields what a function returns for each of some arguments, in their order."""


@contextmanager
def one_thread(torch: ModuleType) -> Iterator[None]:
    """Let torch compute in the calling thread only, and reset that afterwards.

    The operations of these models are short. A second thread gains little on an idle machine, and on a busy one it
    costs a lot, because threads wait for one another at every operation. Larger work is divided before, see
    `map_on_threads` and `nextreel.parallel`.
    """
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


@contextmanager
def fast_small_steps(torch: ModuleType) -> Iterator[None]:
    """Run torch on one thread and flush denormal numbers to zero; both settings are reset afterwards.

    Adam's moment estimates of a parameter without gradients decay towards zero. They become denormal, which CPUs
    compute with slowly, long before they become zero.
    """
    with one_thread(torch):
        torch.set_flush_denormal(True)
        try:
            yield
        finally:
            torch.set_flush_denormal(False)


@contextmanager
def seeded_training(torch: ModuleType, seed: int) -> Iterator[None]:
    """Run `fast_small_steps` with torch's random numbers drawn from `seed`; its state is restored afterwards."""
    gpus = list(range(torch.cuda.device_count()))
    with torch.random.fork_rng(devices=gpus), fast_small_steps(torch):
        torch.manual_seed(seed)
        yield


@contextmanager
def map_on_threads(torch: ModuleType, most_threads: int) -> Iterator[Map]:
    """Provide a `map` that runs on as many threads as may be used, each under the settings of `fast_small_steps`."""
    n_threads = min(most_threads, usable_threads())
    if n_threads == 1:
        yield map
        return

    def prepare() -> None:
        torch.set_num_threads(1)  # of operations within this thread
        torch.set_flush_denormal(True)

    with ThreadPoolExecutor(n_threads, initializer=prepare) as pool:
        yield pool.map
