"""A visitor drops an export on a phone, fixes a film, asks with somebody else, and leaves nothing behind."""

import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from nextreel.prediction.predictor import Predictor
from tests.serving.page.browser.test_every_view import find_serious
from tests.serving.servers import Server

HEADER = "Date,Name,Year,Letterboxd URI,Rating\n"


def write_export(path: Path, predictor: Predictor, movies: slice, extra: str = "") -> Path:
    """Write the titles of some movies as Letterboxd exports them."""
    rows = predictor.dataset.movies[movies].select("Title", "Year").rows()
    lines = [f'2023-01-{day:02},"{title.removesuffix(f" ({year})").replace(chr(34), chr(34) * 2)}",{year},u,4.5' for day, (title, year) in enumerate(rows, 1)]  # fmt: skip
    path.write_text(HEADER + "\n".join([*lines, *([extra] if extra else [])]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def phone(chromium: Browser, site: Server) -> Iterator[Page]:
    context = chromium.new_context(
        base_url=site.url, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    context.set_default_timeout(20_000)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.extend([said.text] if said.type == "error" else []))
    yield page
    assert complaints == []
    context.close()


def shoot(page: Page, name: str) -> None:
    """Save a picture of the page where SCREENSHOTS names a directory, to look at it."""
    if directory := os.environ.get("SCREENSHOTS"):
        # A hidden caret would need a style that the security policy forbids.
        page.screenshot(path=f"{directory}/{name}.png", full_page=True, caret="initial")


def stored_users(site: Server) -> int:
    with sqlite3.connect(site.log.parent / "nextreel.db") as store:
        count: int = store.execute("select count(distinct user_id) from interactions").fetchone()[0]
    return count


def test_a_file_is_dropped_a_film_fixed_somebody_added_and_everything_forgotten(
    phone: Page, site: Server, predictor: Predictor, tmp_path: Path
) -> None:
    title = predictor.dataset.movies["Title"][20]
    mine = write_export(tmp_path / "ratings.csv", predictor, slice(0, 6), "2023-02-01,Nowhere Known,1999,u,4")
    theirs = write_export(tmp_path / "other.csv", predictor, slice(30, 36))
    users = stored_users(site)
    phone.goto("/films")
    shoot(phone, "films-1-empty")
    phone.get_by_label("Choose your file, or drop it here").set_input_files(mine)
    expect(phone.get_by_role("heading", name="You: 6 films")).to_be_visible()
    expect(phone.locator(".posters > li")).to_have_count(10)
    expect(phone.get_by_role("heading", name="Not matched: 1")).to_be_visible()
    shoot(phone, "films-2-read")
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390

    phone.get_by_label("Search a movie for Nowhere Known").first.fill(title[:12])
    phone.get_by_role("button", name="Search a movie for Nowhere Known").tap()
    phone.get_by_role("button", name=f"It’s {title}").tap()
    expect(phone.get_by_role("heading", name="You: 7 films")).to_be_visible()
    expect(phone.get_by_role("heading", name=re.compile("Not matched"))).to_have_count(0)
    alone = phone.locator(".posters .name").all_text_contents()

    phone.get_by_label("Add somebody: a list for both").set_input_files(theirs)
    expect(phone.get_by_role("heading", name="They: 6 films")).to_be_visible()
    expect(phone.get_by_role("heading", name="For both of you")).to_be_visible()
    assert phone.locator(".posters .name").all_text_contents() != alone
    expect(phone.locator(".posters > li").first).to_contain_text(re.compile(r"You top \d+ %"))
    phone.get_by_label("The list is").select_option("least-misery")
    expect(phone.get_by_label("The list is")).to_have_value("least-misery")
    shoot(phone, "films-3-both")
    assert find_serious(phone) == {}
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390

    phone.get_by_role("link", name="Forget everything").tap()
    expect(phone.locator(".posters")).to_have_count(0)
    assert phone.locator("input[name=person]").count() == 0
    assert phone.url == f"{site.url}/films"
    assert phone.context.cookies() == []
    # htmx notes the path of the page, and nothing else.
    assert phone.evaluate("[...Object.values(localStorage), ...Object.values(sessionStorage)]") == ["/films"]
    assert phone.evaluate("history.length") <= 2
    phone.reload()
    expect(phone.locator(".person")).to_have_count(0)
    assert stored_users(site) == users
    assert "Nowhere Known" not in site.log.read_text()


def test_keep_stores_a_user_who_can_be_exported_and_erased(
    phone: Page, site: Server, predictor: Predictor, tmp_path: Path
) -> None:
    phone.goto("/films")
    export = write_export(tmp_path / "ratings.csv", predictor, slice(0, 5))
    phone.get_by_label("Choose your file, or drop it here").set_input_files(export)
    phone.get_by_role("button", name="Keep").tap()
    kept = phone.get_by_text("Kept as user")
    expect(kept).to_be_visible()
    user_id = int(kept.locator("b").inner_text())
    assert len(site.ok("GET", f"/v1/users/{user_id}")["interactions"]) == 5
    assert site.ok("DELETE", f"/v1/users/{user_id}")["removed"] == 5


def test_without_javascript_the_same_works_by_buttons(
    chromium: Browser, site: Server, predictor: Predictor, tmp_path: Path
) -> None:
    context = chromium.new_context(base_url=site.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/films")
    export = write_export(tmp_path / "x.csv", predictor, slice(0, 6), "2023-02-01,Nowhere,1999,u,4")
    page.get_by_label("Choose your file, or drop it here").set_input_files(export)
    page.get_by_role("button", name="Read it").click()
    expect(page.get_by_role("heading", name="You: 6 films")).to_be_visible()
    page.get_by_role("button", name="Leave out Nowhere").click()
    expect(page.get_by_role("heading", name=re.compile("Not matched"))).to_have_count(0)
    expect(page.locator(".posters > li")).to_have_count(10)
    page.get_by_role("link", name="Forget everything").click()
    expect(page.locator(".person")).to_have_count(0)
    context.close()


def test_a_wrong_file_is_explained(phone: Page, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("Name,Price\nTea,3\n")
    phone.goto("/films")
    phone.get_by_label("Choose your file, or drop it here").set_input_files(tmp_path / "x.csv")
    expect(phone.get_by_role("alert").first).to_contain_text("expected the header of an export")
