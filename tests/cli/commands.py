"""Running the command line as a user does."""

import os
import subprocess
import sys
from pathlib import Path


def nextreel(*arguments: object, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """Run a command in a pipe, with a fixed width and with every warning an error."""
    command = [sys.executable, "-m", "nextreel", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, env=make_environment(), check=False
    )


def make_environment(**variables: str) -> dict[str, str]:
    """Return the variables that a command runs with: the interpreter's directory is on the PATH, as in a virtual
    environment that is active."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "COLUMNS": "120", "PYTHONWARNINGS": "error", **variables}


def succeed(*arguments: object, cwd: Path | None = None) -> str:
    """Run a command that must exit with 0 and print nothing to stderr; returns what it prints to stdout."""
    process = nextreel(*arguments, cwd=cwd)
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    return process.stdout


def fail(*arguments: object, cwd: Path | None = None) -> str:
    """Run a command that must exit with 1 and without a traceback; returns what it prints to stderr."""
    process = nextreel(*arguments, cwd=cwd)
    assert process.returncode == 1, process.stdout + process.stderr
    assert "Traceback" not in process.stderr
    return process.stderr
