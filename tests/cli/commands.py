"""Running the command line as a user does.

`succeed` and `fail` run a command in this process, which saves the second that a new interpreter takes to import the
libraries. `in_new_process` is for tests of what only a process has: its start, signals and environment.
"""

import io
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

from nextreel.cli import main
from tests import warm_python

Completed = subprocess.CompletedProcess[str]


def in_new_process(*arguments: object, cwd: Path | None = None) -> Completed:
    """Run a command in a pipe, with a fixed width and with every warning an error."""
    command = [sys.executable, "-m", "nextreel", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, env=make_environment(), check=False
    )


def nextreel(*arguments: object, cwd: Path | None = None, encoding: str = "utf-8") -> Completed:
    """Run a command as `in_new_process` does, but within this process; its streams may have another encoding."""
    command = [str(Path(sys.executable).with_name("nextreel")), *map(str, arguments)]
    if "compare" in command:  # each model is fitted in a process of its own
        warm_python.fork_processes()
    with (
        _pipe(encoding) as stdout,
        _pipe(encoding) as stderr,
        redirect_stdout(stdout),
        redirect_stderr(stderr),
    ):
        code = _run(command, cwd or Path.cwd())
        return Completed(command, code, _text_of(stdout), _text_of(stderr))


def make_environment(**variables: str) -> dict[str, str]:
    """Return the variables that a command runs with: the interpreter's directory is on the PATH, as in a virtual
    environment that is active."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "COLUMNS": "120", "PYTHONWARNINGS": "error", **variables}


def succeed(*arguments: object, cwd: Path | None = None) -> str:
    """Run a command that must exit with 0 and print nothing to stderr; returns what it prints to stdout."""
    return check_success(nextreel(*arguments, cwd=cwd))


def fail(*arguments: object, cwd: Path | None = None) -> str:
    """Run a command that must exit with 1 and without a traceback; returns what it prints to stderr."""
    return check_failure(nextreel(*arguments, cwd=cwd))


def check_success(completed: Completed) -> str:
    """Check that a command exited with 0 and printed nothing to stderr; returns what it printed to stdout."""
    assert completed.returncode == 0, completed.stderr
    assert completed.stderr == ""
    return completed.stdout


def check_failure(completed: Completed) -> str:
    """Check that a command exited with 1 and without a traceback; returns what it printed to stderr."""
    assert completed.returncode == 1, completed.stdout + completed.stderr
    assert "Traceback" not in completed.stderr
    return completed.stderr


def _run(command: list[str], directory: Path) -> int:
    """Run the command's `main` in a directory and return its exit code; an error that it doesn't handle is raised."""
    with (
        chdir(directory),
        mock.patch.dict(os.environ, make_environment()),
        mock.patch.object(sys, "argv", command),
        warnings.catch_warnings(action="error"),
    ):
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0)
    return 0


@contextmanager
def _pipe(encoding: str) -> Iterator[io.TextIOWrapper]:
    with io.TextIOWrapper(io.BytesIO(), encoding, write_through=True) as stream:
        yield stream


def _text_of(stream: io.TextIOWrapper) -> str:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode(stream.encoding)
