"""A server keeps the version that it serves, whatever becomes of the files of another one or of the directory."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from nextreel.arrays import read_arrays
from nextreel.prediction.saved_dataset import INTERACTIONS_FILE
from nextreel.prediction.saving import MODEL_FILE
from nextreel.serving.storage.model_versions import VersionDirectory
from tests.cli.commands import fail
from tests.resealing import change_arrays, reseal
from tests.serving.servers import LATE, Server, eventually, serving


def with_a_flipped_bit(version: Path) -> None:
    content = bytearray((version / MODEL_FILE).read_bytes())
    content[-1] ^= 1
    (version / MODEL_FILE).write_bytes(content)


def with_an_edited_manifest(version: Path) -> None:
    file = version / "manifest.json"
    file.write_text(file.read_text().replace('"model": "', '"model": "x'))


def with_a_movie_beyond_the_catalog(version: Path) -> None:
    movies = read_arrays(version / MODEL_FILE)["first_movies_"]
    change_arrays(version / MODEL_FILE, first_movies_=np.full_like(movies, 2_000_000_000))


def with_weights_of_another_catalog(version: Path) -> None:
    change_arrays(version / MODEL_FILE, weights_=np.ones((2, 5, 5), dtype=np.float32))


def with_weights_that_are_no_numbers(version: Path) -> None:
    weights = read_arrays(version / MODEL_FILE)["weights_"]
    change_arrays(version / MODEL_FILE, weights_=np.full_like(weights, np.nan))


def with_users_that_have_endless_histories(version: Path) -> None:
    offsets = read_arrays(version / INTERACTIONS_FILE)["offsets"]
    change_arrays(version / INTERACTIONS_FILE, offsets=np.full_like(offsets, 2**62))


def with_other_options(version: Path) -> None:
    reseal(version, config={"dimensions": 4_096})


DAMAGES = (
    with_a_flipped_bit,
    with_an_edited_manifest,
    with_a_movie_beyond_the_catalog,
    with_weights_of_another_catalog,
    with_weights_that_are_no_numbers,
    with_users_that_have_endless_histories,
    with_other_options,
)


@pytest.fixture(scope="module")
def home(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("damaged")
    versions = VersionDirectory.create(home / "models")
    versions.add(model, "a")
    for damage in DAMAGES:
        name = damage.__name__.replace("_", "-")
        versions.add(model, name)
        damage(home / "models" / "versions" / name)
    return home


@pytest.fixture(scope="module")
def standing(home: Path) -> Iterator[Server]:
    with serving(home / "models", f"sqlite:///{home}/nextreel.db") as server:
        yield server


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_or_crafted_version_is_refused_and_the_old_one_answers_on(
    standing: Server, home: Path, damage: Callable[[Path], None]
) -> None:
    before, name = standing.recommend(1, LATE)["movies"], damage.__name__.replace("_", "-")
    standing.problem(409, "POST", f"/v1/admin/models/{name}/promote")
    assert (home / "models" / "current").read_text() == "a\n"
    assert standing.ok("GET", "/v1/model")["version"] == "a"
    assert standing.recommend(1, LATE)["movies"] == before


def test_the_command_refuses_it_too(home: Path) -> None:
    for damage in DAMAGES:
        error = fail("models", "promote", home / "models", damage.__name__.replace("_", "-"))
        assert error.count("\n") == 1
    assert (home / "models" / "current").read_text() == "a\n"


@pytest.mark.parametrize(
    "content",
    [
        *(f"{damage.__name__.replace('_', '-')}\na\n".encode() for damage in DAMAGES),
        b"gone\na\n",
        b"",
        b"\xff\xfe\0",
    ],
)
def test_a_server_that_finds_it_named_as_current_goes_on_and_says_so(
    standing: Server, home: Path, content: bytes
) -> None:
    before, current = standing.recommend(1, LATE)["movies"], home / "models" / "current"
    n_logged = len(complaints(standing))
    current.write_bytes(content)
    try:
        eventually(lambda: len(complaints(standing)) > n_logged)
        assert standing.recommend(1, LATE)["movies"] == before
        assert standing.ok("GET", "/v1/model")["version"] == "a"
        assert standing.http.get("/readyz").is_success
    finally:
        current.write_text("a\n")


def test_a_pipe_in_place_of_a_file_of_the_directory_stops_nothing(standing: Server, home: Path) -> None:
    before, n_logged = standing.recommend(1, LATE)["movies"], len(complaints(standing))
    for name in ("current", ".lock"):
        file = home / "models" / name
        file.unlink(missing_ok=True)
        os.mkfifo(file)
    try:
        eventually(lambda: len(complaints(standing)) > n_logged)
        assert standing.recommend(1, LATE)["movies"] == before
        standing.problem(409, "POST", "/v1/admin/models/a/promote")
        assert "current can't be read" in fail("models", "list", home / "models")
        (home / "models" / "current").unlink()
        assert ".lock is a pipe" in fail("models", "promote", home / "models", "a")
    finally:
        for name in ("current", ".lock"):
            (home / "models" / name).unlink(missing_ok=True)
        (home / "models" / "current").write_text("a\n")


def test_a_server_goes_on_when_its_directory_is_moved_away(standing: Server, home: Path) -> None:
    before = standing.recommend(1, LATE)["movies"]
    (home / "models" / "current").write_text("gone-before-the-move\na\n")
    eventually(lambda: any("gone-before-the-move" in str(line["error"]) for line in complaints(standing)))
    n_logged = len(complaints(standing))
    shutil.move(home / "models", home / "elsewhere")
    try:
        eventually(lambda: len(complaints(standing)) > n_logged)
        assert standing.recommend(1, LATE)["movies"] == before
    finally:
        shutil.move(home / "elsewhere", home / "models")
        (home / "models" / "current").write_text("a\n")


def complaints(server: Server) -> list[dict[str, object]]:
    return [line for line in server.lines() if "can't be served; the old one stays" in line["message"]]
