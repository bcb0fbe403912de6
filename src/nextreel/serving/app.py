"""The application: the routes of the API behind what keeps them safe, for one process."""

import asyncio
import contextlib
import gc
import ipaddress
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import Depends, FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from nextreel.serving.api import admin, health, interactions, movies, recommendations, users
from nextreel.serving.http.access_control import Guard, RateLimiter
from nextreel.serving.http.dependencies import AppState, refuse_unknown_parameters
from nextreel.serving.http.openapi import describe_api
from nextreel.serving.http.problem_details import answer_errors_with_problems
from nextreel.serving.http.prometheus_metrics import Metrics
from nextreel.serving.http.request_limits import Limit, Limits
from nextreel.serving.http.request_log import Trace
from nextreel.serving.inference.ab_assignment import Experiment
from nextreel.serving.inference.service import Service
from nextreel.serving.page import page_routes as page
from nextreel.serving.storage.api_keys import ApiKey, find_key
from nextreel.serving.storage.model_versions import VersionDirectory
from nextreel.serving.storage.store import Store
from nextreel.serving.upkeep import look_after, return_freed_arrays
from nextreel.version import __version__

COMPRESSED_FROM = 1_000
"""Bytes from which on an answer is compressed, for a client that asks for that."""

logger = logging.getLogger("nextreel")


@dataclass(frozen=True)
class Settings:
    """What a server is started with; can be pickled, for its workers."""

    model_directory: Path
    store_url: str
    keys_required: bool
    rate: float = 100.0
    """Requests a second and key, in the long run; twice as many at once."""
    experiment: Experiment | None = None
    allowed_origins: tuple[str, ...] = ()
    """Web sites whose scripts may call the API; none as a rule."""
    limits: Limits = field(default_factory=Limits)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server on that host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def create_app(settings: Settings) -> FastAPI:
    """The application; it opens the store and loads the model when it starts."""
    metrics = Metrics()

    @contextlib.asynccontextmanager
    async def live(app: FastAPI) -> AsyncIterator[None]:
        return_freed_arrays()
        with Store.open(settings.store_url) as store:
            service = Service(store, VersionDirectory.open(settings.model_directory), settings.experiment)
            state = AppState(service, metrics, settings.limits)
            app.state.nextreel = state
            gc.collect()
            gc.freeze()  # the catalog and the model stay: looking through them again would only stall requests
            tending = asyncio.create_task(look_after(state))
            try:
                yield
            finally:
                tending.cancel()
                state.close()
                service.store_given()

    async def find(key: str) -> ApiKey | None:
        state: AppState = app.state.nextreel
        return await state.run_writing(find_key, state.service.store, key)

    guards = [Middleware(Trace, metrics=metrics)]
    if settings.allowed_origins:
        guards.append(
            Middleware(
                CORSMiddleware,
                allow_origins=list(settings.allowed_origins),
                allow_methods=["GET", "POST", "DELETE"],
                allow_headers=[
                    "Authorization",
                    "X-API-Key",
                    "Content-Type",
                    "Idempotency-Key",
                    "X-Request-ID",
                ],
                expose_headers=["X-Request-ID", "Retry-After"],
            )
        )
    guards.append(Middleware(Limit, limits=settings.limits))
    if settings.keys_required:
        guards.append(Middleware(Guard, find_key=find, limiter=RateLimiter(settings.rate, 2 * settings.rate)))
    guards.append(Middleware(GZipMiddleware, minimum_size=COMPRESSED_FROM, compresslevel=4))

    app = FastAPI(
        title="nextreel",
        summary="What should this person watch next, as of this moment?",
        version=__version__,
        lifespan=live,
        middleware=guards,
        docs_url=None,  # it would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    api = [each.router for each in (recommendations, interactions, movies, users, admin)]
    for router in api:
        app.include_router(router, dependencies=[Depends(refuse_unknown_parameters)])
    others = [health.router, page.router]
    for router in others:
        app.include_router(router)
    answer_errors_with_problems(app, [route for router in (*api, *others) for route in router.routes])
    app.openapi = lambda: describe_api(app, settings.keys_required)  # type: ignore[method-assign]
    return app
