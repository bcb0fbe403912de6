"""The application: the routes of the API behind what keeps them safe, for one process."""

import asyncio
import contextlib
import gc
import ipaddress
import logging
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from nextreel import __version__
from nextreel.errors import NextreelError
from nextreel.evaluation.ab_analysis import Experiment
from nextreel.serving.api import admin, health, interactions, movies, recommendations, users
from nextreel.serving.http.access_control import Guard, RateLimiter, needed_scope
from nextreel.serving.http.dependencies import Context, refuse_unknown_parameters
from nextreel.serving.http.problem_details import answer_errors_with_problems
from nextreel.serving.http.request_bodies import Problem
from nextreel.serving.http.request_limits import Limit, Limits
from nextreel.serving.http.request_log import Metrics, Trace
from nextreel.serving.inference.service import Service
from nextreel.serving.page import page_routes as page
from nextreel.serving.storage.api_keys import ApiKey, find_key
from nextreel.serving.storage.model_versions import Versions
from nextreel.serving.storage.store import Store
from nextreel.serving.upkeep import return_freed_arrays

TEND_SECONDS = 1.0
"""How often a process looks after what isn't a request's business."""
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
            service = Service(store, Versions.open(settings.model_directory), settings.experiment)
            context = Context(service, metrics, settings.limits)
            app.state.context = context
            gc.collect()
            gc.freeze()  # the catalog and the model stay: looking through them again would only stall requests
            tending = asyncio.create_task(_tend(context))
            try:
                yield
            finally:
                tending.cancel()
                context.close()
                service.store_given()

    async def find(key: str) -> ApiKey | None:
        context: Context = app.state.context
        return await context.store(find_key, context.service.store, key)

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
    app.openapi = lambda: _describe(app, settings.keys_required)  # type: ignore[method-assign]
    return app


async def _tend(context: Context) -> None:
    """Every second, and at once on SIGHUP, what isn't a request's business."""
    due = asyncio.Event()
    with contextlib.suppress(NotImplementedError, RuntimeError):  # Windows, or not the main thread
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, due.set)
    served: dict[tuple[str, str], None] = {}
    while True:
        try:
            await context.store(context.service.tend)
            context.metrics.lag.set(await context.store(context.service.engine.log.lag))
        except NextreelError as error:
            logger.warning("can't look after the store", extra={"error": str(error)})
        except Exception:
            logger.exception("looking after the store broke")
        for version in served:
            context.metrics.model.labels(*version).set(0)
        for engine in context.service.engines:
            served[engine.version.model, engine.version.name] = None
            context.metrics.model.labels(engine.version.model, engine.version.name).set(1)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TEND_SECONDS):
                await due.wait()
        due.clear()


def _describe(app: FastAPI, keys_required: bool) -> dict[str, Any]:
    """The OpenAPI description, with keys and problems as they really are."""
    if app.openapi_schema:
        return app.openapi_schema
    schema = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
    components = schema["components"]["schemas"]
    components["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components.update(components["Problem"].pop("$defs", {}))
    for unused in ("HTTPValidationError", "ValidationError"):
        components.pop(unused, None)
    if keys_required:
        schema["components"]["securitySchemes"] = {
            "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            "Bearer": {"type": "http", "scheme": "bearer"},
        }
        for path, methods in schema["paths"].items():
            for method, operation in methods.items():
                if (scope := needed_scope(method.upper(), path)) is not None:
                    operation["security"] = [{"ApiKey": []}, {"Bearer": []}]
                    operation["description"] = f"{operation.get('description', '')}\n\nScope: {scope}."
    app.openapi_schema = schema
    return schema
