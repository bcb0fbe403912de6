"""Running all contestants of a comparison, each in a process of its own, so that its time and memory don't depend on
the models before it: one after the other on this machine, or as tasks wherever the caller has them run."""

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from nextreel.data.data_format import DataFormat
from nextreel.data.splitting.split_directory import TrainTest, read_train_test
from nextreel.data.splitting.split_rules import Rule
from nextreel.data.timeline import Ties
from nextreel.errors import NextreelError
from nextreel.evaluation.comparison.contestants import Contestant, ContestantRun, run_contestant
from nextreel.evaluation.protocol import HistoryMode
from nextreel.tasks import RunTasks, run_here


@dataclass(frozen=True)
class Contest:
    """The data that all contestants run on, and what is asked of them."""

    directory: Path
    """A data directory, or one that `nextreel split` wrote."""
    rule: Rule | None
    """How to split a data directory."""
    request: DataFormat | None
    """What the caller says of the format of the data."""
    modes: Sequence[HistoryMode]
    k: int
    """Length of the recommendation lists."""
    exclude_seen: bool
    ties: Ties | None

    def run(self, contestant: Contestant, parts: TrainTest) -> ContestantRun:
        """Run a contestant in this process, as `run_contestant` does."""
        return run_contestant(contestant, parts, self.modes, self.k, self.exclude_seen, self.ties)


def run_contestants(
    contest: Contest,
    contestants: Sequence[Contestant],
    parts: TrainTest,
    on_model: Callable[[int, str], None],
    run_tasks: RunTasks | None = None,
) -> list[ContestantRun]:
    """Run all contestants, and return their runs in the same order.

    Parameters
    ----------
    contest : Contest
        What all of them run on.
    contestants : sequence of Contestant
        What to run.
    parts : TrainTest
        The data of the contest, which were read already.
    on_model : callable
        Called before each contestant with the number of contestants done and the contestant's name.
    run_tasks : RunTasks, optional
        Runs the models that have to be fitted, each in a process of its own. They share the parts that were read, so
        that other machines needn't have the files. Saved models and files of lists are files of this machine, and so
        run here. By default, all of them run here, in processes that read the directory themselves.

    Raises
    ------
    ConfigError, DataError, NextreelError
        As `run_contestant` and `read_train_test` do, or a process was killed.
    """
    runs: dict[str, ContestantRun] = {}

    def announce(those: Sequence[Contestant]) -> Iterator[Contestant]:
        for contestant in those:
            on_model(len(runs), contestant.name)
            yield contestant

    here = [contestant for contestant in contestants if run_tasks is None or contestant.path is not None]
    elsewhere = [contestant for contestant in contestants if contestant not in here]
    for contestant, run in run_here(_run_in_subprocess, contest, announce(here)):
        runs[contestant.name] = run
    if run_tasks is not None and elsewhere:
        for contestant, run in run_tasks(_run_task, (contest, parts), announce(elsewhere)):
            runs[contestant.name] = run
    return [runs[contestant.name] for contestant in contestants]


def _run_in_subprocess(contest: Contest, contestant: Contestant) -> ContestantRun:
    """Run a contestant in a new process that reads the data directory itself.

    Raises NextreelError if the process is killed, and what `run_contestant` and `read_train_test` raise.
    """
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=_exit_on_interrupt) as pool:
        # The process unblocks the signal once it has started; Ctrl-C before that would print its traceback.
        with _blocking_interrupts():
            future = pool.submit(_read_and_run, contest, contestant)
        try:
            return future.result()
        except BrokenProcessPool:
            raise NextreelError(
                f"{contestant.name}: its process was killed, as the operating system does when memory runs out"
            ) from None


def _read_and_run(contest: Contest, contestant: Contestant) -> ContestantRun:
    return contest.run(contestant, read_train_test(contest.directory, contest.rule, contest.request))


def _run_task(shared: tuple[Contest, TrainTest], contestant: Contestant) -> ContestantRun:
    contest, parts = shared
    return contest.run(contestant, parts)


@contextmanager
def _blocking_interrupts() -> Iterator[None]:
    """Block Ctrl-C in this thread, and in processes that it starts, except on Windows, which can't."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _exit_on_interrupt() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
