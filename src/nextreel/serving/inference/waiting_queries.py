"""Quick queries that wait at the same time are answered together.

A few queries together take little longer than one, so a busy server catches up instead of falling behind. No query
waits for others to come: an idle thread answers the first one at once, and whatever has arrived meanwhile after that.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from threading import Event

from nextreel.errors import QueryError
from nextreel.serving.inference.engine import Engine
from nextreel.serving.inference.list_requests import RecommendationRequest, RecommendationResult
from nextreel.serving.inference.request_cost import LARGEST_QUICK_COST, cost_of
from nextreel.stopping import stoppable

Served = tuple[RecommendationResult, Engine]
"""The result of a query, and the engine that served it."""


@dataclass(frozen=True)
class _Waiting:
    request: RecommendationRequest
    cost: float
    stop: Event
    result: "Future[Served]" = field(default_factory=Future)


class WaitingQueries:
    """Answers queries in the threads of a pool; safe to share between threads."""

    def __init__(
        self, answer: Callable[[list[RecommendationRequest]], list[Served]], threads: Executor
    ) -> None:
        self._answer, self._threads = answer, threads
        self._waiting: deque[_Waiting] = deque()

    def submit(self, request: RecommendationRequest, stop: Event) -> "Future[Served]":
        """Return the future result of a query; cancelling it takes the query back before its turn has come, and `stop`
        ends a query that is answered alone."""
        waiting = _Waiting(request, cost_of([request]), stop)
        self._waiting.append(waiting)
        self._threads.submit(self._answer_waiting)
        return waiting.result

    def _answer_waiting(self) -> None:
        """Answer the query that has waited longest, and as many of the next ones as may be answered with it.

        This is called once for each query, and does nothing if another call has already answered its query.
        """
        if together := self._take():
            self._resolve(together)

    def _take(self) -> list[_Waiting]:
        """Take queries that somebody still waits for, from the one that has waited longest."""
        together: list[_Waiting] = []
        cost = 0.0
        while cost < LARGEST_QUICK_COST:
            try:
                waiting = self._waiting.popleft()
            except IndexError:
                break
            if waiting.result.set_running_or_notify_cancel():
                together.append(waiting)
                cost += waiting.cost
        return together

    def _resolve(self, together: list[_Waiting]) -> None:
        # Queries that are answered together aren't stopped halfway: somebody may still wait for another of them.
        stop = together[0].stop if len(together) == 1 else Event()
        try:
            with stoppable(stop):
                served = self._answer([waiting.request for waiting in together])
        except QueryError as error:
            if len(together) == 1:
                together[0].result.set_exception(error)
                return
            for waiting in together:  # one of them is wrong, and the others must not suffer from it
                self._resolve([waiting])
        except Exception as error:
            for waiting in together:
                waiting.result.set_exception(error)
        else:
            for waiting, result in zip(together, served, strict=True):
                waiting.result.set_result(result)
