"""The route that reads a person's own export and matches it with the catalog."""

import binascii

import orjson
from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import Response

from nextreel.data.exports.export_dates import DayOrder
from nextreel.data.exports.export_files import ExportFile
from nextreel.prediction.own_history import RatedAt
from nextreel.serving.http import request_bodies, response_bodies
from nextreel.serving.http.dependencies import State, charge
from nextreel.serving.http.openapi import EVERYWHERE, WITH_BODY, problems
from nextreel.serving.inference.own_histories import COST_OF_AN_EXPORT, read_own_history
from nextreel.serving.inference.service import Service

router = APIRouter(prefix="/v1/histories", tags=["recommendations"])


@router.post(
    "", responses={200: {"model": response_bodies.OwnHistoryAnswer}, **problems(*EVERYWHERE, *WITH_BODY)}
)
async def match_history(
    body: request_bodies.Received[request_bodies.HistoryFile], request: Request, state: State
) -> Response:
    """Read an export of Letterboxd, IMDb, Netflix or MovieLens, or another CSV file, and match it with the catalog.

    Nothing of it is stored or logged. What is returned as `history` is what a query takes as `history`. The body may
    have 14,000,000 bytes, the file 10,000,000 and 50,000 rows.
    """
    try:
        file = body.to_file()
    except binascii.Error:
        raise RequestValidationError(
            [{"type": "base64", "loc": ("body", "base64"), "msg": "expected base64"}]
        ) from None
    charge(request, COST_OF_AN_EXPORT)
    answer = await state.run_scoring(COST_OF_AN_EXPORT, _match, state.service, file, body.dates)
    return Response(
        answer[:-1] + b',"request_id":"' + request.state.request_id.encode() + b'"}',
        media_type="application/json",
    )


def _match(service: Service, file: ExportFile, dates: DayOrder | None) -> bytes:
    """Return what was read, as JSON: serialising thousands of rows would block the event loop."""
    engine = service.engine
    matched = read_own_history(engine, file, dates)
    own, is_rated = matched.own, engine.scale.rated

    def describe(given: RatedAt) -> dict[str, float]:
        return {**({"rating": given.rating} if is_rated else {}), "timestamp": given.timestamp}

    return orjson.dumps(
        {
            "forms": own.forms,
            "films": own.n_films,
            "matched": own.n_matched,
            "history": [
                {"movie_id": row.movie_id, **describe(RatedAt(row.rating, row.timestamp))}
                for row in matched.rows(0)
            ],
            "unmatched": [
                {
                    "title": film.title,
                    "year": film.year,
                    "reason": film.reason,
                    "candidates": candidates,
                    "ratings": [describe(given) for given in film.viewings],
                }
                for film, candidates in matched.unmatched
            ],
            "episodes": own.n_episodes,
            "left_out": own.n_problems,
            "problems": [str(problem) for problem in own.problems],
            "notes": own.describe(),
            "as_of": own.now,
        }
    )
