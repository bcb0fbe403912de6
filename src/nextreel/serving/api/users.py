"""Routes for the data of one user: their history, an export of everything that is stored, and its erasure."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.exceptions import HTTPException
from starlette.responses import Response

from nextreel.serving.http import request_bodies, response_bodies
from nextreel.serving.http.access.acting_key import Actor
from nextreel.serving.http.data_values import UserIdParameter
from nextreel.serving.http.dependencies import State, write_json
from nextreel.serving.http.openapi import EVERYWHERE, problems
from nextreel.serving.inference.movie_cards import as_data_have_them

router = APIRouter(prefix="/v1/users", tags=["people"])

UserId = Annotated[UserIdParameter, Path()]


@router.get(
    "/{user_id}/history", responses={200: {"model": response_bodies.History}, **problems(*EVERYWHERE)}
)
async def get_history(
    user_id: UserId,
    state: State,
    before: Annotated[
        request_bodies.TimestampParameter | None,
        Query(description="Only ratings strictly before this time; without it, all ratings."),
    ] = None,
    limit: Annotated[request_bodies.IntParameter, Query(ge=1, le=1_000)] = 100,
    offset: Annotated[request_bodies.IntParameter, Query(ge=0, le=10_000_000)] = 0,
) -> Response:
    """Return a user's history as of a time, latest first.

    Of a movie that the user had rated twice by then, only the later rating is part of the history.
    """
    engine = state.service.engine
    rows = await state.run_reading(engine.histories.as_of, user_id, before)
    page = as_data_have_them(rows[offset : offset + limit], engine.scale)
    return write_json({"user_id": user_id, "before": before, "length": len(rows), "history": page})


@router.get("/{user_id}", responses={200: {"model": response_bodies.Person}, **problems(404, *EVERYWHERE)})
async def export_user(user_id: UserId, state: State) -> Response:
    """Return everything that is stored about a user: their ratings, and the lists shown to them in experiments."""
    export = await state.run_reading(state.service.export, user_id)
    if not (export["interactions"] or export["recommendations"]):
        raise HTTPException(404, f"nothing is known of user {user_id}")
    return write_json(export)


@router.delete("/{user_id}", responses={200: {"model": response_bodies.Erased}, **problems(415, *EVERYWHERE)})
async def erase_user(user_id: UserId, state: State, actor: Actor) -> Response:
    """Erase a user from the store, its files and the memory of all servers; the next refit leaves them out too.

    Ratings and lists that were on their way when the user was erased aren't stored any more (409). Ratings that are
    sent afterwards are those of a new user. Erasing a user who is erased already, or was never known, removes 0 ratings
    and is no error.

    Versions of the model that were fitted on data with the user still hold these data: `kept_in_versions` names them.
    Refit, then delete these versions.
    """
    erased = await state.run_writing(state.service.erase, user_id, actor)
    return write_json({"user_id": user_id, **asdict(erased)})
