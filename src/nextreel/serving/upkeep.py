"""What a server process does besides answering requests: follow the store and the model directory, return memory."""

import asyncio
import contextlib
import ctypes
import itertools
import logging
import platform
import signal

from nextreel.errors import NextreelError
from nextreel.serving.http.dependencies import AppState
from nextreel.serving.storage.administration.key_use import exchange_use

UPKEEP_SECONDS = 1.0
"""Seconds between two rounds of upkeep."""

ROUNDS_BETWEEN_RETURNS = 60
"""Number of rounds of upkeep between two returns of freed memory."""

logger = logging.getLogger("nextreel")


def return_freed_memory() -> None:
    """Return memory that this process has freed to the operating system.

    Otherwise a server that runs for weeks would keep growing: glibc keeps the memory of freed arrays for the next ones,
    in a heap for each thread, and the heaps fragment. It could return each array's memory at once instead, but then the
    system clears the memory of each new array, which takes longer than most computations with it. Without glibc, this
    function does nothing.
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


async def keep_up(state: AppState) -> None:
    """Do a round of upkeep every second, and immediately on SIGHUP, until cancelled. Errors are logged.

    Every minute, freed memory is returned.
    """
    is_due = asyncio.Event()
    # Windows has no SIGHUP, and its event loop no handlers; in another thread than the main one there are none either.
    with contextlib.suppress(AttributeError, NotImplementedError, RuntimeError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, is_due.set)
    served_versions: set[tuple[str, str]] = set()
    problem: str | None = None
    for number in itertools.count():
        if number % ROUNDS_BETWEEN_RETURNS == 0:
            await asyncio.to_thread(return_freed_memory)
        problem = await _follow_store(state, problem)
        _report_versions(state, served_versions)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(UPKEEP_SECONDS):
                await is_due.wait()
        is_due.clear()


async def _follow_store(state: AppState, last_problem: str | None) -> str | None:
    """Do a round of upkeep, and return what went wrong; it is logged unless it is the same as in the last round."""
    try:
        await state.run_writing(state.service.maintain)
        state.metrics.lag.set(await state.run_writing(state.service.engine.follower.lag))
        await _exchange_use(state)
    except NextreelError as error:
        problem = str(error)
        if problem != last_problem:
            logger.warning("upkeep failed; it is tried again", extra={"error": problem})
        return problem
    except Exception as error:
        problem = repr(error)
        if problem != last_problem:
            logger.exception("upkeep failed because of a defect; it is tried again")
        return problem
    if last_problem is not None:
        logger.info("upkeep works again")
    return None


async def _exchange_use(state: AppState) -> None:
    """Tell the other processes on the store how much API keys were used here, and learn how much elsewhere.

    If that fails, each process limits the rates by itself meanwhile, and the others are told later.
    """
    if state.shared_use is None:
        return
    taken = state.shared_use.collect()
    try:
        totals = await state.run_writing(exchange_use, state.service.store, taken)
    except BaseException:
        state.shared_use.give_back(taken)
        raise
    state.shared_use.learn(taken, totals)


def _report_versions(state: AppState, served_versions: set[tuple[str, str]]) -> None:
    """Set the metric to 1 for the versions that are served and to 0 for those that were, and add them to the set.

    Another metric says how fresh the current version is.
    """
    for version in served_versions:
        state.metrics.model.labels(*version).set(0)
    for engine in state.service.engines:
        version = (engine.version.model, engine.version.name)
        served_versions.add(version)
        state.metrics.model.labels(*version).set(1)
    state.metrics.learned_until.set(state.service.engine.fitted_until)
