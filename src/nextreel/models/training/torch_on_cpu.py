"""How torch learns in small steps on a processor."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def one_quick_thread(torch: ModuleType) -> Iterator[None]:
    """Torch on one thread, with denormal numbers taken for zero; the thread count is put back.

    A step is short and bound by memory: a second thread gains little on an idle machine and loses much, in
    spinning at barriers, on a busy one. Momentum that fades becomes denormal, and slow to compute with, but
    never zero.
    """
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(n_threads)
