"""A forked process is what the interpreter that it stands for would be."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import warm_python

WAIT = "import time; print('waits', flush=True); time.sleep(60)"


def run(code: str, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    command = [*warm_python.python(), "-c", code, *arguments]
    return subprocess.run(
        command, input="given", capture_output=True, text=True, env={**os.environ, **variables}, check=False
    )


def test_it_is_forked_from_one_with_the_libraries_loaded() -> None:
    assert run("import sys; print('polars' in sys.modules)").stdout == "True\n"


def test_it_has_the_arguments_the_environment_and_the_streams_of_whoever_starts_it() -> None:
    code = "import os, sys; print(sys.argv, os.environ['FILM']); print(sys.stdin.read(), file=sys.stderr)"
    done = run(code, "one", FILM="Alien")
    assert (done.stdout, done.stderr) == ("['-c', 'one'] Alien\n", "given\n")


def test_it_runs_in_the_directory_and_has_the_open_files_of_whoever_starts_it(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    code = "import os, sys; os.write(int(sys.argv[1]), os.getcwd().encode())"
    command = [*warm_python.python(), "-c", code, str(theirs)]
    subprocess.run(command, cwd=tmp_path, pass_fds=[theirs], check=True)
    os.close(theirs)
    with os.fdopen(ours) as written:
        assert written.read() == str(tmp_path)


@pytest.mark.parametrize(("code", "expected"), [("", 0), ("import sys; sys.exit(3)", 3), ("1 / 0", 1)])
def test_its_exit_code_arrives(code: str, expected: int) -> None:
    done = run(code)
    assert done.returncode == expected
    assert ("ZeroDivisionError" in done.stderr) == (expected == 1)


@pytest.fixture
def no_signal_ignored() -> Iterator[None]:
    """SIGHUP is ignored in all processes that `nohup` starts, and in those that they start."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("no_signal_ignored")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_it_and_the_end_is_that_of_a_signal(number: signal.Signals) -> None:
    command = [*warm_python.python(), "-c", WAIT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
        process.send_signal(number)
        assert process.wait() == -number


def test_a_signal_that_is_ignored_from_its_start_does_not_end_it() -> None:
    command = ["nohup", *warm_python.python(), "-c", "input('waits\\n'); print('ends')"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
        process.send_signal(signal.SIGHUP)
        process.stdin.write("\n")
        process.stdin.close()
        assert process.stdout.read() == "ends\n"


def test_it_ends_with_the_process_that_stands_for_it() -> None:
    ours, theirs = os.pipe()
    command = [*warm_python.python(), "-c", WAIT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, pass_fds=[theirs]) as process:
        os.close(theirs)
        assert process.stdout is not None
        assert process.stdout.readline() == b"waits\n"
        process.kill()
    with os.fdopen(ours) as written:
        assert written.read() == ""  # the end of the file, as nobody is left who could write


def test_where_a_variable_of_the_interpreter_was_changed_a_real_one_is_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    assert warm_python.python() == [sys.executable]


def test_a_process_that_has_used_multiprocessing_ends() -> None:
    code = (
        "from multiprocessing import get_context\n"
        "from tests import warm_python\n"
        "warm_python.fork_processes()\n"
        "process = get_context('spawn').Process(target=print, args=('forked',))\n"
        "process.start()\n"
        "process.join()\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "forked\n", "")
