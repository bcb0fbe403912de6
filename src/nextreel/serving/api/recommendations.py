"""What to watch next: one query, a batch of them, and a form for people."""

from collections import Counter
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from nextreel.data.times import end_of_this_second
from nextreel.ranking.filters import Filters
from nextreel.serving.http import request_bodies, response_bodies
from nextreel.serving.http.dependencies import AppState, State, write_json
from nextreel.serving.http.openapi import EVERYWHERE, WITH_BODY, problems
from nextreel.serving.inference.engine import NO_FILTERS, Engine, RecommendationRequest, RecommendationResult
from nextreel.serving.storage.store import NewInteraction

router = APIRouter(prefix="/v1", tags=["recommendations"])


@router.post(
    "/recommendations",
    responses={200: {"model": response_bodies.RecommendationAnswer}, **problems(*EVERYWHERE, *WITH_BODY)},
)
async def recommend(query: request_bodies.RecommendationQuery, request: Request, state: State) -> Response:
    """The k movies to watch next, as of a moment: only what the user did strictly before it counts."""
    return await _answer_one(state, request, _read_query(query, end_of_this_second(), query.explain))


@router.post(
    "/recommendations/batch",
    responses={
        200: {"model": response_bodies.RecommendationBatchAnswer},
        **problems(*EVERYWHERE, *WITH_BODY),
    },
)
async def recommend_batch(batch: request_bodies.QueryBatch, request: Request, state: State) -> Response:
    """Answers to up to 1,000 queries, in their order."""
    now = end_of_this_second()
    body = await state.run_reading(_answer_many, state, [_read_query(query, now) for query in batch.queries])
    return Response(
        b'{"answers":' + body + b',"request_id":"' + request.state.request_id.encode() + b'"}',
        media_type="application/json",
    )


@router.get(
    "/users/{user_id}/recommendations",
    responses={200: {"model": response_bodies.RecommendationAnswer}, **problems(*EVERYWHERE)},
)
async def recommend_to_user(
    user_id: Annotated[request_bodies.IdParameter, Path()],
    request: Request,
    state: State,
    timestamp: Annotated[
        request_bodies.TimestampParameter | None,
        Query(alias="at", description="As of when; absent means now, this second included."),
    ] = None,
    k: Annotated[request_bodies.KParameter, Query(description="How many movies.")] = 10,
    exclude_seen: Annotated[bool, Query(description="Leave out what the user has rated before.")] = True,
    diversity: Annotated[
        request_bodies.StrengthParameter, Query(description="Strength of maximal marginal relevance.")
    ] = 0.0,
    explain: Annotated[bool, Query(description="Say which ratings moved each score most.")] = False,
) -> Response:
    """The same as a plain link."""
    asked_as_of = end_of_this_second() if timestamp is None else timestamp
    asked = RecommendationRequest(user_id, asked_as_of, k, exclude_seen, diversity=diversity, explain=explain)
    return await _answer_one(state, request, asked)


async def _answer_one(state: AppState, request: Request, asked: RecommendationRequest) -> Response:
    answer, engine = (await state.run_reading(state.service.recommend, [asked]))[0]
    _count(state, [(answer, engine)])
    return write_json({**_show(answer, engine), "request_id": request.state.request_id})


def _answer_many(state: AppState, asked: list[RecommendationRequest]) -> bytes:
    """The answers as JSON: writing a thousand lists is work for a thread too."""
    answers = state.service.recommend(asked)
    _count(state, answers)
    return orjson.dumps([_show(answer, engine) for answer, engine in answers])


def _read_query(query: request_bodies.Query, now: int, explain: bool = False) -> RecommendationRequest:
    timestamp = now if query.timestamp is None else query.timestamp
    return RecommendationRequest(
        query.user_id,
        timestamp,
        query.k,
        query.exclude_seen,
        _read_filters(query),
        query.diversity,
        query.calibration,
        explain,
        None if query.history is None else _read_history(query.user_id, query.history, timestamp),
    )


def _read_filters(query: request_bodies.Query) -> Filters:
    filters = Filters(
        frozenset(query.include_genres),
        frozenset(query.exclude_genres),
        query.year_min,
        query.year_max,
        frozenset(query.exclude),
    )
    return NO_FILTERS if filters == NO_FILTERS else filters


def _read_history(
    user_id: int, history: list[request_bodies.GuestRating], timestamp: int
) -> tuple[NewInteraction, ...]:
    """A guest's ratings; those without a timestamp came one after the other just before the query."""
    return tuple(
        NewInteraction(
            user_id,
            row.movie_id,
            row.rating,
            max(0, timestamp - len(history) + place) if row.timestamp is None else row.timestamp,
        )
        for place, row in enumerate(history)
    )


def _show(answer: RecommendationResult, engine: Engine) -> dict[str, Any]:
    return {
        "user_id": answer.request.user_id,
        "as_of": answer.request.timestamp,
        "movies": answer.movies,
        "history_length": answer.history_length,
        "fallback": answer.fallback,
        "fallback_reason": answer.fallback_reason,
        "shortfall": answer.shortfall,
        "learned_from_later": answer.learned_from_later,
        "model": engine.model_facts,
    }


def _count(state: AppState, answers: list[tuple[RecommendationResult, Engine]]) -> None:
    for version, number in Counter(engine.version.name for _, engine in answers).items():
        state.metrics.queries.labels(version).inc(number)
    for kind, number in Counter(answer.fallback for answer, _ in answers if answer.fallback).items():
        state.metrics.fallbacks.labels(kind).inc(number)
    short = sum(answer.shortfall is not None for answer, _ in answers)
    if short:
        state.metrics.shortfalls.inc(short)
