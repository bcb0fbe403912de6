"""The addresses of the page. Asked by htmx, a view answers with the part that changes, otherwise with all of it."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from nextreel.errors import QueryError
from nextreel.serving.http.dependencies import AppState, State
from nextreel.serving.inference.service import Service
from nextreel.serving.page import movie_reasons as why
from nextreel.serving.page import new_user as newcomer
from nextreel.serving.page import served_model as model_card
from nextreel.serving.page import time_travel
from nextreel.serving.page.rendering import ASSETS, render

View = Callable[[Service, QueryParams, bool], dict[str, Any]]

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "Cache-Control": "private, no-cache",
    "Vary": "HX-Request",
}
SWAPPED = {"time_travel": "list", "newcomer": "answer"}
"""Ids of the parts that htmx replaces; what takes their place must have the same."""
FOR_EVER = "public, max-age=31536000, immutable"

router = APIRouter(include_in_schema=False)


@router.get("/")
async def travel_in_time(request: Request, state: State) -> Response:
    """Somebody's list as of each moment of their history."""
    return await _show(request, state, "time_travel", time_travel.show)


@router.get("/strip")
async def draw_strip(request: Request, state: State) -> Response:
    """The bars over somebody's time."""
    return await _show(request, state, "strip", time_travel.show_strip)


@router.get("/you")
async def be_somebody_new(request: Request, state: State) -> Response:
    """The list of somebody who rates a few movies here."""
    return await _show(request, state, "newcomer", newcomer.show)


@router.get("/why")
async def explain_movie(request: Request, state: State) -> Response:
    """Why a movie stands in a list."""
    return await _show(request, state, "why", why.show)


@router.get("/model")
async def show_model(request: Request, state: State) -> Response:
    """What answers here."""
    return await _show(request, state, "model_card", model_card.show)


@router.get("/assets/{name}")
async def send_asset(name: str) -> Response:
    """A static file, whose address changes with its content."""
    if name not in ASSETS:
        raise HTTPException(404, f"there is no {name}")
    asset = ASSETS[name]
    return Response(asset.content, media_type=asset.media_type, headers={"Cache-Control": FOR_EVER})


async def _show(request: Request, state: AppState, name: str, view: View) -> Response:
    whole = "hx-request" not in request.headers or "hx-history-restore-request" in request.headers

    def answer() -> str:
        values = view(state.service, request.query_params, whole)
        return render(f"{name}.html" if whole else f"{name}_part.html", {**values, "here": name})

    try:
        return HTMLResponse(await state.run_reading(answer), headers=HEADERS)
    except QueryError as error:
        template = "problem.html" if whole else "problem_part.html"
        values = {"problem": str(error), "here": name, "part": SWAPPED.get(name)}
        return HTMLResponse(render(template, values), 422, HEADERS)
