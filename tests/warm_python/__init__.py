"""An interpreter that has loaded the libraries already, for the many processes that tests start.

A new interpreter takes a second or two to import what a command or a server needs, which is most of the time of a test
that starts one. Here one process imports it once (`forking.py`), and the processes of the tests are forked from that one,
each with its own arguments, directory, environment, streams, signals and end, as if it had been started. What this
doesn't show is whether a start is complete and quick: `tests/cli/test_cli.py`, `tests/cli/test_without_unix.py` and
`tests/test_readme.py` start real interpreters.
"""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

STAND_IN = Path(__file__).with_name("stand_in.py")
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")
"""Variables without which libraries start threads when they are imported; a forked process would lack these."""
FORKING = "from tests.warm_python.forking import run_in_forks; run_in_forks()"


def python() -> list[str]:
    """Return the beginning of a command in place of `[sys.executable]`; `-m nextreel …` or `-c CODE …` follow.

    An interpreter reads the variables named PYTHON… at its start. Where a test has set one, a real one is started.
    """
    address, variables = _start()
    if variables != _python_variables():
        return [sys.executable]
    return [sys.executable, "-IS", str(STAND_IN), address]


def write_program(directory: Path) -> None:
    """Write the program `nextreel` into a directory, as an installation does."""
    address, _ = _start()
    program = directory / "nextreel"
    program.write_text(f"""#!/bin/sh\nexec '{sys.executable}' -IS '{STAND_IN}' '{address}' "$0" "$@"\n""")
    program.chmod(0o755)


@cache
def _start() -> tuple[str, dict[str, str]]:
    """Start the process that others are forked from; return its socket and the variables that it has read."""
    directory = tempfile.mkdtemp(prefix="nextreel-")
    address = f"{directory}/socket"
    process = subprocess.Popen(
        [sys.executable, "-c", FORKING, address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env={**os.environ, **dict.fromkeys(ONE_THREAD, "1")},
        start_new_session=True,  # Ctrl+C is for the tests, which end the rest
    )

    def end() -> None:
        process.communicate()
        shutil.rmtree(directory)

    atexit.register(end)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return address, _python_variables()


def _python_variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("PYTHON")}
