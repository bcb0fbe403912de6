"""Routes for operations: whether the process is alive, whether it can serve, and its metrics."""

from fastapi import APIRouter
from starlette.responses import Response

from nextreel.serving.http.dependencies import State, write_json
from nextreel.serving.http.openapi import problems

router = APIRouter(tags=["operations"])


@router.get("/healthz", responses={200: {"content": {"application/json": {"example": {"status": "ok"}}}}})
async def is_alive() -> Response:
    """Return 200 as long as the process responds at all."""
    return write_json({"status": "ok"})


@router.get(
    "/readyz",
    responses={200: {"content": {"application/json": {"example": {"status": "ready"}}}}, **problems(503)},
)
async def is_ready(state: State) -> Response:
    """Return 200 while the server can recommend: it makes lists for a known and a new user, at most once a second.

    `clock` says what is wrong with the server's clock, if anything is.
    """
    lag = await state.run_health_check(state.readiness.check)
    service = state.service
    ready = {
        "status": "ready",
        "store_lag": lag,
        "clock": service.clock.problem,
        "model": service.engine.model_facts,
    }
    return write_json(ready)


@router.get(
    "/metrics",
    responses={200: {"content": {"text/plain": {}}}, **problems(401, 403, 429)},
)
async def get_metrics(state: State) -> Response:
    """Return the server's metrics in the text format of Prometheus."""
    return Response(state.metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")
