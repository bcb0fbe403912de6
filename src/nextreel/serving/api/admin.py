"""Routes for the versions of the model: list them, and change which one is served without dropping a request."""

from typing import Annotated

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
    """Return the version of the model that is served now."""
    return write_json(state.service.engine.model_facts)


@router.get(
    "/admin/models", responses={200: {"model": response_bodies.ModelVersions}, **problems(409, *EVERYWHERE)}
)
async def list_models(state: State) -> Response:
    """List all versions in the server's model directory, latest first."""
    versions = await state.run_writing(state.service.versions.list)
    return write_json({"versions": [_describe(version).model_dump() for version in versions]})


@router.post(
    "/admin/models/{version}/promote",
    responses={200: {"model": response_bodies.Model}, **problems(404, 409, *EVERYWHERE)},
)
async def promote_model(version: VersionName, state: State) -> Response:
    """Serve this version from now on. If its files are damaged (409), the server keeps the version it has."""
    try:
        await state.run_writing(state.service.promote, version)
    except QueryError as error:
        raise HTTPException(404, str(error)) from None
    return write_json(state.service.engine.model_facts)


@router.post(
    "/admin/rollback", responses={200: {"model": response_bodies.Model}, **problems(409, *EVERYWHERE)}
)
async def roll_back(state: State) -> Response:
    """Serve the version that was current before the present one. If there was none, the response is 409."""
    try:
        await state.run_writing(state.service.rollback)
    except QueryError as error:
        raise HTTPException(409, str(error)) from None
    return write_json(state.service.engine.model_facts)


def _describe(version: StoredVersion | DamagedVersion) -> response_bodies.ModelVersion:
    if isinstance(version, DamagedVersion):
        return response_bodies.ModelVersion(
            name=version.name,
            current=version.current,
            model=None,
            created_at=None,
            data_until=None,
            validation_ndcg=None,
            problem=version.problem,
        )
    return response_bodies.ModelVersion(
        name=version.name,
        current=version.current,
        model=version.model,
        created_at=version.created_at,
        data_until=version.data_until,
        validation_ndcg=version.validation_ndcg,
        problem=None,
    )
