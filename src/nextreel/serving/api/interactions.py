"""Ratings that arrive: acknowledged once they are durable, and counted in the user's very next answer."""

import time
from collections import Counter
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Header
from starlette.exceptions import HTTPException
from starlette.responses import Response

from nextreel.data.times import DAY
from nextreel.errors import QueryError
from nextreel.serving.http import request_bodies, response_bodies
from nextreel.serving.http.dependencies import AppState, State, write_json
from nextreel.serving.http.openapi import EVERYWHERE, WITH_BODY, problems
from nextreel.serving.storage.store import NewInteraction, Outcome

router = APIRouter(prefix="/v1", tags=["interactions"])

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern=request_bodies.IDEMPOTENCY_KEY_PATTERN,
        description="The same request sent again within a day under the same key gets the first answer again.",
    ),
]
ANSWERS = problems(409, *EVERYWHERE, *WITH_BODY)


@router.post(
    "/interactions",
    status_code=201,
    responses={
        201: {"model": response_bodies.Stored, "description": "Durably stored."},
        200: {"model": response_bodies.Stored, "description": "It stands already; nothing was written."},
        **ANSWERS,
    },
)
async def add_interaction(
    interaction: request_bodies.Interaction, state: State, idempotency_key: IdempotencyKey = None
) -> Response:
    """Store a rating. It is durable before the answer, and the user's next list knows of it.

    One rating is one event: (user, movie, timestamp). The same again is no error; the same with other stars is a
    conflict (409). A movie rated again later is a new event, and the later one wins. A user who isn't known just
    appears; a movie outside the catalog is refused (422), and so is a timestamp more than a day ahead of the server.
    """
    row = _read_rows([interaction], idempotency_key)[0]
    outcome = (await _store(state, [row], idempotency_key))[0]
    if outcome is Outcome.CONFLICT:
        raise HTTPException(409, "this user's rating of this movie in this second stands with other stars")
    shown = response_bodies.Stored(
        user_id=row.user_id,
        movie_id=row.movie_id,
        rating=row.rating,
        timestamp=row.timestamp,
        outcome="added" if outcome is Outcome.ADDED else "known",
    )
    return write_json(shown.model_dump(), 201 if outcome is Outcome.ADDED else 200)


@router.post(
    "/interactions/batch",
    status_code=201,
    responses={
        201: {
            "model": response_bodies.StoredBatch,
            "description": "Durably stored, those with outcome added.",
        },
        200: {"model": response_bodies.StoredBatch, "description": "None was new; nothing was written."},
        **ANSWERS,
    },
)
async def add_interactions(
    batch: request_bodies.InteractionBatch, state: State, idempotency_key: IdempotencyKey = None
) -> Response:
    """Store up to 1,000 ratings in one step. One that can't be (422) keeps all from being stored; one that conflicts
    with what stands is left out and said so."""
    outcomes = await _store(state, _read_rows(batch.interactions, idempotency_key), idempotency_key)
    count = Counter(outcomes)
    shown = {
        "added": count[Outcome.ADDED],
        "known": count[Outcome.KNOWN],
        "conflicts": count[Outcome.CONFLICT],
        "outcomes": outcomes,
    }
    return write_json(shown, 201 if count[Outcome.ADDED] else 200)


def _read_rows(interactions: Sequence[request_bodies.Interaction], key: str | None) -> list[NewInteraction]:
    now = int(time.time())
    if key is not None and any(row.timestamp is None for row in interactions):
        raise QueryError(
            "timestamp is needed beside an Idempotency-Key: sent again, now would be another moment"
        )
    rows = [
        NewInteraction(row.user_id, row.movie_id, row.rating, now if row.timestamp is None else row.timestamp)
        for row in interactions
    ]
    ahead = max(row.timestamp for row in rows) - now
    if ahead > DAY:
        raise QueryError(
            f"timestamp lies {ahead:,} seconds ahead of the server's clock; at most a day ({DAY:,}) is allowed"
        )
    return rows


async def _store(state: AppState, rows: Sequence[NewInteraction], key: str | None) -> list[Outcome]:
    outcomes = await state.run_writing(state.service.engine.remember, rows, key)
    for outcome, number in Counter(outcomes).items():
        state.metrics.stored.labels(outcome).inc(number)
    return outcomes
