"""Tests of README.md: its commands run as they stand there, its links lead somewhere, and it stays short.

Two things differ from a reader's shell: nextreel is installed already, and MovieLens comes from a local server.
"""

import hashlib
import json
import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from pathlib import Path
from threading import Thread
from zipfile import ZipFile

import pytest

from nextreel.data.sources.synthetic_data import make_sample
from tests.docs.pages import find_blocks, run_blocks

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINKS = [target for target in re.findall(r"\]\(([^)]+)\)", README) if not target.startswith("https:")]
INSTALL = "python3 -m venv .venv\n. .venv/bin/activate\npip install '.[serve]'\n"
MOST_WORDS, MOST_BYTES = 900, 150_000
RELEASE = "ml-latest-small"
FIRST_MOVIE = 250
"""MovieIDs of the release that the local server has begin here, so that it has the movie that README.md rates."""


def write_release(directory: Path) -> None:
    """Write a zip like GroupLens' ml-latest-small, with invented movies and ratings, and its md5."""
    sample = make_sample(users=60, movies=90, ratings=1_800)
    ratings = [
        f"{user + 1},{movie + FIRST_MOVIE},{rating},{timestamp}\n"
        for user, movie, rating, timestamp in sample.interactions.iter_rows()
    ]
    movies = [
        f'{movie + FIRST_MOVIE},"{title.replace(chr(34), chr(34) * 2)}",{genres}\n'
        for movie, title, genres in sample.movies.iter_rows()
    ]
    archive = directory / f"{RELEASE}.zip"
    with ZipFile(archive, "w") as release:
        release.writestr(f"{RELEASE}/ratings.csv", "userId,movieId,rating,timestamp\n" + "".join(ratings))
        release.writestr(f"{RELEASE}/movies.csv", "movieId,title,genres\n" + "".join(movies))
    md5 = hashlib.md5(archive.read_bytes(), usedforsecurity=False).hexdigest()
    archive.with_name(f"{archive.name}.md5").write_text(f"MD5 ({archive.name}) = {md5}\n")


def write_clicks(file: Path) -> None:
    """Write a file as README.md describes it: its columns, its example row, and ids that are text."""
    row = "ada,tt0111161,2024-03-01T20:15:00Z"
    assert f"`{row}`" in README
    first = datetime(2024, 1, 1, tzinfo=UTC)
    clicks = (
        f"{person},tt{(7 * place + 3 * step) % 50:07},{first + timedelta(days=step, minutes=place):%Y-%m-%dT%H:%M:%SZ}"
        for place, person in enumerate(["ada", *(f"person-{number}" for number in range(40))])
        for step in range(20)
    )
    file.write_text("\n".join(chain(["account_id,sku,watched_at", row], clicks)) + "\n")


@pytest.fixture(scope="module")
def grouplens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a local server that has the release."""
    directory = tmp_path_factory.mktemp("grouplens")
    write_release(directory)
    handler = partial(SimpleHTTPRequestHandler, directory=str(directory))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def outputs(grouplens: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What README.md's blocks print, by the block's text; they ran one after another in one directory."""
    home = tmp_path_factory.mktemp("readme")
    write_clicks(home / "clicks.csv")
    blocks = find_blocks(README)
    runnable = [
        replace(
            block,
            text=block.text.replace(INSTALL, "").replace("curl -s ", "curl -s --fail-with-body -w '\\n' "),
        )
        for block in blocks
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "NEXTREEL_GROUPLENS_URL", grouplens)
        printed = run_blocks(runnable, home, anew=True)
    return {block.text: output for block, output in zip(blocks, printed, strict=True)}


def test_real_movies_are_downloaded_fitted_and_served(outputs: dict[str, str]) -> None:
    steps = {text.strip().splitlines()[-1].split()[1]: output for text, output in outputs.items()}
    assert "sequential-ridge learned from 1,800 interactions of 60 users" in steps["fit"]
    assert "Serving movies-model on http://127.0.0.1:8000" in steps["serve"]


def test_a_file_with_other_columns_and_text_ids_leads_to_a_list(outputs: dict[str, str]) -> None:
    printed = next(output for text, output in outputs.items() if "nextreel check clicks.csv" in text)
    assert "What user ada should watch next" in printed
    assert re.search(r"│ 1 .*tt00000\d\d", printed)
    assert "Fallback" not in printed


def test_the_python_example_prints_three_movies_of_a_known_user(outputs: dict[str, str]) -> None:
    printed = next(output for text, output in outputs.items() if "import nextreel" in text)
    assert printed.count("│ ada ") == 3
    assert "popularity" not in printed


def test_each_request_to_the_server_is_answered(outputs: dict[str, str]) -> None:
    requests, printed = next((text, output) for text, output in outputs.items() if "curl" in text)
    answers = [json.loads(line) for line in printed.splitlines()]
    assert len(answers) == len(requests.splitlines())
    assert len(answers[0]["movies"]) == len(answers[-1]["movies"]) == 3
    assert answers[0]["fallback"] is None
    assert any(movie["reasons"] for movie in answers[-1]["movies"])


def test_what_it_installs_exists() -> None:
    assert INSTALL in README
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "serve" in project["optional-dependencies"]
    assert "VENV := .venv\n" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_it_is_short() -> None:
    assert len(README.split()) < MOST_WORDS


@pytest.mark.parametrize("target", LINKS)
def test_a_link_leads_to_a_file_and_a_heading_in_it(target: str) -> None:
    name, _, anchor = target.partition("#")
    text = (ROOT / name).read_bytes()
    if anchor:
        headings = re.findall(r"^#+ (.*)$", text.decode(), re.MULTILINE)
        assert anchor in [re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("target", re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README))
def test_a_picture_is_light(target: str) -> None:
    assert (ROOT / target).stat().st_size < MOST_BYTES
