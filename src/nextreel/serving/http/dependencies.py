"""What routes share: the state of the process with its thread pools, the check of parameters, and JSON responses."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, ParamSpec, TypeVar

import orjson
from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from nextreel.serving.http.data_values import served_format
from nextreel.serving.http.prometheus_metrics import Metrics
from nextreel.serving.http.request_limits import Limits
from nextreel.serving.inference.service import Service

P = ParamSpec("P")
T = TypeVar("T")

READING_THREADS = 2
"""Scoring keeps a processor busy, and more threads would only take turns for Python's lock."""
WRITING_THREADS = 8
"""Writing mostly waits for the database."""


@dataclass(frozen=True)
class AppState:
    """The service of one process, and the two thread pools that run its blocking functions.

    Reading has a pool of its own, so that recommendations don't queue behind writes that wait for the database.
    """

    service: Service
    metrics: Metrics
    limits: Limits
    reading_pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(READING_THREADS, "read")
    )
    writing_pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(WRITING_THREADS, "write")
    )

    async def run_reading(self, function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """Run a function that scores or reads in the reading pool, and return its result.

        Raises HTTPException (503) if it takes longer than `limits.answer_seconds`; the thread still finishes.
        """
        return await self._run(self.reading_pool, partial(function, *arguments, **keywords))

    async def run_writing(self, function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """Run a function that writes, or that must not queue behind scoring, in the writing pool.

        Returns its result; raises HTTPException like `run_reading`.
        """
        return await self._run(self.writing_pool, partial(function, *arguments, **keywords))

    def close(self) -> None:
        """Wait until all threads have finished."""
        self.reading_pool.shutdown()
        self.writing_pool.shutdown()

    async def _run(self, pool: ThreadPoolExecutor, function: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(self.limits.answer_seconds):
                return await asyncio.get_running_loop().run_in_executor(pool, function)
        except TimeoutError:
            detail = f"no response within {self.limits.answer_seconds:g} seconds"
            raise HTTPException(503, detail, {"Retry-After": "1"}) from None


async def _get_state(request: Request) -> AppState:
    state: AppState = request.app.state.nextreel
    return state


State = Annotated[AppState, Depends(_get_state)]
"""Type of a route's parameter that receives the state of the process."""


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
