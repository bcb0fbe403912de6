"""Freed arrays go back to the operating system, so that a server that runs for weeks stays as large as it needs to be.

glibc gives a large block a mapping of its own, which ends when the block is freed, but each one that is freed moves the
size from which on a block counts as large upwards, to at most 32 MiB. From then on the arrays of batches and of folding
lie in the heaps of whichever thread made them, which fragment and grow for hours. mallopt(3) fixes the size.
"""

import asyncio
import contextlib
import ctypes
import logging
import platform
import signal

from nextreel.errors import NextreelError
from nextreel.serving.http.dependencies import AppState

logger = logging.getLogger("nextreel")

MMAP_THRESHOLD = -3
"""M_MMAP_THRESHOLD of glibc's malloc.h."""
LARGE = 256 * 1024
"""Bytes from which on a block has a mapping of its own. What a single query needs is smaller."""


def return_freed_arrays() -> None:
    """Fix the size from which on this process frees a block to the system; without glibc, nothing changes."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(MMAP_THRESHOLD, LARGE)


TEND_SECONDS = 1.0
"""How often a process looks after what isn't a request's business."""


async def look_after(state: AppState) -> None:
    """Every second, and at once on SIGHUP, what isn't a request's business."""
    due = asyncio.Event()
    with contextlib.suppress(NotImplementedError, RuntimeError):  # Windows, or not the main thread
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, due.set)
    served: dict[tuple[str, str], None] = {}
    while True:
        try:
            await state.run_writing(state.service.maintain)
            state.metrics.lag.set(await state.run_writing(state.service.engine.follower.lag))
        except NextreelError as error:
            logger.warning("can't look after the store", extra={"error": str(error)})
        except Exception:
            logger.exception("looking after the store broke")
        for version in served:
            state.metrics.model.labels(*version).set(0)
        for engine in state.service.engines:
            served[engine.version.model, engine.version.name] = None
            state.metrics.model.labels(engine.version.model, engine.version.name).set(1)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TEND_SECONDS):
                await due.wait()
        due.clear()
