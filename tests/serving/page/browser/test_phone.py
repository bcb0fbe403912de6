"""A stranger tries the recommender on a phone."""

import re

from playwright.sync_api import Browser, expect

from tests.serving.servers import Server


def test_three_taps_undo_filter_why_and_a_link_to_share(chromium: Browser, site: Server) -> None:
    context = chromium.new_context(
        base_url=site.url,
        viewport={"width": 390, "height": 844},
        has_touch=True,
        is_mobile=True,
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.set_default_timeout(10_000)
    page = context.new_page()
    page.goto("/")
    tray = page.locator("#bar")
    titles = page.locator(".posters h3")
    seen = [titles.all_text_contents()]
    expect(tray).to_contain_text("Nothing rated yet")
    for taps in (1, 2, 3):
        page.locator(".starter").nth(taps * 2).tap()
        expect(tray).to_contain_text(f"{taps} rated")
        seen.append(titles.all_text_contents())
    assert len({tuple(movies) for movies in seen}) == 4
    expect(page.get_by_role("heading", name="Recommended for you")).to_be_visible()

    page.evaluate("window.scrollTo(0, 700)")
    expect(tray).to_be_in_viewport()
    tray.get_by_role("button", name="Undo").tap()
    expect(tray).to_contain_text("2 rated")
    assert titles.all_text_contents() == seen[2]

    sheet = page.get_by_role("group", name="Genres")
    expect(sheet).to_be_hidden()
    tray.get_by_role("button", name="Filters").tap()
    expect(sheet).to_be_visible()
    page.get_by_label("Drama", exact=True).check(force=True)
    expect(page).to_have_url(re.compile("genre=Drama"))
    page.get_by_role("button", name="Show the list").tap()
    expect(sheet).to_be_hidden()
    expect(tray.get_by_role("button", name="Filters (1)")).to_be_visible()

    page.locator("a.why").first.tap()
    why = page.get_by_role("dialog")
    expect(why.locator(".because")).to_have_text(re.compile(r"you (liked|watched|rated) .+\."))
    why.get_by_role("button", name="Close").tap()
    expect(why).to_be_hidden()

    listed = titles.all_text_contents()
    page.get_by_role("button", name="Copy link").tap()
    expect(page.get_by_role("button", name="Link copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    context.close()
    friend = chromium.new_page(viewport={"width": 1280, "height": 900})
    friend.goto(link)
    assert friend.locator(".posters h3").all_text_contents() == listed
    assert friend.locator("#rated li").count() == 2
    expect(friend.get_by_label("Drama", exact=True)).to_be_checked()
    friend.close()
