"""The page under a sub-path, behind a proxy that strips it and has nothing else."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.serving.servers import serving

ROOT = "/films"
HOP_BY_HOP = {"connection", "content-length", "content-encoding", "transfer-encoding"}


@pytest.fixture
def proxy(model: Path, tmp_path: Path) -> Iterator[str]:
    """The address of a proxy that passes on what is below ROOT, without ROOT, and knows nothing else."""
    with serving(model, f"sqlite:///{tmp_path}/nextreel.db", "--root-path", ROOT) as server:

        class Proxy(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if not self.path.startswith(f"{ROOT}/"):
                    self.send_error(404)
                    return
                headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                response = httpx.get(
                    f"{server.url}{self.path.removeprefix(ROOT)}", headers=headers, timeout=60
                )
                self.send_response(response.status_code)
                for name, value in response.headers.items():
                    if name not in HOP_BY_HOP:
                        self.send_header(name, value)
                self.send_header("content-length", str(len(response.content)))
                self.end_headers()
                self.wfile.write(response.content)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as listening:
            Thread(target=listening.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{listening.server_port}"
            listening.shutdown()


@pytest.fixture
def page(chromium: Browser, proxy: str) -> Iterator[Page]:
    """A page whose requests must all be below ROOT and succeed."""
    context = chromium.new_context(base_url=proxy, viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    failed: list[str] = []
    opened.on("response", lambda got: failed.append(got.url) if got.status >= 400 else None)
    yield opened
    context.close()
    assert failed == []


def test_links_forms_assets_and_lists_work_below_the_sub_path(page: Page) -> None:
    page.goto(f"{ROOT}/?user=1")
    assert page.locator("body").evaluate("element => getComputedStyle(element).margin") == "0px"  # styled
    page.get_by_role("link", name="Try it").click()
    expect(page).to_have_url(f"{page.url.partition(ROOT)[0]}{ROOT}/")
    rated = page.locator(".posters input[type=radio][value='5']").first
    rated.click(force=True)
    expect(page.locator("#rated li")).to_have_count(1)
    assert f"{ROOT}/you?" in page.url
    page.go_back()
    expect(page.locator("#rated li")).to_have_count(0)
    page.locator(".starter").first.click()
    expect(page.locator("#rated li")).to_have_count(1)
    page.locator(".posters a.why").first.click()
    expect(page.locator("dialog")).to_be_visible()
