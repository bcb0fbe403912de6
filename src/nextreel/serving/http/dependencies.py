"""What every route needs: the service, the pools of threads that work for it, and how answers are written."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from nextreel.serving.http.prometheus_metrics import Metrics
from nextreel.serving.http.request_limits import Limits
from nextreel.serving.inference.service import Service

T = TypeVar("T")

COMPUTING, STORING = 2, 8
"""Threads that score, which keep a processor busy, and threads that write to the store, which mostly wait for it."""


@dataclass(frozen=True)
class AppState:
    """One process's service and its threads."""

    service: Service
    metrics: Metrics
    limits: Limits
    computing: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(COMPUTING, "compute"))
    storing: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(STORING, "store"))

    async def run_reading(self, function: Callable[..., T], *arguments: Any) -> T:
        """The result of work that scores or reads, done by a thread."""
        return await self._within_limit(self.computing, function, arguments)

    async def run_writing(self, function: Callable[..., T], *arguments: Any) -> T:
        """The result of work that writes, done by a thread."""
        return await self._within_limit(self.storing, function, arguments)

    def close(self) -> None:
        """Let the threads finish."""
        self.computing.shutdown()
        self.storing.shutdown()

    async def _within_limit(
        self, pool: ThreadPoolExecutor, function: Callable[..., T], arguments: tuple[Any, ...]
    ) -> T:
        try:
            async with asyncio.timeout(self.limits.answer_seconds):
                return await asyncio.get_running_loop().run_in_executor(pool, function, *arguments)
        except TimeoutError:
            detail = f"no answer within {self.limits.answer_seconds:g} seconds"
            raise HTTPException(503, detail, {"Retry-After": "1"}) from None


def _find_state(request: Request) -> AppState:
    state: AppState = request.app.state.nextreel
    return state


async def _give_state(request: Request) -> AppState:
    return _find_state(request)


State = Annotated[AppState, Depends(_give_state)]
"""A route's parameter through which it asks."""


async def refuse_unknown_parameters(request: Request) -> None:
    """A misspelt parameter would otherwise be passed over, and the answer be to another question."""
    known = sorted(parameter.alias for parameter in request.scope["route"].dependant.query_params)
    there_are = f"there are {', '.join(known)}" if known else "the address has no parameters"
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        raise RequestValidationError(
            [{"type": "unknown", "loc": ("query", name), "msg": f"unknown; {there_are}"} for name in unknown]
        )


def write_json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A response, written without checking it against its schema again: the tests do that."""
    return Response(orjson.dumps(body), status, headers, "application/json")
