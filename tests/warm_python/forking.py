"""The process that has loaded the libraries and forks those that need them.

It only imports: a thread that computes would be missing in the forked processes.
"""

import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
import warnings
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from io import TextIOWrapper
from typing import Any, TextIO

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
)


@dataclass(frozen=True)
class Request:
    """What a process shall be."""

    arguments: list[str]
    directory: str
    environment: dict[str, str]
    streams: list[int]
    """File descriptors of stdin, stdout and stderr."""

    @classmethod
    def receive(cls, connection: socket.socket) -> "Request":
        """Receive what `stand_in.py` sends."""
        length, streams, _, _ = socket.recv_fds(connection, 8, 3)
        message = connection.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL)
        facts: dict[str, Any] = json.loads(message)
        return cls(**facts, streams=streams)

    def run(self) -> None:
        """Run in this process, which is new; its errors and its end are the interpreter's."""
        os.chdir(self.directory)
        os.environ.clear()
        os.environ.update(self.environment)
        for place, stream in enumerate(self.streams):
            os.dup2(stream, place)
            os.close(stream)
        sys.stdin = open(0, closefd=False)
        sys.stdout, sys.stderr = _open_unbuffered(1, sys.stdout), _open_unbuffered(2, sys.stderr)
        first, *rest = self.arguments
        if first == "-c":
            code, *rest = rest
            sys.argv = [first, *rest]
            exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
        elif first == "-m":
            sys.argv = rest
            runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        else:
            sys.argv = self.arguments
            import_module("nextreel.cli").main()


def run_in_forks() -> None:
    """Fork a process for each connection to the socket `sys.argv[1]`, until stdin is closed."""
    for name in MODULES:
        import_module(name)
    gc.freeze()
    request = _wait_for_request(sys.argv[1])
    if request is not None:
        request.run()


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
    process = os.fork()
    if process == 0:
        connection.close()
        os.close(ends)  # `held` is closed by the end of this process
        return request
    for descriptor in (held, *request.streams):
        os.close(descriptor)
    while ends not in select.select([ends, connection], [], [])[0]:
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


def _open_unbuffered(descriptor: int, like: TextIO) -> TextIO:
    """Return a text stream with the encoding of another one."""
    binary = open(descriptor, "wb", buffering=0, closefd=False)
    return TextIOWrapper(binary, like.encoding, like.errors, write_through=True)
