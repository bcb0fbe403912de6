"""Routes of the page. A request by htmx gets only the part of the view that changes, any other the full page."""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from nextreel.errors import QueryError
from nextreel.serving.http.dependencies import AppState, State
from nextreel.serving.inference.service import Service
from nextreel.serving.page import movie_reasons, new_user, served_model, time_travel
from nextreel.serving.page.rendering import View, read_assets, render

ShowView = Callable[[Service, QueryParams, bool], View]
"""Makes a view from the service, the URL parameters, and whether the full page is shown or only its changing part."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "Cache-Control": "private, no-cache",
    "Vary": "HX-Request",
}
SWAPPED_IDS = {"time_travel": "list", "newcomer": "answer"}
"""By template name, the id of the HTML element that htmx replaces; the replacement must have the same id."""
FOR_EVER = "public, max-age=31536000, immutable"

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class ProblemView(View):
    """An error message, shown instead of a view whose URL parameters are wrong."""

    problem: str
    part: str | None
    """Id of the HTML element that htmx replaces with the message; None if the template has none in SWAPPED_IDS."""


@router.get("/")
async def show_time_travel(request: Request, state: State) -> Response:
    """Show a user's recommendation list as of each second in which they rated."""
    return await _respond(request, state, "time_travel", time_travel.show)


@router.get("/strip")
async def show_strip(request: Request, state: State) -> Response:
    """Show the chart of a user's ratings over time: a bar for each, by the rank of its movie just before it."""
    return await _respond(request, state, "strip", time_travel.show_strip)


@router.get("/you")
async def show_new_user(request: Request, state: State) -> Response:
    """Show the recommendation list of a visitor who rates a few movies here."""
    return await _respond(request, state, "newcomer", new_user.show)


@router.get("/why")
async def show_movie_reasons(request: Request, state: State) -> Response:
    """Show why a movie is in a recommendation list."""
    return await _respond(request, state, "why", movie_reasons.show)


@router.get("/model")
async def show_served_model(request: Request, state: State) -> Response:
    """Show facts about each version of the model that is served: its data, metrics and age."""
    return await _respond(request, state, "model_card", served_model.show)


@router.get("/assets/{name}")
async def send_asset(name: str) -> Response:
    """Send a static file of the page, such as a style sheet; 404 if there is none with this name."""
    asset = read_assets().get(name)
    if asset is None:
        raise HTTPException(404, f"there is no {name}")
    return Response(asset.content, media_type=asset.media_type, headers={"Cache-Control": FOR_EVER})


async def _respond(request: Request, state: AppState, template: str, show: ShowView) -> Response:
    is_full_page = "hx-request" not in request.headers or "hx-history-restore-request" in request.headers
    root_path: str = request.scope.get("root_path", "")
    ending = ".html" if is_full_page else "_part.html"

    def render_view() -> str:
        view = show(state.service, request.query_params, is_full_page)
        return render(f"{template}{ending}", view, here=template, root_path=root_path)

    try:
        return HTMLResponse(await state.run_reading(render_view), headers=HEADERS)
    except QueryError as error:
        problem = ProblemView(str(error), SWAPPED_IDS.get(template))
        html = render(f"problem{ending}", problem, here=template, root_path=root_path)
        return HTMLResponse(html, 422, HEADERS)
