"""Templates and static files of the page, read once and then kept in memory."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from nextreel.data.ids import encode_id
from nextreel.data.rating_scale import STARS as STARS_SCALE
from nextreel.data.rating_scale import RatingScale

DIRECTORY = Path(__file__).parent
MEDIA_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}
"""Media type of a static file by suffix. Those of the operating system may differ, and browsers are strict."""
STARS = 5


@dataclass(frozen=True)
class View:
    """What a template shows: each field of a subclass is a variable of its template."""

    def address(self) -> str | None:
        """Return the path and the parameters that show this view again; None to leave the address as it is."""
        return None


@dataclass(frozen=True)
class Asset:
    """A static file of the page, such as a style sheet."""

    content: bytes
    media_type: str
    digest: str
    """First digits of the file's SHA-256. They are part of its URL, so that browsers may cache the file for ever."""

    @classmethod
    def read(cls, file: Path) -> "Asset":
        """Read a file whose suffix is in MEDIA_TYPES."""
        content = file.read_bytes()
        return cls(content, MEDIA_TYPES[file.suffix], hashlib.sha256(content).hexdigest()[:12])


@cache
def read_assets() -> dict[str, Asset]:
    """Return the static files of the page by file name."""
    return {file.name: Asset.read(file) for file in sorted((DIRECTORY / "static").iterdir())}


def render(
    template: str, view: View, here: str, root_path: str = "", scale: RatingScale = STARS_SCALE
) -> str:
    """Render a template as HTML.

    `here` is the view that the page's navigation marks as the current one, and `root_path` the path under which the
    server is reached, such as "/films". Templates write every address as `url('/you')`, or `asset('page.css')`. By
    `scale`, the page shows ratings as stars, as numbers or, for data that has none, says that a movie was watched.
    """
    url = partial(_prefix, root_path)
    context = vars(view) | {
        "here": here,
        "url": url,
        "asset": partial(_asset_url, url),
        "scale": scale,
        "with_ratings": scale.rated,
    }
    return _make_environment().get_template(template).render(context)


@cache
def _make_environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(DIRECTORY / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "day": _format_day,
        "time": _format_time,
        "period": _format_period,
        "stars": _format_stars,
        "iso": _format_iso,
        "code": encode_id,  # for ids of HTML elements, which hold no blanks
    }
    environment.globals |= {"STARS": STARS}
    return environment


def _prefix(root_path: str, path: str) -> str:
    return f"{root_path}{path}"


def _asset_url(url: Callable[[str], str], name: str) -> str:
    return f"{url(f'/assets/{name}')}?v={read_assets()[name].digest}"


def _format_day(timestamp: int) -> str:
    """Return the day (UTC) of a timestamp in POSIX seconds, such as 3 March 2001."""
    time = datetime.fromtimestamp(timestamp, UTC)
    return f"{time.day} {time:%B %Y}"


def _format_time(timestamp: int) -> str:
    """Return the time of day (UTC) of a timestamp in POSIX seconds, such as 18:05."""
    return f"{datetime.fromtimestamp(timestamp, UTC):%H:%M}"


def _format_period(timestamp: int, period: str | None) -> str:
    """Return the minute, hour, day, month or year (UTC) that a timestamp in POSIX seconds is in."""
    time = datetime.fromtimestamp(timestamp, UTC)
    if period == "year":
        return f"{time.year}"
    if period == "month":
        return f"{time:%B %Y}"
    clock = {"hour": f", {time:%H}:00 to {time:%H}:59", "minute": f", {time:%H:%M}"}
    return _format_day(timestamp) + clock.get(period or "", "")


def _format_iso(timestamp: int) -> str:
    return datetime.fromtimestamp(timestamp, UTC).isoformat()


def _format_stars(rating: float) -> str:
    """Return a rating as stars, such as ★★★½."""
    return "★" * int(rating) + ("½" if rating % 1 else "")
