"""An interpreter that has loaded the libraries already, for the many processes that tests start.

A new interpreter takes a second or two to import what a command or a server needs, which is most of the time of a test
that starts one. Here one process imports it once (`forking.py`), and the processes of the tests are forked from that one,
each with its own arguments, directory, environment, open files, signals and end, as if it had been started. What this
doesn't show is whether a start is complete and quick: `tests/cli/test_cli.py`, `tests/cli/test_without_unix.py` and
`tests/test_readme.py` start real interpreters.
"""

import atexit
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

STAND_IN = Path(__file__).with_name("stand_in.py")
FORKING = "import sys; from tests.warm_python.forking import run_in_forks; run_in_forks(*sys.argv[1:])"
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")
"""Variables without which libraries start threads when they are imported; a forked process would lack these."""


def python() -> list[str]:
    """Return the beginning of a command in place of `[sys.executable]`; `-m nextreel …` or `-c CODE …` follow.

    An interpreter reads the variables named PYTHON… at its start. Where a test has set one, a real one is started.
    """
    return [str(_start() / "python") if _python_variables() == VARIABLES else sys.executable]


def fork_processes() -> None:
    """Fork the processes that multiprocessing starts from this one, such as those in which models are compared."""
    multiprocessing.set_executable(python()[0])


def write_program(directory: Path) -> None:
    """Write the program `nextreel` into a directory, as an installation does."""
    _write_script(directory / "nextreel", _start(), '"$0"')


@cache
def _start() -> Path:
    """Start the process that others are forked from, and return its directory."""
    directory = Path(tempfile.mkdtemp(prefix="nextreel-"))
    _write_script(directory / "python", directory)
    process = subprocess.Popen(
        [sys.executable, "-c", FORKING, directory / "socket", directory / "python"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env={**os.environ, **dict.fromkeys(ONE_THREAD, "1")},
        start_new_session=True,  # Ctrl+C is for the tests, which end the rest
    )

    def end() -> None:
        """End it, but don't wait for those that were forked: the one that multiprocessing starts ends after this one."""
        assert process.stdin is not None
        process.stdin.close()
        process.wait()
        shutil.rmtree(directory)

    atexit.register(end)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return directory


def _write_script(file: Path, python_directory: Path, *first_arguments: str) -> None:
    """Write a script that runs what the script is given after these arguments, in a forked process."""
    command = [f"'{sys.executable}' -IS '{STAND_IN}' '{python_directory / 'socket'}'", *first_arguments]
    file.write_text(f'#!/bin/sh\nexec {" ".join(command)} "$@"\n')
    file.chmod(0o755)


def _python_variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("PYTHON")}


VARIABLES = _python_variables()
"""Those with which the tests began, and which the process that others are forked from has read."""
