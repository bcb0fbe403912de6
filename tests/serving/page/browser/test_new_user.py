"""The new-user view, in Chromium."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect

from tests.serving.servers import Server

Titles = Callable[[], list[str]]


@pytest.fixture
def liked(site: Server) -> list[dict[str, object]]:
    """Return three movies that user 1 rated highly."""
    history = site.ok("GET", "/v1/users/1/history")["history"]
    return [row for row in history if row["rating"] >= 4][:3]


def title_without_year(movie: dict[str, object]) -> str:
    return re.sub(r" \(\d{4}\)$", "", str(movie["title"]))


def search(page: Page, movie: dict[str, object]) -> Locator:
    """Type the title of a movie and return its suggestion."""
    page.get_by_label("Search by title").press_sequentially(title_without_year(movie)[:12])
    suggestion = page.get_by_role("option").filter(has_text=title_without_year(movie)).first
    expect(suggestion).to_be_visible()
    return suggestion


def test_rating_a_movie_that_was_found_makes_the_list_personal_at_once(
    page: Page, titles: Titles, liked: list[dict[str, object]]
) -> None:
    page.goto("/you")
    expect(page.get_by_role("heading", name="Popular now")).to_be_visible()
    earlier = titles()
    search(page, liked[0]).click()
    expect(page.get_by_role("heading", name="Recommended for you")).to_be_visible()
    expect(page.locator("#rated")).to_contain_text(title_without_year(liked[0]))
    assert titles() != earlier
    assert title_without_year(liked[0]) not in titles()


def test_the_keyboard_goes_on_where_it_was_when_the_row_has_moved(
    page: Page,
) -> None:
    page.goto("/you")
    star = page.locator(".card").first.get_by_role("radio", name="1 star", exact=True)
    rating = str(star.get_attribute("name")).replace("new", "stars")
    star.focus()
    page.keyboard.press("Space")
    row = page.locator("#rated li")
    expect(row).to_have_count(1)
    expect(row.get_by_role("radio", name="1 star", exact=True)).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(row.get_by_role("radio", name="2 stars")).to_be_checked()
    expect(page).to_have_url(re.compile(f"{rating}=2"))


def test_a_movie_of_the_list_can_be_rated_where_it_stands(page: Page, titles: Titles) -> None:
    page.goto("/you")
    seen = titles()[0]
    page.locator(".card").first.get_by_label("5 stars").click(force=True)
    expect(page.locator("#rated")).to_contain_text(seen)
    expect(page.locator(".change.new").first).to_be_visible()


def test_the_address_holds_everything(page: Page, titles: Titles, liked: list[dict[str, object]]) -> None:
    page.goto("/you")
    for movie in liked:
        search(page, movie).click()
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
    page.get_by_role("button", name=f"Forget {title_without_year(liked[0])}", exact=True).click()
    expect(page.get_by_role("heading", name="Popular now")).to_be_visible()
    assert titles() == popular


def test_genres_and_years_narrow_the_list(page: Page, liked: list[dict[str, object]]) -> None:
    page.goto(f"/you?stars-{liked[0]['movie_id']}=5")
    page.get_by_label("Drama", exact=True).click(force=True)
    page.get_by_label("From the year").fill("2005")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"genre=Drama.*year_min=2005"))
    assert all("Drama" in text for text in page.locator(".posters .genres").all_text_contents())
    assert all(int(text) >= 2005 for text in page.locator(".posters .year").all_text_contents())


def test_years_that_contradict_each_other_are_explained_and_can_be_mended(context: BrowserContext) -> None:
    page = context.new_page()
    page.goto("/you?year_max=2000")
    page.get_by_label("From the year").fill("2005")
    page.keyboard.press("Enter")
    expect(page.get_by_text("no year is in between")).to_be_visible()
    page.get_by_label("To the year").fill("2010")
    page.keyboard.press("Enter")
    expect(page.locator(".card").first).to_be_visible()
    assert all(2005 <= int(text) <= 2010 for text in page.locator(".posters .year").all_text_contents())


def test_diversity_mixes_the_list(page: Page, titles: Titles, liked: list[dict[str, object]]) -> None:
    page.goto(f"/you?stars-{liked[0]['movie_id']}=5")
    earlier = titles()
    with page.expect_response(re.compile("diversity=100")):
        page.get_by_label("Variety").press("End")
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
    page.get_by_role("option").filter(has_text=title_without_year(liked[0])).first.click()
    expect(page.locator("#rated")).to_contain_text(title_without_year(liked[0]))
    expect(page.get_by_role("heading", name="Recommended for you")).to_be_visible()
    page.get_by_label("Drama", exact=True).check(force=True)
    page.get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile("genre=Drama"))
    starter = page.locator(".starter").nth(2)
    starter.click()
    expect(page.locator(".starter").nth(2)).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#rated li")).to_have_count(2)
    expect(page.get_by_role("button", name="Copy link")).to_be_hidden()
    context.close()


def test_arrow_keys_and_enter_choose_a_suggestion(page: Page) -> None:
    page.goto("/")
    field, suggestions = page.get_by_role("combobox", name="Search by title"), page.get_by_role("listbox")
    expect(field).to_have_attribute("aria-expanded", "false")
    field.press_sequentially("the")
    expect(suggestions).to_have_attribute("data-search", "the")
    expect(field).to_have_attribute("aria-expanded", "true")
    for key, place in (("ArrowDown", 0), ("ArrowDown", 1), ("ArrowUp", 0), ("ArrowUp", 5), ("ArrowDown", 0)):
        field.press(key)
        option = suggestions.get_by_role("option").nth(place)
        expect(option).to_have_attribute("aria-selected", "true")
        expect(suggestions.get_by_role("option", selected=True)).to_have_count(1)
        expect(field).to_have_attribute("aria-activedescendant", str(option.get_attribute("id")))
    field.press("ArrowDown")
    chosen = suggestions.get_by_role("option").nth(1).locator(".title").inner_text()
    field.press("Enter")
    expect(page.locator("#rated .title")).to_have_text(chosen)
    expect(field).to_have_value("")
    expect(field).to_be_focused()
    expect(suggestions).to_be_hidden()


def test_escape_closes_the_suggestions_and_an_arrow_opens_them_again(page: Page) -> None:
    page.goto("/")
    field = page.get_by_role("combobox")
    field.press_sequentially("the")
    expect(page.locator("#suggestions")).to_have_attribute("data-search", "the")
    field.press("Escape")
    expect(page.get_by_role("listbox")).to_be_hidden()
    expect(field).to_have_attribute("aria-expanded", "false")
    field.press("ArrowDown")
    expect(page.get_by_role("listbox")).to_be_visible()
    page.get_by_role("heading", level=1).click()
    expect(page.get_by_role("listbox")).to_be_hidden()


def test_back_takes_the_last_rating_away_and_forward_brings_it_again(page: Page, titles: Titles) -> None:
    page.goto("/")
    popular = titles()
    lists: list[list[str]] = []
    for place in (0, 5):
        page.locator(".starter").nth(place).click()
        expect(page.locator('.starter[aria-pressed="true"]')).to_have_count(len(lists) + 1)
        lists.append(titles())
    page.go_back()
    expect(page.locator('.starter[aria-pressed="true"]')).to_have_count(1)
    assert titles() == lists[0]
    page.go_back()
    expect(page.get_by_role("heading", name="Popular now")).to_be_visible()
    assert titles() == popular
    page.go_forward()
    expect(page.locator("#rated li")).to_have_count(1)
    assert titles() == lists[0]
    page.locator("a.why").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()


def test_a_starter_that_is_tapped_again_is_forgotten(page: Page) -> None:
    page.goto("/")
    starter = page.locator(".starter").nth(3)
    for pressed in ("true", "false"):
        starter.click()
        expect(starter).to_have_attribute("aria-pressed", pressed)
        expect(starter).to_be_focused()
    expect(page.locator("#rated li")).to_have_count(0)


def test_of_taps_that_follow_quickly_each_counts(page: Page) -> None:
    page.goto("/")
    third = f"{page.locator('.starter').nth(2).get_attribute('name')}="
    page.route(lambda url: "/you?" in url and third not in url, lambda route: None, times=2)
    for place in (0, 1, 2):
        page.locator(".starter").nth(place).click()
    expect(page.locator("#rated li")).to_have_count(3)
    expect(page.locator('.starter[aria-pressed="true"]')).to_have_count(3)
    for place in (0, 1):
        page.locator(".starter").nth(place).click()
    expect(page.locator("#rated li")).to_have_count(1)


def test_a_tap_counts_though_the_list_before_it_has_not_settled(page: Page) -> None:
    page.goto("/")
    second, third = (f"{page.locator('.starter').nth(place).get_attribute('name')}=" for place in (1, 2))
    page.route(lambda url: second in url and third not in url, lambda route: None)
    page.evaluate(
        """() => {
            const tap = () => document.querySelectorAll(".starter")[1].click();
            const settled = () => (document.body.dataset.settled = "yes");
            addEventListener("htmx:afterSwap", () => setTimeout(tap), { once: true });
            addEventListener("htmx:afterSettle", settled, { once: true });
        }"""
    )
    page.locator(".starter").first.click()
    expect(page.locator("body")).to_have_attribute("data-settled", "yes")
    page.locator(".starter").nth(2).click()
    expect(page.locator('.starter[aria-pressed="true"]')).to_have_count(3)


def test_a_tap_counts_though_a_list_arrives_before_the_button_is_released(page: Page) -> None:
    page.goto("/")
    held: list[Route] = []
    page.route("**/you?*", lambda route: held.append(route), times=1)
    page.locator(".starter").first.click()
    expect(page.locator("#busy")).to_have_class(re.compile("htmx-request"))
    page.locator(".starter").nth(1).hover()
    page.mouse.down()
    held[0].continue_()
    expect(page.locator("#rated li")).to_have_count(1)
    page.mouse.up()
    expect(page.locator("#rated li")).to_have_count(2)


def test_while_a_list_is_on_its_way_a_line_says_so(context: BrowserContext) -> None:
    page = context.new_page()
    page.goto("/")
    waiting: list[Route] = []
    page.route("**/you?*", lambda route: waiting.append(route))
    page.locator(".starter").first.click()
    expect(page.locator("#busy")).to_have_class(re.compile("htmx-request"))
    expect(page.locator("#busy")).to_have_css("opacity", "1")
    waiting[0].continue_()
    expect(page.locator("#rated li")).to_have_count(1)
    expect(page.locator("#busy")).to_have_css("opacity", "0")


def test_without_a_server_the_last_list_stays_and_the_same_can_be_tried_again(
    context: BrowserContext,
) -> None:
    page = context.new_page()
    page.goto("/")
    earlier = page.locator(".posters h3").all_text_contents()
    page.route("**/you?*", lambda route: route.abort("internetdisconnected"))
    page.locator(".starter").first.click()
    expect(page.get_by_role("alert").filter(has_text="Showing the last result.")).to_be_visible()
    assert page.locator(".posters h3").all_text_contents() == earlier
    page.unroute("**/you?*")
    page.get_by_role("button", name="Retry").click()
    expect(page.locator("#rated li")).to_have_count(1)
    expect(page.get_by_role("button", name="Retry")).to_have_count(0)
    expect(page).to_have_url(re.compile("/you[?]stars-"))
