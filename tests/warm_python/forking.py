"""The process that has loaded the libraries and forks those that need them.

It only imports: a thread that computes would be missing in the forked processes.
"""

import atexit
import fcntl
import gc
import json
import multiprocessing
import os
import runpy
import select
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from io import FileIO, TextIOWrapper
from types import FrameType
from typing import Any, TextIO

from prometheus_client import values

MODULES = (
    "nextreel.cli.terminal.result_tables",
    "nextreel.evaluation.model_evaluation",
    "nextreel.models.ease",
    "nextreel.models.item_knn",
    "nextreel.models.sequential_ridge",
    "nextreel.prediction.fitting",
    "nextreel.prediction.saving",
    "nextreel.serving.app",
    "nextreel.serving.server",
    "torch",
)
HANDLERS: dict[signal.Signals, Callable[[int, FrameType | None], Any] | signal.Handlers] = {
    signal.SIGHUP: signal.SIG_DFL,
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
}
"""What an interpreter does at the signals that can be passed on to it, unless it ignores them from its start."""
MOST_FILES = 100
"""Number of open files that a process can have from the one that starts it."""
OUT_OF_THE_WAY = 500
"""File descriptor above those that a process has from the one that starts it."""


@dataclass(frozen=True)
class Request:
    """What a process shall be."""

    arguments: list[str]
    environment: dict[str, str]
    ignored: list[int]
    """Numbers of the signals that it ignores, as those do that `nohup` starts."""
    numbers: list[int]
    """File descriptors that it shall have, streams included."""
    directory: int
    """File descriptor of the directory that it shall run in."""
    files: list[int]
    """File descriptors, in this process, of the files that it shall have."""

    @classmethod
    def receive(cls, connection: socket.socket) -> "Request":
        """Receive what `stand_in.py` sends."""
        length, files, _, _ = socket.recv_fds(connection, 8, MOST_FILES)
        message = connection.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL)
        facts: dict[str, Any] = json.loads(message)
        directory, *files = map(_move_away, files)
        return cls(**facts, directory=directory, files=files)

    def run(self, interpreter: str) -> None:
        """Run in this process, which is new; its errors and its end are the interpreter's.

        Processes that multiprocessing starts from this one are started by `interpreter`.
        """
        os.fchdir(self.directory)
        os.environ.clear()
        os.environ.update(self.environment)
        for number, file in zip(self.numbers, self.files, strict=True):
            os.dup2(file, number)
        self.close()
        for signal_number, handler in HANDLERS.items():
            signal.signal(signal_number, signal.SIG_IGN if signal_number in self.ignored else handler)
        sys.stdin = os.fdopen(0, closefd=False)
        sys.stdout, sys.stderr = _open_unbuffered(1, sys.stdout), _open_unbuffered(2, sys.stderr)
        if "PYTHONWARNINGS" in self.environment:
            warnings.simplefilter(self.environment["PYTHONWARNINGS"])  # type: ignore[arg-type]
        multiprocessing.set_executable(interpreter)
        values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]  # of the environment
        self._run_arguments()

    def _run_arguments(self) -> None:
        first, *rest = self.arguments
        while first == "-B" or first.startswith(("-W", "-X")):
            first, *rest = rest
        if first == "-c":
            code, *rest = rest
            sys.argv = [first, *rest]
            exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
        elif first == "-m":
            sys.argv = rest
            runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        else:
            sys.argv = [first, *rest]
            import_module("nextreel.cli").main()

    def close(self) -> None:
        """Close what was received."""
        for file in (self.directory, *self.files):
            os.close(file)


def run_in_forks(address: str, interpreter: str) -> None:
    """Fork a process for each connection to the socket, until stdin is closed."""
    for name in MODULES:
        import_module(name)
    gc.freeze()
    request = _wait_for_request(address)
    if request is None:
        return
    try:
        request.run(interpreter)
        code = 0
    except SystemExit as end:
        if isinstance(end.code, str):
            raise  # the interpreter prints it
        code = end.code or 0
    _end(code)


def _end(code: int) -> None:
    """End a forked process as an interpreter ends, but without deleting all modules one by one.

    To delete what was imported before the fork, the process would have to copy most of its memory first, which takes
    longer than most commands.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    gc.collect()  # so that what was left open is warned of
    os._exit(code)  # nothing is left to be written, as the streams aren't buffered


def _wait_for_request(address: str) -> Request | None:
    """Return a request in each forked process, and None in this one once stdin is closed."""
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("ready", flush=True)
        while True:
            readable, _, _ = select.select([listener, sys.stdin], [], [])
            _forget_ended_attendants()
            if sys.stdin in readable:
                return None
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                return _attend(connection)
            connection.close()


def _attend(connection: socket.socket) -> Request:
    """Fork the process of a request, and return the request in it.

    The other process is its attendant, which passes on signals, and at the end sends the exit code. If the stand-in is
    gone, it kills the process.
    """
    request = Request.receive(connection)
    ends, held = os.pipe()
    held = _move_away(held)
    process = os.fork()
    if process == 0:
        connection.close()
        os.close(ends)  # `held` is closed by the end of this process
        return request
    request.close()
    os.close(held)
    while ends not in select.select([ends, connection.fileno()], [], [])[0]:
        number = connection.recv(1)
        os.kill(process, number[0] if number else signal.SIGKILL)
        if not number:
            break
    _, status = os.waitpid(process, 0)
    with suppress(BrokenPipeError):
        connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _forget_ended_attendants() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _move_away(file: int) -> int:
    """Give a file a descriptor that no process has from the one that starts it."""
    moved = fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, OUT_OF_THE_WAY)
    os.close(file)
    return moved


def _open_unbuffered(descriptor: int, like: TextIO) -> TextIO:
    """Return a text stream with the encoding of another one."""
    binary = FileIO(descriptor, "w", closefd=False)
    return TextIOWrapper(binary, like.encoding, like.errors, write_through=True)
