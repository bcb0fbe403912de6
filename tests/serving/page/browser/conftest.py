"""A real server, whose model has metrics and a learning curve, and a real Chromium."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from nextreel.prediction.saving import save
from tests.serving.servers import Server, make_small_predictor, serving

CHROMIUM = shutil.which("chromium")
OVERTAKEN = ("htmx:sendAbort", "htmx:afterRequest")
"""How htmx's messages begin for a request that it aborted because a later one replaced it."""
EPOCHS = [
    {"number": number, "train_loss": 1 / number, "validation_loss": 1.1 / number, "seconds": 1.0}
    for number in range(1, 6)
]
FACTS = {
    "fit": {"fit_seconds": 12.3},
    "metrics": {"NDCG@10": {"mean": 0.1234, "low": 0.12, "high": 0.1268}},
}


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("site")

    def add_curve(directory: Path) -> None:
        (directory / "history.json").write_text(json.dumps(EPOCHS))

    save(make_small_predictor(), home / "model", FACTS, add_curve)
    with serving(home / "model", f"sqlite:///{home}/nextreel.db") as started:
        yield started


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("needs chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def context(chromium: Browser, site: Server) -> Iterator[BrowserContext]:
    new_context = chromium.new_context(base_url=site.url, viewport={"width": 1280, "height": 900})
    new_context.set_default_timeout(10_000)
    yield new_context
    new_context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page whose errors fail the test, be it an error of a script or a violation of the security policy."""
    opened = context.new_page()
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(OVERTAKEN):
            complaints.append(message.text)

    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", listen)
    yield opened
    assert complaints == []


@pytest.fixture
def titles(page: Page) -> Callable[[], list[str]]:
    """Return the titles of the list, in its order."""
    return lambda: page.locator(".posters h3").all_text_contents()
