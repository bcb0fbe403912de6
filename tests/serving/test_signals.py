"""A server says that it serves only when a signal would stop it, however early the signal comes."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from uvicorn import Config

from nextreel.serving.worker_supervisor import WorkerSupervisor


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Give this process its own handlers of signals back."""
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    yield
    for number, handler in handlers.items():
        if handler is not None and number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, handler)


SERVER = """
import signal
from uvicorn import Config
from nextreel.serving.server import SingleServer, listen

async def app(scope, receive, send):
    raise AssertionError("nobody asks")

def announce():
    signal.raise_signal(signal.SIGINT)  # with Python's own handler, the interrupt would be raised here
    print("announced")

with listen("127.0.0.1", 0) as listener:
    try:
        SingleServer(Config(app, lifespan="off", log_level="critical"), announce).run([listener])
    except KeyboardInterrupt:
        print("stopped")
"""


def test_one_process_heeds_signals_when_it_says_that_it_serves() -> None:
    done = subprocess.run([sys.executable, "-c", SERVER], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("announced\nstopped\n", "")


def test_the_first_of_several_processes_heeds_them_too() -> None:
    def announce() -> None:
        signal.raise_signal(signal.SIGINT)

    supervisor = WorkerSupervisor(Config("nothing:app"), [], announce)
    supervisor.processes_num = 0  # none is needed
    supervisor.init_processes()
    assert supervisor.signal_queue == [signal.SIGINT]
