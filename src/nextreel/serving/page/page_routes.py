"""Routes of the page. A request by htmx gets only the part of the view that changes, any other the full page."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from fastapi import APIRouter, Request
from starlette.datastructures import Headers, QueryParams
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from nextreel.errors import QueryError
from nextreel.serving.http.dependencies import AppState, State, charge
from nextreel.serving.http.form_data import FormData, parse_form
from nextreel.serving.http.request_rewriting import path_below_root
from nextreel.serving.inference.own_histories import COST_OF_AN_EXPORT
from nextreel.serving.inference.service import Service
from nextreel.serving.page import movie_reasons, new_user, own_films, served_model, time_travel
from nextreel.serving.page.own_films import OwnFilmsView
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
PROBLEMS = {
    404: ("There is no such page", "The link may be old or mistyped"),
    503: ("The movies can't be reached", "The server is busy or its store is away; try again in a moment"),
}
"""By status code, title and text of the page for an error that isn't about the parameters of a view."""
SEARCH_FIELD_ID = "q"
"""Id of the HTML element in which a visitor types the title of a movie."""
FOR_EVER = "public, max-age=31536000, immutable"

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class ProblemView(View):
    """An error message, shown instead of a view."""

    title: str
    """What went wrong, in a few words."""
    problem: str
    part: str | None
    """Id of the HTML element that htmx replaces with the message; None if the template has none in SWAPPED_IDS."""


@router.get("/")
async def show_home(request: Request, state: State) -> Response:
    """Show the new-user view; with a user in the URL, as in older links, show time travel."""
    if "user" in request.query_params or "moment" in request.query_params:
        return await show_time_travel(request, state)
    return await show_new_user(request, state)


@router.get("/time-travel")
async def show_time_travel(request: Request, state: State) -> Response:
    """Show a user's recommendation list as of each second in which they rated."""
    return await _respond(request, state, "time_travel", time_travel.show)


@router.get("/strip")
async def show_strip(request: Request, state: State) -> Response:
    """Show the chart of a user's ratings over time: a bar for each, by the rank of its movie just before it."""
    return await _respond(request, state, "strip", time_travel.show_strip, cost=time_travel.MAX_RATINGS)


@router.get("/you")
async def show_new_user(request: Request, state: State) -> Response:
    """Show the recommendation list of a visitor who rates a few movies here."""
    return await _respond(request, state, "newcomer", new_user.show)


@router.get("/films")
async def show_own_films(request: Request, state: State) -> Response:
    """Show the form for a visitor's own films, without any."""
    return _show_films(request, state, own_films.NOTHING)


@router.post("/films")
async def answer_own_films(request: Request, state: State) -> Response:
    """Read a visitor's export, or settle a film of it, and show the list; nothing of it is stored."""
    return await _answer_films(request, state, own_films.answer_form, COST_OF_AN_EXPORT)


@router.post("/films/keep")
async def keep_own_films(request: Request, state: State) -> Response:
    """Store a visitor's films as those of a new user, as the visitor asked for."""
    return await _answer_films(request, state, own_films.keep, COST_OF_AN_EXPORT)


@router.get("/why")
async def show_movie_reasons(request: Request, state: State) -> Response:
    """Show why a movie is in a recommendation list."""
    return await _respond(request, state, "why", movie_reasons.show)


@router.get("/model")
async def show_served_model(request: Request, state: State) -> Response:
    """Show facts about each version of the model that is served: its data, metrics and age."""
    return await _respond(request, state, "model_card", served_model.show)


def show_problem(request: Request, status: int, detail: str) -> Response | None:
    """Return an error as a page, if a person asked for one by a browser; None for the API and for programs."""
    is_browser = request.method in ("GET", "HEAD") and "text/html" in request.headers.get("accept", "")
    root_path: str = request.scope.get("root_path", "")
    if not is_browser or path_below_root(request.scope).startswith("/v1/"):
        return None
    title, problem = PROBLEMS.get(status, ("That can't be shown", detail))
    content = render("problem.html", ProblemView(title, problem, None), "", root_path)
    return HTMLResponse(content, status, HEADERS | {"Vary": "Accept"})


@router.get("/assets/{name}")
async def send_asset(name: str) -> Response:
    """Send a static file of the page, such as a style sheet; 404 if there is none with this name."""
    asset = read_assets().get(name)
    if asset is None:
        raise HTTPException(404, f"there is no {name}")
    return Response(asset.content, media_type=asset.media_type, headers={"Cache-Control": FOR_EVER})


async def _answer_films(
    request: Request, state: AppState, answer: Callable[[Service, FormData], OwnFilmsView], cost: float
) -> Response:
    body = await request.body()
    content_type = request.headers.get("content-type", "")
    charge(request, cost)

    def run() -> OwnFilmsView:
        return answer(state.service, parse_form(content_type, body))

    try:
        return _show_films(request, state, await state.run_scoring(cost, run))
    except QueryError as error:
        view = replace(own_films.NOTHING, problem=str(error))
        return _show_films(request, state, view, 422)


def _show_films(request: Request, state: AppState, view: OwnFilmsView, status: int = 200) -> Response:
    """Return the page, or only the part of it that htmx replaces; no browser may store either."""
    root_path: str = request.scope.get("root_path", "")
    template = "films_part.html" if "hx-request" in request.headers else "films.html"
    html = render(template, view, "films", root_path, state.service.engine.scale)
    return HTMLResponse(html, status, HEADERS | {"Cache-Control": "no-store"})


async def _respond(
    request: Request, state: AppState, template: str, show: ShowView, cost: float = 1
) -> Response:
    is_full_page = "hx-request" not in request.headers or "hx-history-restore-request" in request.headers
    root_path: str = request.scope.get("root_path", "")
    ending = ".html" if is_full_page else "_part.html"

    def render_view() -> tuple[str, dict[str, str]]:
        view = show(state.service, request.query_params, is_full_page)
        headers = (
            {} if is_full_page else _change_address(template, root_path, view.address(), request.headers)
        )
        html = render(f"{template}{ending}", view, template, root_path, state.service.engine.scale)
        return html, headers

    try:
        content, headers = await state.run_scoring(cost, render_view)
        return HTMLResponse(content, headers=HEADERS | headers)
    except QueryError as error:
        problem = ProblemView("That can't be shown", str(error), SWAPPED_IDS.get(template))
        html = render(f"problem{ending}", problem, template, root_path)
        return HTMLResponse(html, 422, HEADERS)


def _change_address(template: str, root_path: str, address: str | None, sent: Headers) -> dict[str, str]:
    """Return the header by which htmx shows the address of a view; `sent` are the headers of the request.

    What a visitor may want to undo by the browser's Back becomes a step of its history: a rating or a filter, but
    neither each letter of a search nor each movement of the time travel's slider.
    """
    if address is None:
        return {}
    is_typing = sent.get("hx-trigger") == SEARCH_FIELD_ID
    is_new = not sent.get("hx-current-url", "").endswith(root_path + address)
    is_step = template == "newcomer" and is_new and not is_typing
    return {"HX-Push-Url" if is_step else "HX-Replace-Url": root_path + address}
