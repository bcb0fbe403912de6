"""Time travel through a user's history, in Chromium."""

import re
from collections.abc import Callable

from playwright.sync_api import Browser, BrowserContext, Page, Response, Route, expect

from tests.serving.servers import Server


def is_list(response: Response) -> bool:
    return "moment=" in response.url and response.request.headers.get("hx-request") == "true"


def test_the_arrow_keys_move_through_time_and_the_list_changes(
    page: Page, titles: Callable[[], list[str]]
) -> None:
    page.goto("/time-travel?user=1&moment=0")
    slider, earlier, date = page.get_by_role("slider"), titles(), page.locator("#as-of time")
    first = date.inner_text()
    slider.focus()
    for _ in range(5):
        with page.expect_response(is_list):
            page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile("moment=5"))
    expect(date).not_to_have_text(first)
    assert titles() != earlier
    assert len(titles()) == 10
    assert slider.get_attribute("aria-valuetext") == page.locator("#as-of").get_attribute("data-text")


def test_bars_that_arrive_late_do_not_undo_a_key(page: Page) -> None:
    held: list[Route] = []
    page.route(re.compile(r"/strip|moment=1"), lambda route: held.append(route))
    page.goto("/time-travel?user=1&moment=0")
    slider = page.get_by_role("slider")
    with page.expect_request(re.compile("moment=1")):
        slider.press("ArrowRight")
    next(route for route in held if "/strip" in route.request.url).continue_()
    expect(page.locator("#bars g").first).to_be_attached()
    expect(slider).to_have_value("1")


def test_a_screen_reader_hears_what_changed(page: Page) -> None:
    page.goto("/time-travel?user=1&moment=3")
    page.get_by_role("slider").press("ArrowRight")
    expect(page.locator("[role=status]")).to_have_text(re.compile(r"10 movies, \d+ new\. First: .+"))


def test_the_last_moment_shows_everything_as_watched_and_nothing_to_come(page: Page) -> None:
    page.goto("/time-travel?user=1&moment=0")
    expect(page.get_by_text("nothing rated yet")).to_be_visible()
    page.get_by_role("slider").press("End")
    expect(page.get_by_text("Nothing yet: this is after everything")).to_be_visible()
    expect(page.get_by_text("nothing rated yet")).to_have_count(0)


def test_a_step_by_link_moves_the_slider_and_keeps_the_focus(page: Page) -> None:
    page.goto("/time-travel?user=1&moment=3")
    page.get_by_role("link", name="Later moment").press("Enter")
    expect(page.get_by_role("slider")).to_have_value("4")
    expect(page.get_by_role("link", name="Later moment")).to_be_focused()


def test_the_strip_has_a_bar_for_each_rating(page: Page, site: Server) -> None:
    page.goto("/time-travel?user=1")
    ratings = site.ok("GET", "/v1/users/1/history")["length"]
    counts = page.locator(".legend .key")
    expect(counts).to_have_count(3)
    assert sum(int(re.sub(r"\D", "", text)) for text in counts.all_text_contents()) == ratings
    bars = page.locator("#bars").get_by_role("listitem")
    expect(bars).to_have_count(ratings)
    named = [row["title"] for row in site.ok("GET", "/v1/users/1/history")["history"]]
    assert all(
        any(text.startswith(title) for title in named) for text in bars.locator("title").all_text_contents()
    )


def test_a_bar_under_the_pointer_and_the_bar_of_the_moment_say_their_names(page: Page) -> None:
    page.goto("/time-travel?user=1&moment=3")
    bar = page.locator("#bars g").nth(7)
    box = bar.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 1)
    expect(page.locator("#tip")).to_have_text(bar.locator("title").text_content() or "")
    page.mouse.move(5, 5)
    expect(page.locator("#tip")).to_have_text("")
    page.get_by_role("slider").press("ArrowRight")
    expect(page.locator("#tip")).to_have_text(re.compile(r".+, ★+.*, \d+ \w+ \d{4}: .+ list|.+ hundred"))


