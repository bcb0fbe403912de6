"""Processes forked from this one, which has only imported the libraries: a thread of a computation would be missing."""

import os
import pickle
import select
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from tests.cli.commands import make_environment
from tests.warm_python import ONE_THREAD
from tests.warm_python.forking import MODULES

T = TypeVar("T")
LONGEST_SECONDS = 300
"""After so long, a process hangs and is killed."""


def import_libraries() -> None:
    """Import what commands need, so that no process has to; torch is left to the one command that needs it."""
    for name in MODULES:
        if name != "torch":
            import_module(name)


def call(function: Callable[..., T], *arguments: object) -> T:
    """Return the result of a function that is called in a process of its own; an error there is raised here."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        try:
            outcome: Any = (True, function(*arguments))
        except Exception:  # passed on
            outcome = (False, traceback.format_exc())
        with os.fdopen(writer, "wb") as pipe:
            pickle.dump(outcome, pipe)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        is_result, result = pickle.load(pipe)
    os.waitpid(pid, 0)
    if not is_result:
        raise RuntimeError(result)
    return result  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Ended:
    """A process that has ended."""

    code: int
    """Its exit code; negative if a signal ended it."""
    complaint: str
    """What it wrote to its standard error."""


@dataclass
class Program:
    """A process that will run Python code in a directory once it is told to."""

    pid: int
    start: int
    """The end of a pipe; to close it starts the program."""
    errors: Path

    @classmethod
    def prepare(cls, code: str, home: Path) -> "Program":
        """Fork a process that waits."""
        errors = home.with_name("errors")
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(writer)
            os.read(reader, 1)
            os.close(reader)
            _become(code, home, errors)
        os.close(reader)
        return cls(pid, writer, errors)

    def run(self) -> Ended:
        """Let it run, and wait until it has ended."""
        os.close(self.start)
        process = os.pidfd_open(self.pid)
        if not select.select([process], [], [], LONGEST_SECONDS)[0]:
            os.kill(self.pid, signal.SIGKILL)
        os.close(process)
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return Ended(code, self.errors.read_text())


def _become(code: str, home: Path, errors: Path) -> None:
    """Run code as an interpreter does, and end."""
    os.chdir(home)
    os.environ.update({**make_environment(), **dict.fromkeys(ONE_THREAD, "1")})
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(os.open(errors, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), 2)
    status = 0
    try:
        exec(compile(code, "<command>", "exec"), {"__name__": "__main__"})
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
