"""Routes that recommend: for one query, for a batch of queries, and by a plain link."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, TypedDict

import orjson
from fastapi import APIRouter, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import Response

from nextreel.data.ids import Id
from nextreel.data.rating_scale import RatingScale
from nextreel.data.times import end_of_this_second
from nextreel.ranking.filters import Filters
from nextreel.serving.http import request_bodies, response_bodies
from nextreel.serving.http.data_values import UserIdParameter
from nextreel.serving.http.dependencies import AppState, State, charge, write_json
from nextreel.serving.http.openapi import EVERYWHERE, WITH_BODY, problems
from nextreel.serving.inference.engine import Engine, ModelFacts
from nextreel.serving.inference.list_requests import NO_FILTERS, RecommendationRequest, RecommendationResult
from nextreel.serving.inference.movie_cards import ScoredMovie, WatchedReason, as_data_have_them
from nextreel.serving.inference.request_cost import MAX_COST, cost_of
from nextreel.serving.storage.store import NewInteraction

router = APIRouter(prefix="/v1", tags=["recommendations"])


class ExplainedMovie(ScoredMovie):
    """A recommended movie with its reasons, in a response."""

    reasons: Sequence[WatchedReason]


class RecommendationFields(TypedDict):
    """The fields of a recommendation in a response, in their order."""

    user_id: Id
    as_of: int
    movies: Sequence[ScoredMovie]
    """Best first; each an `ExplainedMovie` if the request asks for reasons."""
    history_length: int
    fallback: str | None
    fallback_reason: str | None
    shortfall: str | None
    learned_from_later: bool
    model: ModelFacts


@router.post(
    "/recommendations",
    responses={200: {"model": response_bodies.RecommendationAnswer}, **problems(*EVERYWHERE, *WITH_BODY)},
)
async def recommend(
    query: request_bodies.Received[request_bodies.RecommendationQuery], request: Request, state: State
) -> Response:
    """Recommend k movies to a user as of a time: only ratings strictly before it count."""
    return await _recommend_one(state, request, _read_query(query, end_of_this_second(), query.explain))


@router.post(
    "/recommendations/batch",
    responses={
        200: {"model": response_bodies.RecommendationBatchAnswer},
        **problems(*EVERYWHERE, *WITH_BODY),
    },
)
async def recommend_batch(
    batch: request_bodies.Received[request_bodies.QueryBatch], request: Request, state: State
) -> Response:
    """Recommend for up to 1,000 queries; the lists come in the order of the queries.

    Together they may cost 10,000, where a list costs 1 + k / 50, and more with diversity, calibration, filters or a
    guest's history.
    """
    now = end_of_this_second()
    queries = [_read_query(query, now) for query in batch.queries]
    cost = cost_of(queries)
    if cost > MAX_COST:
        excess = f"these {len(queries):,} cost {cost:,.0f}, and one request may cost {MAX_COST:,}"
        detail = f"{excess}: send fewer at once, or ask for shorter lists, less often with diversity or calibration"
        raise RequestValidationError([{"type": "too_costly", "loc": ("body", "queries"), "msg": detail}])
    charge(request, cost)
    body = await state.run_scoring(cost, _recommend_many, state, queries)
    return Response(
        b'{"answers":' + body + b',"request_id":"' + request.state.request_id.encode() + b'"}',
        media_type="application/json",
    )


@router.get(
    "/users/{user_id}/recommendations",
    responses={200: {"model": response_bodies.RecommendationAnswer}, **problems(*EVERYWHERE)},
)
async def recommend_to_user(
    user_id: Annotated[UserIdParameter, Path()],
    request: Request,
    state: State,
    timestamp: Annotated[
        request_bodies.TimestampParameter | None,
        Query(
            alias="at", description="Only ratings strictly before this time count; without it, all until now."
        ),
    ] = None,
    k: Annotated[request_bodies.KParameter, Query(description="Number of movies to recommend.")] = 10,
    exclude_seen: Annotated[
        bool, Query(description="Leave out the movies that the user had rated by then.")
    ] = True,
    diversity: Annotated[
        request_bodies.StrengthParameter,
        Query(description="Strength of maximal marginal relevance, which varies the list: 0 to 1."),
    ] = 0.0,
    explain: Annotated[
        bool, Query(description="Add to each movie the ratings that had the largest effect on its score.")
    ] = False,
) -> Response:
    """Recommend k movies to a user as of a time, by a plain link: only ratings strictly before it count."""
    as_of = end_of_this_second() if timestamp is None else timestamp
    query = RecommendationRequest(user_id, as_of, k, exclude_seen, diversity=diversity, explain=explain)
    return await _recommend_one(state, request, query)


async def _recommend_one(state: AppState, request: Request, query: RecommendationRequest) -> Response:
    cost = cost_of([query])
    charge(request, cost)
    result, engine = await state.answer(query, cost)
    _count(state, [(result, engine)])
    return write_json({**_fields(result, engine), "request_id": request.state.request_id})


def _recommend_many(state: AppState, queries: list[RecommendationRequest]) -> bytes:
    """Return the lists as JSON: serialising a thousand of them would block the event loop."""
    served = state.service.recommend(queries)
    _count(state, served)
    return orjson.dumps([_fields(result, engine) for result, engine in served])


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
    return (
        NO_FILTERS if filters == NO_FILTERS else filters
    )  # one instance, as most queries of a batch have no filters


def _read_history(
    user_id: Id, history: list[request_bodies.GuestRating], timestamp: int
) -> tuple[NewInteraction, ...]:
    """Read a guest's ratings; those without a timestamp get the seconds just before the query, in their order."""
    return tuple(
        NewInteraction(
            user_id,
            row.movie_id,
            row.rating,
            max(0, timestamp - len(history) + place) if row.timestamp is None else row.timestamp,
        )
        for place, row in enumerate(history)
    )


def _fields(result: RecommendationResult, engine: Engine) -> RecommendationFields:
    return {
        "user_id": result.request.user_id,
        "as_of": result.request.timestamp,
        "movies": _movies(result, engine.scale),
        "history_length": result.history_length,
        "fallback": result.fallback,
        "fallback_reason": result.fallback_reason,
        "shortfall": result.shortfall,
        "learned_from_later": result.learned_from_later,
        "model": engine.model_facts,
    }


def _movies(result: RecommendationResult, scale: RatingScale) -> Sequence[ScoredMovie]:
    if result.reasons is None:
        return result.movies
    explained: list[ExplainedMovie] = [
        {**movie, "reasons": as_data_have_them(reasons, scale)}
        for movie, reasons in zip(result.movies, result.reasons, strict=True)
    ]
    return explained


def _count(state: AppState, served: list[tuple[RecommendationResult, Engine]]) -> None:
    for version, number in Counter(engine.version.name for _, engine in served).items():
        state.metrics.queries.labels(version).inc(number)
    for kind, number in Counter(result.fallback for result, _ in served if result.fallback).items():
        state.metrics.fallbacks.labels(kind).inc(number)
    n_short = sum(result.shortfall is not None for result, _ in served)
    if n_short:
        state.metrics.shortfalls.inc(n_short)