def test_play_runs_through_time_until_it_is_paused(page: Page) -> None:
    page.goto("/time-travel?user=1&moment=0")
    page.get_by_role("button", name="Play").click()
    expect(page).to_have_url(re.compile(r"moment=[2-9]"))
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Play")).to_be_visible()


def test_play_stops_at_the_end(page: Page) -> None:
    page.goto("/time-travel?user=1&moment=99999")
    slider = page.get_by_role("slider")
    with page.expect_response(is_list):
        slider.press("ArrowLeft")
    page.get_by_role("button", name="Play").click()
    expect(slider).to_have_value(str(slider.get_attribute("max")))
    expect(page.get_by_role("button", name="Play")).to_be_visible()


def test_a_movie_watched_next_is_marked_in_the_list_with_its_rank_beside_it(page: Page) -> None:
    for step in range(30):
        page.goto(f"/time-travel?user=1&moment={step}")
        if page.locator(".is-hit").count():
            break
    marked = page.locator(".is-hit").first
    title, rank = marked.locator("h3").inner_text(), marked.locator(".rank").inner_text()
    row = page.locator(".coming li.hit").filter(has_text=re.compile(re.escape(title), re.IGNORECASE)).first
    assert row.locator(".place").inner_text().split()[-1] == rank


def test_why_opens_the_signed_contributions_and_escape_returns_to_the_list(page: Page) -> None:
    page.goto("/time-travel?user=1&moment=20")
    link = page.locator("a.why").first
    link.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", level=2)).to_have_text(re.compile("^Why .+"))
    expect(dialog.locator(".because")).to_have_text(
        re.compile(r"^(Mostly because|Because|No single movie that) they")
    )
    expect(dialog.locator(".reasons")).to_be_hidden()
    dialog.get_by_text("The numbers").click()
    expect(dialog.locator(".reasons")).to_be_visible()
    assert all(
        re.fullmatch("[+\N{MINUS SIGN}].+", text) for text in dialog.locator(".amount").all_text_contents()
    )
    assert 1 <= dialog.locator(".reasons li").count() <= 5
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(link).to_be_focused()


def test_the_page_says_so_when_the_server_is_away(context: BrowserContext) -> None:
    page = context.new_page()
    page.goto("/time-travel?user=1&moment=3")
    page.wait_for_load_state("networkidle")
    page.route("**/*moment=*", lambda route: route.abort("connectionrefused"))
    page.get_by_role("slider").press("ArrowRight")
    expect(page.get_by_role("alert").filter(has_text="Showing the last result.")).to_be_visible()
    page.unroute("**/*moment=*")
    page.get_by_role("button", name="Retry").click()
    expect(page.locator("#as-of")).to_have_attribute("data-moment", "4")
    expect(page.get_by_role("slider")).to_have_value("4")
    expect(page.get_by_role("alert").filter(has_text="Showing the last result.")).to_have_count(0)


def test_without_javascript_links_and_a_button_move_through_time(chromium: Browser, site: Server) -> None:
    context = chromium.new_context(base_url=site.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/time-travel?user=1&moment=3")
    page.get_by_role("link", name="Later moment").click()
    expect(page.get_by_role("slider")).to_have_value("4")
    expect(page.get_by_role("button", name="Play")).to_be_hidden()
    page.get_by_role("slider").press("ArrowRight")
    page.get_by_role("button", name="Go there").click()
    expect(page).to_have_url(re.compile("moment=5"))
    page.locator("a.why").first.click()
    expect(page.get_by_role("heading", name=re.compile("^Why"))).to_be_visible()
    context.close()


def test_another_person_is_chosen_by_number(page: Page) -> None:
    page.goto("/time-travel")
    page.get_by_label("User", exact=True).fill("7")
    page.get_by_role("button", name="Go", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("What should user 7 watch next?")
