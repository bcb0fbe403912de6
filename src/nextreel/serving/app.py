"""The application of one server process: its startup, its middleware and its routes."""

import asyncio
import contextlib
import gc
import ipaddress
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from fastapi import Depends, FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from nextreel.parallel import single_threaded_blas
from nextreel.serving.api import (
    admin,
    health,
    histories,
    interactions,
    joint_lists,
    movies,
    recommendations,
    users,
)
from nextreel.serving.http.access.access_control import AccessControl
from nextreel.serving.http.access.allowed_hosts import AllowedHosts
from nextreel.serving.http.access.foreign_pages import ForeignPages
from nextreel.serving.http.access.rate_limits import RateLimiter, SharedUse
from nextreel.serving.http.access.trusted_proxies import ForwardedHeaders, TrustedProxies
from nextreel.serving.http.dependencies import AppState, note_served_format, refuse_unknown_parameters
from nextreel.serving.http.openapi import describe_api
from nextreel.serving.http.problem_details import respond_with_problems
from nextreel.serving.http.prometheus_metrics import Metrics
from nextreel.serving.http.request_limits import Limits, RequestLimiter
from nextreel.serving.http.request_log import RequestLog
from nextreel.serving.http.request_rewriting import EscapedParts, HeadRequests, SubPath
from nextreel.serving.inference.ab_assignment import Experiment
from nextreel.serving.inference.service import Service
from nextreel.serving.page import page_routes as page
from nextreel.serving.storage.model_versions import VersionDirectory
from nextreel.serving.storage.store import Store
from nextreel.serving.upkeep import keep_up
from nextreel.version import __version__

BURST_SECONDS = 2
"""A key may make the requests of this many seconds at once."""
MIN_COMPRESSED_BYTES = 1_000
"""Length from which on a response is compressed, if the client accepts that."""
COMPRESSION_LEVEL = 4
"""Level of gzip: higher ones take much longer and save little."""


@dataclass(frozen=True)
class Settings:
    """The settings of a server; they can be pickled, because each worker process receives them."""

    model_directory: Path
    """A saved model or a directory of versions."""
    store_url: str
    """URL of the database."""
    keys_required: bool
    """Whether requests need an API key."""
    rate: float = 100.0
    """Requests per second that a key may make in the long run to all processes on the store; twice as many at once."""
    experiment: Experiment | None = None
    """A/B experiment to run."""
    allowed_origins: tuple[str, ...] = ()
    """Web sites whose scripts may call the API; none by default."""
    hosts: AllowedHosts = field(default_factory=AllowedHosts)
    """Names under which the server may be asked."""
    proxies: TrustedProxies = field(default_factory=TrustedProxies)
    """Reverse proxies whose forwarded headers are believed."""
    limits: Limits = field(default_factory=Limits)
    """Limits on requests."""
    root_path: str = ""
    """Path under which clients reach the server, such as "/films", if a proxy serves more than this server."""


def is_loopback(host: str) -> bool:
    """Return whether a server on this host can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def create_app(settings: Settings) -> FastAPI:
    """Create the application. It opens the store and loads the model when it starts up, not here."""
    metrics = Metrics()
    limiter = RateLimiter(settings.rate, BURST_SECONDS * settings.rate) if settings.keys_required else None
    app = FastAPI(
        title="nextreel",
        summary="Which movies should a user watch next, at a given time?",
        version=__version__,
        lifespan=partial(_run_service, settings, metrics, limiter),
        middleware=_list_middleware(settings, metrics, limiter),
        docs_url=None,  # FastAPI's pages would load scripts from other web sites
        redoc_url=None,
        redirect_slashes=False,
    )
    _add_routes(app)
    app.openapi = lambda: describe_api(app, settings.keys_required)  # type: ignore[method-assign]
    return app


@contextlib.asynccontextmanager
async def _run_service(
    settings: Settings, metrics: Metrics, limiter: RateLimiter | None, app: FastAPI
) -> AsyncIterator[None]:
    """Open the store, load the model, and keep both up to date until the application shuts down."""
    with Store.open(settings.store_url) as store:
        service = Service(store, VersionDirectory.open(settings.model_directory), settings.experiment)
        shared_use = None if limiter is None else SharedUse(limiter)
        state = app.state.nextreel = AppState(service, metrics, settings.limits, shared_use)
        gc.collect()
        gc.freeze()  # the catalog and the model live on: collecting them again would only delay requests
        upkeep = asyncio.create_task(keep_up(state))
        try:
            # One thread computes each list anyway, and setting that anew for each of them takes a while.
            with single_threaded_blas():
                yield
        finally:
            upkeep.cancel()
            state.close()
            service.store_impressions()


def _list_middleware(settings: Settings, metrics: Metrics, limiter: RateLimiter | None) -> list[Middleware]:
    """Return the middleware from the outermost, which a request passes first, to the innermost."""
    middleware = [Middleware(RequestLog, metrics=metrics), Middleware(HeadRequests)]
    if settings.root_path:
        middleware.insert(0, Middleware(SubPath, root_path=settings.root_path))
    middleware.insert(0, Middleware(EscapedParts))
    if settings.proxies.networks:
        middleware.insert(0, Middleware(ForwardedHeaders, proxies=settings.proxies))
    if settings.allowed_origins:
        middleware.append(
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
    middleware.append(
        Middleware(
            ForeignPages,
            hosts=settings.hosts,
            allowed_origins=settings.allowed_origins,
            warns_of_proxy=not (settings.keys_required or settings.proxies.networks),
        )
    )
    middleware.append(Middleware(RequestLimiter, limits=settings.limits))
    if limiter is not None:
        middleware.append(Middleware(AccessControl, limiter=limiter))
    middleware.append(
        Middleware(GZipMiddleware, minimum_size=MIN_COMPRESSED_BYTES, compresslevel=COMPRESSION_LEVEL)
    )
    return middleware


def _add_routes(app: FastAPI) -> None:
    api = [
        module.router
        for module in (recommendations, joint_lists, histories, interactions, movies, users, admin)
    ]
    for router in api:
        app.include_router(
            router, dependencies=[Depends(note_served_format), Depends(refuse_unknown_parameters)]
        )
    # Health checks and links to the page may carry parameters that aren't nextreel's.
    lenient = [health.router, page.router]
    for router in lenient:
        app.include_router(router)
    routes = [route for router in (*api, *lenient) for route in router.routes]
    respond_with_problems(app, routes, page.show_problem)
