"""Tests of the site that `make site` builds."""

import re
import subprocess
from pathlib import Path

import pytest

from tests import warm_python
from tests.docs.pages import DOCS, PAGES

LOADED = re.compile(r"""<(?:script|img|link|iframe|source)\b[^>]*?\b(?:src|href)="?(https?:)?//""")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built in strict mode: a broken link, a missing anchor or a page outside the navigation is an error."""
    site = tmp_path_factory.mktemp("site")
    command = [*warm_python.python(), "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(site)]
    completed = subprocess.run(command, cwd=DOCS.parent, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return site


def test_every_page_exists_and_loads_nothing_from_other_sites(site: Path) -> None:
    for path in PAGES:
        html = (site / path.relative_to(DOCS).with_suffix(".html")).read_text(encoding="utf-8")
        assert not LOADED.search(html), path


def test_every_placeholder_of_a_generated_part_is_filled(site: Path) -> None:
    for page in (site / "reference").glob("*.html"):
        assert "<!-- " not in re.sub(r"<!--\[if.*?-->", "", page.read_text(encoding="utf-8"))


def test_the_reference_shows_the_help_of_commands(site: Path) -> None:
    page = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    assert "Usage: nextreel experiment report [OPTIONS]" in page
    assert "Usage: nextreel split [OPTIONS]" in page


def test_the_reference_has_every_endpoint(site: Path) -> None:
    page = (site / "reference" / "http.html").read_text(encoding="utf-8")
    assert 'id="get-v1usersuser_idrecommendations"' in page
    assert 'id="recommendationquery"' in page
