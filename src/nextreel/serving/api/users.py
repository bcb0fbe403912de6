"""A person's data: the history that lists are based on, all that is kept, and its erasure."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.exceptions import HTTPException
from starlette.responses import Response

from nextreel.serving.http import request_bodies, response_bodies
from nextreel.serving.http.dependencies import State, write_json
from nextreel.serving.http.openapi import EVERYWHERE, problems

router = APIRouter(prefix="/v1/users", tags=["people"])

UserId = Annotated[request_bodies.IdParameter, Path()]


@router.get(
    "/{user_id}/history", responses={200: {"model": response_bodies.History}, **problems(*EVERYWHERE)}
)
async def get_history(
    user_id: UserId,
    state: State,
    before: Annotated[
        request_bodies.TimestampParameter | None, Query(description="Only what was strictly earlier.")
    ] = None,
    limit: Annotated[request_bodies.IntParameter, Query(ge=1, le=1_000)] = 100,
    offset: Annotated[request_bodies.IntParameter, Query(ge=0, le=10_000_000)] = 0,
) -> Response:
    """What a person had rated before a moment, latest first; of a movie rated twice, the later rating."""
    rows = await state.run_reading(state.service.engine.history, user_id, before)
    page = rows[offset : offset + limit]
    return write_json({"user_id": user_id, "before": before, "length": len(rows), "history": page})


@router.get("/{user_id}", responses={200: {"model": response_bodies.Person}, **problems(404, *EVERYWHERE)})
async def export_user(user_id: UserId, state: State) -> Response:
    """All that is kept about a person."""
    found = await state.run_reading(state.service.engine.export, user_id)
    if not (found["interactions"] or found["recommendations"]):
        raise HTTPException(404, f"nothing is known of user {user_id}")
    return write_json(found)


@router.delete("/{user_id}", responses={200: {"model": response_bodies.Erased}, **problems(*EVERYWHERE)})
async def erase_user(user_id: UserId, state: State) -> Response:
    """Forget a person: the store, what servers hold in memory, and the next refit. Again is no error."""
    removed = await state.run_writing(state.service.erase, user_id)
    return write_json({"user_id": user_id, "removed": removed})
