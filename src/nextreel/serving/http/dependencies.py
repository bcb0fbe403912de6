"""What routes share: the state of the process with its thread pools, the check of parameters, and JSON responses."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from threading import Event
from typing import Annotated, ParamSpec, TypeVar

import orjson
from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from nextreel.serving.http.access.rate_limits import SharedUse
from nextreel.serving.http.data_values import served_format
from nextreel.serving.http.prometheus_metrics import Metrics
from nextreel.serving.http.request_limits import Limits
from nextreel.serving.inference.list_requests import RecommendationRequest
from nextreel.serving.inference.readiness import Readiness
from nextreel.serving.inference.request_cost import LARGEST_QUICK_COST
from nextreel.serving.inference.service import Service
from nextreel.serving.inference.waiting_queries import Served, WaitingQueries
from nextreel.stopping import stoppable

P = ParamSpec("P")
T = TypeVar("T")

READING_THREADS = 2
"""Scoring keeps a processor busy, and more threads would only take turns for Python's lock."""
WRITING_THREADS = 8
"""Writing mostly waits for the database."""
KEY_THREADS = 4
"""Looking up API keys mostly waits for the database, too."""


@dataclass(frozen=True)
class AppState:
    """The service of one process, and the thread pools that run its blocking functions.

    Each kind of work has a pool of its own, so that none queues behind another: quick queries not behind large batches
    or writes that wait for the database, and neither the lookup of an API key nor a health check behind any of them.
    """

    service: Service
    metrics: Metrics
    limits: Limits
    shared_use: SharedUse | None = None
    """What keeps the rates of API keys; None where no keys are required."""
    reading_pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(READING_THREADS, "read")
    )
    batch_pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(READING_THREADS, "batch")
    )
    writing_pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(WRITING_THREADS, "write")
    )
    key_pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(KEY_THREADS, "key"))
    health_pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "health"))

    @cached_property
    def _waiting_queries(self) -> WaitingQueries:
        return WaitingQueries(self.service.recommend, self.reading_pool)

    @cached_property
    def readiness(self) -> Readiness:
        """The check that this process can recommend."""
        return Readiness(self.service)

    async def answer(self, query: RecommendationRequest, cost: float) -> Served:
        """Return the result of a query of this cost, and the engine that served it.

        A quick one is answered together with those that wait with it. Raises HTTPException like `run_reading`.
        """
        if cost > LARGEST_QUICK_COST:
            return (await self.run_scoring(cost, self.service.recommend, [query]))[0]
        return await self._wait(lambda stop: asyncio.wrap_future(self._waiting_queries.submit(query, stop)))

    async def run_reading(self, function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """Run a quick function that scores or reads in the reading pool, and return its result.

        Raises HTTPException (503) if it takes longer than `limits.answer_seconds`; scoring then stops at its next step,
        and a write finishes.
        """
        return await self._run(self.reading_pool, partial(function, *arguments, **keywords))

    async def run_scoring(
        self, cost: float, function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs
    ) -> T:
        """Run a function that scores for a request of this cost: in the reading pool if it is quick, else in the batch
        pool.

        Returns its result; raises HTTPException like `run_reading`.
        """
        pool = self.reading_pool if cost <= LARGEST_QUICK_COST else self.batch_pool
        return await self._run(pool, partial(function, *arguments, **keywords))

    async def run_key_lookup(self, function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """Run a function that looks up an API key; returns its result, and raises HTTPException like `run_reading`."""
        return await self._run(self.key_pool, partial(function, *arguments, **keywords))

    async def run_health_check(self, function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """Run a function that checks the server; returns its result, and raises HTTPException like `run_reading`."""
        return await self._run(self.health_pool, partial(function, *arguments, **keywords))

    async def run_writing(self, function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """Run a function that writes, or that must not queue behind scoring, in the writing pool.

        Returns its result; raises HTTPException like `run_reading`.
        """
        return await self._run(self.writing_pool, partial(function, *arguments, **keywords))

    def close(self) -> None:
        """Wait until all threads have finished."""
        for pool in (
            self.reading_pool,
            self.batch_pool,
            self.writing_pool,
            self.key_pool,
            self.health_pool,
        ):
            pool.shutdown()

    async def _run(self, pool: ThreadPoolExecutor, function: Callable[[], T]) -> T:
        def start(stop: Event) -> Awaitable[T]:
            def run() -> T:
                with stoppable(stop):
                    return function()

            return asyncio.get_running_loop().run_in_executor(pool, run)

        return await self._wait(start)

    async def _wait(self, start: Callable[[Event], Awaitable[T]]) -> T:
        """Start something that an event stops, and return its result.

        Raises HTTPException (503) if it takes longer than `limits.answer_seconds`.
        """
        stop = Event()
        try:
            async with asyncio.timeout(self.limits.answer_seconds):
                return await start(stop)
        except TimeoutError:
            detail = f"no response within {self.limits.answer_seconds:g} seconds"
            raise HTTPException(503, detail, {"Retry-After": "1"}) from None
        finally:
            stop.set()


async def _get_state(request: Request) -> AppState:
    state: AppState = request.app.state.nextreel
    return state


State = Annotated[AppState, Depends(_get_state)]
"""Type of a route's parameter that receives the state of the process."""


def charge(request: Request, cost: float) -> None:
    """Take the cost of a request from what the rate limit of its API key allows; without keys, do nothing.

    Raises HTTPException (429) if costly requests before this one have used up what the key may do.
    """
    charge_key: Callable[[float], None] | None = getattr(request.state, "charge", None)
    if charge_key is not None:
        charge_key(cost)


async def note_served_format(request: Request) -> None:
    """Note of what kind the ids and the ratings of the served data are, for the fields that are read after this."""
    state: AppState = request.app.state.nextreel
    served_format.set(state.service.engine.format)


async def refuse_unknown_parameters(request: Request) -> None:
    """Refuse a query parameter that the route doesn't have.

    A misspelt parameter would otherwise be ignored, and the response would answer another request than was meant.
    Raises RequestValidationError.
    """
    names = sorted(parameter.alias for parameter in request.scope["route"].dependant.query_params)
    expected = f"expected one of {', '.join(names)}" if names else "this endpoint has no query parameters"
    unknown = [name for name in request.query_params if name not in names]
    if unknown:
        raise RequestValidationError(
            [
                {"type": "unknown", "loc": ("query", name), "msg": f"unknown parameter; {expected}"}
                for name in unknown
            ]
        )


def write_json(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON response. Its body isn't validated against the schema, which the tests do, to save time."""
    return Response(orjson.dumps(body), status, headers, "application/json")
