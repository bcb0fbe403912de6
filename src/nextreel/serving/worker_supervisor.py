"""The first process of a server with several workers, which starts them and replaces those that end."""

from collections.abc import Callable
from socket import socket

from uvicorn import Config
from uvicorn.supervisors import Multiprocess


class WorkerSupervisor(Multiprocess):
    """uvicorn's supervisor, which notices the end of a worker even while it waits for the worker's answer.

    uvicorn keeps the worker's end of the pipe open in the first process too. When a worker is killed before it has
    answered, as by the system for want of memory while it loads the model, the pipe stays open then: the first process
    waits until the time limit of the answer, and meanwhile neither replaces workers nor reacts to signals.
    """

    def __init__(self, config: Config, sockets: list[socket], announce: Callable[[], None]) -> None:
        super().__init__(config, sockets)
        self._announce = announce

    def init_processes(self) -> None:
        """Start the workers, and say so: from here on, signals are heeded."""
        self._announce()
        super().init_processes()
        self._leave_pipes_to_workers()

    def keep_subprocess_alive(self) -> None:
        """Replace the workers that have ended or don't answer."""
        super().keep_subprocess_alive()
        self._leave_pipes_to_workers()

    def _leave_pipes_to_workers(self) -> None:
        for process in self.processes:
            process.child_conn.close()  # a worker has its own copy, since it is started by "spawn"
