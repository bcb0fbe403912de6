"""Routes that store ratings: they are durable before the response, and count in the user's next recommendation list."""

import time
from collections import Counter
from collections.abc import Sequence

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from nextreel.data.times import DAY
from nextreel.errors import QueryError
from nextreel.serving.http import request_bodies, response_bodies
from nextreel.serving.http.access.acting_key import IdempotencyKey
from nextreel.serving.http.dependencies import AppState, State, charge, write_json
from nextreel.serving.http.openapi import EVERYWHERE, WITH_BODY, problems
from nextreel.serving.inference.request_cost import COST_OF_A_STORED_ROW
from nextreel.serving.storage.store import NewInteraction, Outcome

router = APIRouter(prefix="/v1", tags=["interactions"])

PROBLEMS = problems(409, *EVERYWHERE, *WITH_BODY)


@router.post(
    "/interactions",
    status_code=201,
    responses={
        201: {"model": response_bodies.Stored, "description": "Durably stored."},
        200: {
            "model": response_bodies.Stored,
            "description": "Known: the same rating is stored already; nothing was written.",
        },
        **PROBLEMS,
    },
)
async def add_interaction(
    interaction: request_bodies.Received[request_bodies.Interaction],
    state: State,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Store a rating. It is durable before the response, and counts in the user's next recommendation list.

    A list uses only what happened before it: a rating whose timestamp is ahead of the server's clock counts from
    `counts_from` on. A rating is an event, identified by user, movie and timestamp. Sending the same event again
    changes nothing (200); with another rating it is a conflict (409). Rating a movie again at a later time is a new
    event, which replaces the earlier rating in the history. A new user needs no registration. A movie outside the
    catalog, or a timestamp more than a day ahead of the server's clock, is refused (422).
    """
    row = _read_rows([interaction], idempotency_key)[0]
    outcome = (await _store(state, [row], idempotency_key))[0]
    if outcome is Outcome.CONFLICT:
        raise HTTPException(409, "this user's rating of this movie in this second is stored with other stars")
    stored = response_bodies.Stored(
        user_id=row.user_id,
        movie_id=row.movie_id,
        rating=row.rating if state.service.engine.scale.rated else None,
        timestamp=row.timestamp,
        outcome="added" if outcome is Outcome.ADDED else "known",
        counts_from=_counts_from(row),
    )
    return write_json(stored.model_dump(exclude_none=True), 201 if outcome is Outcome.ADDED else 200)


@router.post(
    "/interactions/batch",
    status_code=201,
    responses={
        201: {
            "model": response_bodies.StoredBatch,
            "description": "The ratings with the outcome `added` are durably stored.",
        },
        200: {"model": response_bodies.StoredBatch, "description": "No rating was new; nothing was written."},
        **PROBLEMS,
    },
)
async def add_interactions(
    batch: request_bodies.Received[request_bodies.InteractionBatch],
    request: Request,
    state: State,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Store up to 1,000 ratings in one transaction.

    If one of them is refused (422), none is stored. A rating that conflicts with a stored one is left out, and its
    outcome is `conflict`. A rating whose timestamp is ahead of the server's clock counts from its `counts_from` on.
    """
    rows = _read_rows(batch.interactions, idempotency_key)
    charge(request, COST_OF_A_STORED_ROW * len(rows))
    outcomes = await _store(state, rows, idempotency_key)
    count = Counter(outcomes)
    stored = {
        "added": count[Outcome.ADDED],
        "known": count[Outcome.KNOWN],
        "conflicts": count[Outcome.CONFLICT],
        "outcomes": outcomes,
        "counts_from": [
            None if outcome is Outcome.CONFLICT else _counts_from(row)
            for row, outcome in zip(rows, outcomes, strict=True)
        ],
    }
    return write_json(stored, 201 if count[Outcome.ADDED] else 200)


def _read_rows(interactions: Sequence[request_bodies.Interaction], key: str | None) -> list[NewInteraction]:
    now = int(time.time())
    if key is not None and any(row.timestamp is None for row in interactions):
        raise QueryError(
            "timestamp is needed beside an Idempotency-Key: if the request is sent again, now is another second"
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


def _counts_from(row: NewInteraction) -> int:
    """Return the earliest timestamp of a query whose history holds the rating: histories are strictly earlier."""
    return row.timestamp + 1


async def _store(state: AppState, rows: Sequence[NewInteraction], key: str | None) -> list[Outcome]:
    outcomes = await state.run_writing(state.service.remember, rows, key)
    for outcome, number in Counter(outcomes).items():
        state.metrics.stored.labels(outcome).inc(number)
    return outcomes
