"""Whether the server lives, whether it can answer, and its figures."""

from fastapi import APIRouter
from starlette.responses import Response

from nextreel.serving.http.dependencies import State, write_json
from nextreel.serving.http.openapi import problems

router = APIRouter(tags=["operations"])


@router.get("/healthz", responses={200: {"content": {"application/json": {"example": {"status": "ok"}}}}})
async def is_alive() -> Response:
    """200 as long as the process answers at all."""
    return write_json({"status": "ok"})


@router.get(
    "/readyz",
    responses={200: {"content": {"application/json": {"example": {"status": "ready"}}}}, **problems(503)},
)
async def is_ready(state: State) -> Response:
    """200 while it can answer: the model is loaded and the store can be read."""
    lag = await state.run_writing(state.service.engine.log.lag)
    return write_json({"status": "ready", "store_lag": lag, "model": state.service.engine.model_facts})


@router.get(
    "/metrics",
    responses={200: {"content": {"text/plain": {}}}, **problems(401, 403, 429)},
)
async def get_metrics(state: State) -> Response:
    """In Prometheus' text format."""
    return Response(state.metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")
