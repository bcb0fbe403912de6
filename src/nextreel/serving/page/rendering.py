"""Templates and static files, read once: what a browser gets is in memory when the server starts."""

import hashlib
import mimetypes
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

HERE = Path(__file__).parent
STARS = 5
mimetypes.add_type("text/javascript", ".js")  # some systems say otherwise, and browsers then refuse it


@dataclass(frozen=True)
class Asset:
    """A static file."""

    content: bytes
    media_type: str
    digest: str
    """Beginning of its SHA-256: part of its address, so that it may be kept for ever."""

    @classmethod
    def read(cls, file: Path) -> "Asset":
        """A file as it is sent."""
        content = file.read_bytes()
        media_type = mimetypes.guess_type(file.name)[0] or "text/plain"
        return cls(content, media_type, hashlib.sha256(content).hexdigest()[:12])


ASSETS = {file.name: Asset.read(file) for file in sorted((HERE / "static").iterdir())}


def render(template: str, values: dict[str, Any]) -> str:
    """A template of this package as HTML."""
    return _ENVIRONMENT.get_template(template).render(values)


def _address_of(name: str) -> str:
    return f"/assets/{name}?v={ASSETS[name].digest}"


def _show_day(seconds: int) -> str:
    """Such as 3 March 2001."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment.day} {moment:%B %Y}"


def _show_time(seconds: int) -> str:
    """Such as 18:05."""
    return f"{datetime.fromtimestamp(seconds, UTC):%H:%M}"


def _show_stars(rating: float) -> str:
    """Such as ★★★½."""
    return "★" * int(rating) + ("½" if rating % 1 else "")


def _show_iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters |= {"day": _show_day, "time": _show_time, "stars": _show_stars, "iso": _show_iso}
_ENVIRONMENT.globals |= {"asset": _address_of, "STARS": STARS}
