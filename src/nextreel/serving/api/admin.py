"""Routes for administration: list the versions of the model, change which one is served, and read the audit log."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.exceptions import HTTPException
from starlette.responses import Response

from nextreel.data.schema import LARGEST_INTEGER
from nextreel.errors import QueryError
from nextreel.serving.http import request_bodies, response_bodies
from nextreel.serving.http.access.acting_key import Actor
from nextreel.serving.http.dependencies import State, write_json
from nextreel.serving.http.openapi import EVERYWHERE, problems
from nextreel.serving.storage.stored_versions import DamagedVersion, StoredVersion

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
    responses={200: {"model": response_bodies.Model}, **problems(404, 409, 415, *EVERYWHERE)},
)
async def promote_model(version: VersionName, state: State, actor: Actor) -> Response:
    """Serve this version from now on. If its files are damaged (409), the server keeps the version it has."""
    try:
        await state.run_writing(state.service.promote, version, actor)
    except QueryError as error:
        raise HTTPException(404, str(error)) from None
    return write_json(state.service.engine.model_facts)


@router.post(
    "/admin/rollback", responses={200: {"model": response_bodies.Model}, **problems(409, 415, *EVERYWHERE)}
)
async def roll_back(state: State, actor: Actor) -> Response:
    """Serve the version that was current before the present one. If there was none, the response is 409."""
    try:
        await state.run_writing(state.service.rollback, actor)
    except QueryError as error:
        raise HTTPException(409, str(error)) from None
    return write_json(state.service.engine.model_facts)


@router.get("/admin/audit", responses={200: {"model": response_bodies.AuditLog}, **problems(*EVERYWHERE)})
async def read_audit_log(
    state: State,
    limit: Annotated[request_bodies.IntParameter, Query(ge=1, le=1_000)] = 100,
    before: Annotated[
        request_bodies.IntParameter | None,
        Query(
            ge=1, le=LARGEST_INTEGER, description="Only entries with a lower id: `next` of the page before."
        ),
    ] = None,
) -> Response:
    """Return administrative acts, latest first: what was done to keys, versions, movies and users, by which key.

    The log doesn't say which user was erased. It keeps the latest 10,000 acts of each kind.
    """
    entries = await state.run_writing(state.service.store.audit_log, limit, before)
    following = entries[-1].id if len(entries) == limit else None
    return write_json({"acts": [vars(entry) for entry in entries], "next": following})


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
