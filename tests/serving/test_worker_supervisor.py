"""Workers that are killed, also while the first process waits for their answer."""

import os
import signal
import threading

from uvicorn import Config

from nextreel.serving.worker_supervisor import WorkerSupervisor

SECONDS = 60
"""Time in which the wait must end; the first process would wait for an answer twice as long."""


def test_the_wait_for_an_answer_ends_when_the_worker_does() -> None:
    supervisor = WorkerSupervisor(Config("nothing:app", workers=1), [], lambda: None)
    supervisor.init_processes()
    (worker,) = supervisor.processes
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGSTOP)  # so it never answers
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(worker.ping(2 * SECONDS)), daemon=True)
    waiting.start()
    os.kill(worker.pid, signal.SIGKILL)
    waiting.join(SECONDS)
    assert answers == [False]
    worker.join()
