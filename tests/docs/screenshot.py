"""Take the picture of time travel that README.md and the documentation's first page show.

    python -m tests.docs.screenshot

The ratings are those of `nextreel sample`, so everything in the picture is invented. It needs Chromium.
"""

import shutil
from base64 import b64decode
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import sync_playwright

import nextreel
from nextreel.data.sources.synthetic_data import make_sample, write_sample
from tests.docs.pages import DOCS
from tests.serving.servers import serving

PICTURE = DOCS / "assets" / "time-travel.webp"
VIEW = "/time-travel?user=621"
WIDTH, HEIGHT = 1280, 1196
"""CSS pixels. The height ends below the ten posters."""
QUALITY = 70
"""Of WebP, in percent: at this quality the picture has less than 150 kB."""


def take_picture(address: str) -> bytes:
    """Return a picture of a page in the light theme, at twice the size, as WebP."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=2, color_scheme="light"
        )
        page.goto(address, wait_until="networkidle")
        # Playwright's own screenshots are PNG or JPEG, which are several times as large.
        shot = page.context.new_cdp_session(page).send(
            "Page.captureScreenshot", {"format": "webp", "quality": QUALITY}
        )
        browser.close()
    return b64decode(shot["data"])


def main() -> None:
    """Make the sample, fit the default model on it, serve it and write the picture."""
    with TemporaryDirectory() as name:
        home = Path(name)
        write_sample(make_sample(users=800, movies=400, ratings=48_000), home / "sample")
        nextreel.save(nextreel.fit(nextreel.read_dataset(home / "sample")), home / "model")
        with serving(home / "model", f"sqlite:///{home}/nextreel.db") as server:
            PICTURE.write_bytes(take_picture(f"{server.url}{VIEW}"))


if __name__ == "__main__":
    main()
