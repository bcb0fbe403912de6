"""The new-user view, in Chromium."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.serving.servers import Server

Titles = Callable[[], list[str]]


@pytest.fixture
def liked(site: Server) -> list[dict[str, object]]:
    """Return three movies that user 1 rated highly."""
    history = site.ok("GET", "/v1/users/1/history")["history"]
    return [row for row in history if row["rating"] >= 4][:3]


def title_without_year(movie: dict[str, object]) -> str:
    return re.sub(r" \(\d{4}\)$", "", str(movie["title"]))


def search(page: Page, movie: dict[str, object]) -> None:
    page.get_by_label("Search by title").press_sequentially(title_without_year(movie)[:12])
    expect(page.locator("#found")).to_contain_text(title_without_year(movie))


def test_rating_a_movie_that_was_found_makes_the_list_personal_at_once(
    page: Page, titles: Titles, liked: list[dict[str, object]]
) -> None:
    page.goto("/you")
    expect(page.get_by_role("heading", name="Popular now")).to_be_visible()
    earlier = titles()
    search(page, liked[0])
    page.locator(f"#found #stars-{liked[0]['movie_id']}-5").click(force=True)
    expect(page.get_by_role("heading", name="Your ten")).to_be_visible()
    expect(page.locator("#rated")).to_contain_text(title_without_year(liked[0]))
    assert titles() != earlier
    assert title_without_year(liked[0]) not in titles()


def test_the_keyboard_goes_on_where_it_was_when_the_row_has_moved(
    page: Page, liked: list[dict[str, object]]
) -> None:
    page.goto("/you")
    search(page, liked[0])
    page.locator(f"#stars-{liked[0]['movie_id']}-1").focus()
    page.keyboard.press("Space")
    row = page.locator("#rated li")
    expect(row).to_have_count(1)
    expect(row.get_by_role("radio", name="1 star", exact=True)).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(row.get_by_role("radio", name="2 stars")).to_be_checked()
    expect(page).to_have_url(re.compile(f"stars-{liked[0]['movie_id']}=2"))


def test_a_movie_of_the_list_can_be_rated_where_it_stands(page: Page, titles: Titles) -> None:
    page.goto("/you")
    seen = titles()[0]
    page.locator(".card").first.get_by_label("5 stars").click(force=True)
    expect(page.locator("#rated")).to_contain_text(seen)
    expect(page.locator(".change.new").first).to_be_visible()


def test_the_address_holds_everything(page: Page, titles: Titles, liked: list[dict[str, object]]) -> None:
    page.goto("/you")
    for movie in liked:
        page.get_by_label("Search by title").fill("")
        search(page, movie)
        page.locator(f"#found #stars-{movie['movie_id']}-4").click(force=True)
        expect(page.locator("#rated")).to_contain_text(title_without_year(movie))
    listed = titles()
    page.reload()
    assert titles() == listed
    assert page.locator("#rated .title").count() == len(liked)
    assert title_without_year(liked[-1]) in page.locator("#rated .title").first.inner_text()


def test_forgetting_the_only_rating_leads_back_to_what_is_popular(
    page: Page, titles: Titles, liked: list[dict[str, object]]
) -> None:
    page.goto("/you")
    popular = titles()
    page.goto(f"/you?stars-{liked[0]['movie_id']}=5")
    page.get_by_role("button", name=f"Forget {title_without_year(liked[0])}").click()
    expect(page.get_by_role("heading", name="Popular now")).to_be_visible()
    assert titles() == popular


def test_genres_and_years_narrow_the_list(page: Page, liked: list[dict[str, object]]) -> None:
    page.goto(f"/you?stars-{liked[0]['movie_id']}=5")
    page.get_by_text("Genres", exact=True).click()
    page.get_by_label("Drama", exact=True).click(force=True)
    page.get_by_label("From the year").fill("2005")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"genre=Drama.*year_min=2005"))
    assert all("Drama" in text for text in page.locator(".genres").all_text_contents())
    assert all(int(text) >= 2005 for text in page.locator(".year").all_text_contents())


def test_years_that_contradict_each_other_are_explained_and_can_be_mended(context: BrowserContext) -> None:
    page = context.new_page()
    page.goto("/you?year_max=2000")
    page.get_by_label("From the year").fill("2005")
    page.keyboard.press("Enter")
    expect(page.get_by_text("no year is in between")).to_be_visible()
    page.get_by_label("To the year").fill("2010")
    page.keyboard.press("Enter")
    expect(page.locator(".card").first).to_be_visible()
    assert all(2005 <= int(text) <= 2010 for text in page.locator(".year").all_text_contents())


def test_diversity_mixes_the_list(page: Page, titles: Titles, liked: list[dict[str, object]]) -> None:
    page.goto(f"/you?stars-{liked[0]['movie_id']}=5")
    earlier = titles()
    with page.expect_response(re.compile("diversity=100")):
        page.get_by_label("Diversity").press("End")
    expect(page).to_have_url(re.compile("diversity=100"))
    assert titles() != earlier


def test_why_names_the_ratings_given_here(page: Page, liked: list[dict[str, object]]) -> None:
    page.goto(f"/you?stars-{liked[0]['movie_id']}=5&stars-{liked[1]['movie_id']}=2")
    page.locator("a.why").first.click()
    reasons = page.get_by_role("dialog").locator(".reasons .title")
    expect(reasons).to_have_count(2)
    assert {re.sub(r" \d{4}$", "", text) for text in reasons.all_text_contents()} == {
        title_without_year(liked[0]),
        title_without_year(liked[1]),
    }
    expect(page).to_have_url(re.compile("/you"))


def test_without_javascript_the_form_is_sent_by_a_button(
    chromium: Browser, site: Server, liked: list[dict[str, object]]
) -> None:
    context = chromium.new_context(base_url=site.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/you")
    page.get_by_label("Search by title").fill(title_without_year(liked[0]))
    page.get_by_role("button", name="Search").click()
    page.locator(f"#found #stars-{liked[0]['movie_id']}-5").click(force=True)
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("#rated")).to_contain_text(title_without_year(liked[0]))
    expect(page.get_by_role("heading", name="Your ten")).to_be_visible()
    context.close()
