"""Queries that wait at the same time are answered together, and each gets its own result."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from nextreel.errors import QueryError
from nextreel.ranking.filters import Filters
from nextreel.serving.inference.list_requests import RecommendationRequest
from nextreel.serving.inference.request_cost import LARGEST_QUICK_COST, cost_of
from nextreel.serving.inference.service import Service
from nextreel.serving.inference.waiting_queries import Served, WaitingQueries
from nextreel.stopping import StoppedError, stop_if_unwanted
from tests.serving.servers import LATE

MISSPELT = RecommendationRequest(1, LATE, filters=Filters(include_genres=frozenset({"drema"})))


class Gate:
    """Answers with a service, from when it is opened on, and counts the queries that it gets at once."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.is_busy, self.opened = Event(), Event()
        self.sizes: list[int] = []

    def answer(self, requests: list[RecommendationRequest]) -> list[Served]:
        self.sizes.append(len(requests))
        self.is_busy.set()
        self.opened.wait()
        stop_if_unwanted()
        return self._service.recommend(requests)


@pytest.fixture
def gate(service: Service) -> Iterator[Gate]:
    gate = Gate(service)
    yield gate
    gate.opened.set()


@pytest.fixture
def waiting(gate: Gate) -> Iterator[WaitingQueries]:
    with ThreadPoolExecutor(1) as threads:
        yield WaitingQueries(gate.answer, threads)


def test_queries_that_wait_are_answered_together_with_their_own_results(
    gate: Gate, waiting: WaitingQueries, service: Service
) -> None:
    requests = [RecommendationRequest(user, LATE, k=k) for user, k in [(1, 3), (2, 3), (1, 5), (3, 3)]]
    first = waiting.submit(requests[0], Event())
    gate.is_busy.wait()
    others = [waiting.submit(request, Event()) for request in requests[1:]]
    gate.opened.set()
    results = [future.result()[0] for future in (first, *others)]
    assert gate.sizes == [1, 3]
    alone = [service.recommend([request])[0][0] for request in requests]
    assert [result.request for result in results] == requests
    for result, expected in zip(results, alone, strict=True):
        assert [m["movie_id"] for m in result.movies] == [m["movie_id"] for m in expected.movies]


def test_queries_that_cost_much_are_not_answered_together(gate: Gate, waiting: WaitingQueries) -> None:
    explained = RecommendationRequest(1, LATE, explain=True)
    futures = [waiting.submit(RecommendationRequest(1, LATE), Event())]
    gate.is_busy.wait()
    n_explained = 6
    futures += [waiting.submit(explained, Event()) for _ in range(n_explained)]
    gate.opened.set()
    for future in futures:
        future.result()
    assert sum(gate.sizes) == 1 + n_explained
    assert (max(gate.sizes) - 1) * cost_of([explained]) < LARGEST_QUICK_COST


def test_a_wrong_query_fails_alone(gate: Gate, waiting: WaitingQueries) -> None:
    right = RecommendationRequest(1, LATE)
    first = waiting.submit(right, Event())
    gate.is_busy.wait()
    futures = [waiting.submit(request, Event()) for request in (right, MISSPELT, right)]
    gate.opened.set()
    assert futures[0].result() == futures[2].result() == first.result()
    with pytest.raises(QueryError, match="drema"):
        futures[1].result()


def test_a_query_that_was_taken_back_is_not_answered(gate: Gate, waiting: WaitingQueries) -> None:
    request = RecommendationRequest(1, LATE)
    first = waiting.submit(request, Event())
    gate.is_busy.wait()
    second, third = waiting.submit(request, Event()), waiting.submit(request, Event())
    assert second.cancel()
    gate.opened.set()
    assert first.result() == third.result()
    assert gate.sizes == [1, 1]


def test_a_query_that_is_answered_alone_can_be_stopped(gate: Gate, waiting: WaitingQueries) -> None:
    stop = Event()
    future = waiting.submit(RecommendationRequest(1, LATE), stop)
    gate.is_busy.wait()
    stop.set()
    gate.opened.set()
    with pytest.raises(StoppedError):
        future.result()
