"""Running the command line as a user does."""

import os
import subprocess
import sys
from pathlib import Path


def nextreel(*arguments: object, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """Run the command as a user does, in a pipe and with a plain environment."""
    command = [sys.executable, "-m", "nextreel", *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": "120", "PYTHONWARNINGS": "error"}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, check=False)


def succeed(*arguments: object, cwd: Path | None = None) -> str:
    done = nextreel(*arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def fail(*arguments: object, cwd: Path | None = None) -> str:
    done = nextreel(*arguments, cwd=cwd)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr
