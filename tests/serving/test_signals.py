"""A server says that it serves only when a signal would stop it, however early the signal comes."""

import signal
from collections.abc import Iterator

import pytest
from uvicorn import Config

from nextreel.serving.server import SingleServer, listen
from nextreel.serving.worker_supervisor import WorkerSupervisor


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Give this process its own handlers of signals back."""
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    yield
    for number, handler in handlers.items():
        if handler is not None and number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, handler)


async def app(scope: object, receive: object, send: object) -> None:
    raise AssertionError("nobody asks")


def test_one_process_heeds_signals_when_it_says_that_it_serves() -> None:
    def announce() -> None:
        # Were it not the server's own handler, the interrupt would be raised here, or anywhere else.
        signal.raise_signal(signal.SIGINT)
        announced.append(True)

    announced: list[bool] = []
    with listen("127.0.0.1", 0) as listener, pytest.raises(KeyboardInterrupt):
        SingleServer(Config(app, lifespan="off"), announce).run([listener])
    assert announced == [True]


def test_the_first_of_several_processes_heeds_them_too() -> None:
    def announce() -> None:
        signal.raise_signal(signal.SIGINT)

    supervisor = WorkerSupervisor(Config(app), [], announce)
    supervisor.processes_num = 0  # none is needed
    supervisor.init_processes()
    assert supervisor.signal_queue == [signal.SIGINT]
