"""The route that recommends to several people who want to watch something together."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from nextreel.data.rating_scale import RatingScale
from nextreel.data.times import end_of_this_second
from nextreel.serving.http import request_bodies, response_bodies
from nextreel.serving.http.dependencies import State, charge, write_json
from nextreel.serving.http.openapi import EVERYWHERE, WITH_BODY, problems
from nextreel.serving.inference.list_requests import JointRequest, JointResult
from nextreel.serving.inference.movie_cards import as_data_have_them
from nextreel.serving.inference.request_cost import cost_of_joint

router = APIRouter(prefix="/v1/recommendations", tags=["recommendations"])


@router.post(
    "/together",
    responses={200: {"model": response_bodies.JointAnswer}, **problems(*EVERYWHERE, *WITH_BODY)},
)
async def recommend_together(
    query: request_bodies.Received[request_bodies.JointQuery], request: Request, state: State
) -> Response:
    """Recommend k movies to several people as one list, as of one time, and say how well each movie suits whom.

    The list costs 10 for each person, and 60 more with `explain`.
    """
    timestamp = end_of_this_second() if query.timestamp is None else query.timestamp
    asked = JointRequest(
        tuple(query.user_ids), timestamp, query.k, query.rule, query.exclude_seen, query.explain
    )
    cost = cost_of_joint(len(query.user_ids), query.explain)
    charge(request, cost)
    engine = state.service.engine
    result = await state.run_scoring(cost, engine.recommend_together, asked)
    state.metrics.queries.labels(engine.version.name).inc()
    return write_json(
        {
            "user_ids": query.user_ids,
            "as_of": timestamp,
            "rule": query.rule,
            "movies": _movies(result, engine.scale),
            "history_lengths": result.history_lengths,
            "unknown": [
                user_id for user_id, knows in zip(query.user_ids, result.personal, strict=True) if not knows
            ],
            "model": engine.model_facts,
            "request_id": request.state.request_id,
        }
    )


def _movies(result: JointResult, scale: RatingScale) -> list[dict[str, object]]:
    people = result.request.people
    return [
        {
            **movie,
            "suits": [
                {
                    "user_id": user_id,
                    "percentile": percentile,
                    **(
                        {}
                        if result.reasons is None
                        else {"reasons": as_data_have_them(result.reasons[place][person], scale)}
                    ),
                }
                for person, (user_id, percentile) in enumerate(
                    zip(people, result.percentiles[place], strict=True)
                )
            ],
        }
        for place, movie in enumerate(result.movies)
    ]
