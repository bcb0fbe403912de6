"""What holds for every view: it is accessible, fits any screen, and loads nothing from another host."""

from collections.abc import Iterator
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, Response

from tests.serving.servers import Server

VIEWS = {
    "home": "/",
    "time travel": "/time-travel?user=1",
    "unknown user": "/time-travel?user=9223372036854775806",
    "new user": "/you?q=the&genre=Drama&diversity=30",
    "rated": "/you?stars-1=5&stars-2=3.5",
    "why": "/why?user=1&at=1704067200",
    "model": "/model",
    "films": "/films",
    "problem": "/time-travel?user=nobody",
    "no movie": "/you?year_min=1900&year_max=1900",
    "no page": "/nothing",
}
MOST_BYTES = 150_000
WIDTHS = (320, 390, 768, 1280)


def address(view: str, site: Server) -> str:
    if view != "why":
        return VIEWS[view]
    first = site.recommend(1, 1_704_067_200)["movies"][0]["movie_id"]
    return f"{VIEWS[view]}&movie={first}"


@pytest.fixture(scope="module", params=VIEWS)
def loaded(request: pytest.FixtureRequest, chromium: Browser, site: Server) -> Iterator[Page]:
    """Each view in turn, loaded once for all tests that look at it without changing anything."""
    page = chromium.new_page(base_url=site.url)
    page.goto(address(request.param, site))
    page.wait_for_load_state("networkidle")
    yield page
    page.close()


@pytest.fixture
def view(loaded: Page) -> Page:
    """A view as a test begins with it."""
    loaded.set_viewport_size({"width": 1280, "height": 720})
    loaded.emulate_media(color_scheme="light", reduced_motion="no-preference")
    return loaded


def find_serious(page: Page) -> dict[str, list[str]]:
    """Return the serious violations that axe reports: elements by rule.

    All rules are checked in the light scheme, and those of colours, all that the schemes differ in, in the dark one.
    """
    violations: dict[str, list[str]] = {}
    schemes: dict[Literal["light", "dark"], dict[str, object]] = {
        "light": {},
        "dark": {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}},
    }
    for scheme, options in schemes.items():
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for rule in Axe().run(page, options=options).response["violations"]:
            if rule["impact"] in ("serious", "critical"):
                violations[f"{scheme}: {rule['id']}"] = [node["html"] for node in rule["nodes"]]
    return violations


def test_axe_finds_nothing_serious(view: Page) -> None:
    assert find_serious(view) == {}


def test_axe_finds_nothing_serious_in_the_dialog(chromium: Browser, site: Server) -> None:
    page = chromium.new_page(base_url=site.url, reduced_motion="reduce")
    page.goto("/time-travel?user=1&moment=20")
    page.locator("a.why").first.click()
    page.get_by_role("dialog").get_by_text("The numbers").click()
    violations = find_serious(page)
    page.close()
    assert violations == {}


def test_nothing_is_wider_than_the_screen(view: Page) -> None:
    needed = {}
    for width in WIDTHS:
        view.set_viewport_size({"width": width, "height": 800})
        needed[width] = view.evaluate("document.documentElement.scrollWidth")
    assert all(pixels <= width for width, pixels in needed.items()), needed


@pytest.mark.parametrize("view", ["home", "time travel", "new user", "model"])
def test_a_view_is_small_and_comes_from_one_host(page: Page, site: Server, view: str) -> None:
    responses: list[Response] = []
    page.on("response", lambda response: responses.append(response))
    page.goto(VIEWS[view])
    page.wait_for_load_state("networkidle")
    assert all(response.url.startswith(site.url) for response in responses)
    assert sum(len(response.body()) for response in responses) < MOST_BYTES


@pytest.mark.parametrize("genre", ["Comedy", "Drama", "Action", "Horror"])
def test_every_title_stays_on_its_poster(page: Page, genre: str) -> None:
    page.goto(f"/you?genre={genre}")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        outside = page.locator(".poster").evaluate_all(
            """posters => posters.filter(poster => {
                const title = poster.querySelector(".lettering").getBoundingClientRect()
                const all = poster.getBoundingClientRect()
                return title.top < all.top || title.bottom > all.bottom || title.right > all.right
            }).map(poster => poster.textContent)"""
        )
        assert outside == []


def test_the_stars_of_a_movie_stay_apart_from_those_of_the_next_one(page: Page) -> None:
    page.goto("/")
    overlapping = {}
    for width in (320, 390, 639, 640, 703, 704, 992, 1119, 1120, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        overlapping[width] = page.locator(".posters .rate").evaluate_all(
            """movies => movies.slice(1).filter((movie, i) => {
                const before = movies[i].querySelector("label:last-of-type").getBoundingClientRect()
                const next = movie.querySelector("label").getBoundingClientRect()
                return next.top === before.top && next.left < before.right
            }).length"""
        )
    assert not any(overlapping.values()), overlapping


def test_no_text_is_smaller_than_ten_pixels(view: Page) -> None:
    small = {}
    for width in WIDTHS:
        view.set_viewport_size({"width": width, "height": 800})
        small[width] = view.evaluate(
            """() => {
                const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
                const small = []
                while (texts.nextNode()) {
                    const size = parseFloat(getComputedStyle(texts.currentNode.parentElement).fontSize)
                    if (texts.currentNode.textContent.trim() && size < 10) small.push(texts.currentNode.textContent)
                }
                return small
            }"""
        )
    assert not any(small.values()), small


def test_who_wants_no_motion_gets_none(chromium: Browser, site: Server) -> None:
    context = chromium.new_context(base_url=site.url, reduced_motion="reduce")
    page = context.new_page()
    page.goto("/time-travel?user=1")
    assert page.evaluate("document.getAnimations().length") == 0
    context.close()
