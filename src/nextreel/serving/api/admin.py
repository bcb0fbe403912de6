"""Versions of the model: which there are, which one answers, and changing that without dropping a request."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.exceptions import HTTPException
from starlette.responses import Response

from nextreel.errors import QueryError
from nextreel.serving.http import request_bodies, response_bodies
from nextreel.serving.http.dependencies import State, write_json
from nextreel.serving.http.openapi import EVERYWHERE, problems
from nextreel.serving.storage.model_versions import DamagedVersion, StoredVersion

router = APIRouter(prefix="/v1", tags=["models"])

VersionName = Annotated[str, Path(pattern=request_bodies.VERSION_PATTERN)]


@router.get("/model", responses={200: {"model": response_bodies.Model}, **problems(*EVERYWHERE)})
async def get_model(state: State) -> Response:
    """The version that answers now."""
    return write_json(state.service.engine.model_facts)


@router.get(
    "/admin/models", responses={200: {"model": response_bodies.ModelVersions}, **problems(409, *EVERYWHERE)}
)
async def list_models(state: State) -> Response:
    """All versions in the model's directory, latest first."""
    found = await state.run_writing(state.service.versions.list)
    return write_json({"versions": [_show(version) for version in found]})


@router.post(
    "/admin/models/{version}/promote",
    responses={200: {"model": response_bodies.Model}, **problems(404, 409, *EVERYWHERE)},
)
async def promote_model(version: VersionName, state: State) -> Response:
    """Let a version answer from now on. A damaged one is refused (409), and the old one goes on answering."""
    try:
        await state.run_writing(state.service.promote, version)
    except QueryError as error:
        raise HTTPException(404, str(error)) from None
    return write_json(state.service.engine.model_facts)


@router.post(
    "/admin/rollback", responses={200: {"model": response_bodies.Model}, **problems(409, *EVERYWHERE)}
)
async def roll_back(state: State) -> Response:
    """Go back to the version that answered before."""
    try:
        await state.run_writing(state.service.rollback)
    except QueryError as error:
        raise HTTPException(409, str(error)) from None
    return write_json(state.service.engine.model_facts)


def _show(version: StoredVersion | DamagedVersion) -> dict[str, Any]:
    known = {
        name: getattr(version, name, None)
        for name in ("model", "created_at", "data_until", "validation_ndcg", "problem")
    }
    return {"name": version.name, "current": version.current, **known}
