"""Routes for operations: whether the process is alive, whether it can serve, and its metrics."""

from fastapi import APIRouter
from starlette.responses import Response

from nextreel.serving.http.dependencies import State, write_json
from nextreel.serving.http.openapi import problems

router = APIRouter(tags=["operations"])


HEALTH_PATHS = ("/healthz", "/readyz")
"""Paths of the health checks, which are answered even if the server accepts no other requests."""


@router.get("/healthz", responses={200: {"content": {"application/json": {"example": {"status": "ok"}}}}})
async def is_alive() -> Response:
    """Return 200 as long as the process responds at all."""
    return write_json({"status": "ok"})


@router.get(
    "/readyz",
    responses={200: {"content": {"application/json": {"example": {"status": "ready"}}}}, **problems(503)},
)
async def is_ready(state: State) -> Response:
    """Return 200 while the server can recommend: the model is loaded and the store can be read."""
    lag = await state.run_writing(state.service.engine.follower.lag)
    return write_json({"status": "ready", "store_lag": lag, "model": state.service.engine.model_facts})


@router.get(
    "/metrics",
    responses={200: {"content": {"text/plain": {}}}, **problems(401, 403, 429)},
)
async def get_metrics(state: State) -> Response:
    """Return the server's metrics in the text format of Prometheus."""
    return Response(state.metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")
