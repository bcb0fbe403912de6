"""Only its owner may read a store's file; a file that others may read is left so and named."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nextreel.serving.storage.store import Store
from tests.cli.commands import nextreel
from tests.serving.ratings import rating
from tests.serving.servers import serving


@pytest.fixture(autouse=True)
def generous_umask() -> Iterator[None]:
    before = os.umask(0o000)
    yield
    os.umask(before)


def modes(directory: Path) -> dict[str, str]:
    return {path.name: f"{path.stat().st_mode & 0o777:03o}" for path in directory.iterdir()}


def test_a_new_store_and_the_files_beside_it_are_for_their_owner_only(
    sqlite_url: str, tmp_path: Path
) -> None:
    with Store.open(sqlite_url) as store:
        store.add([rating()])
        assert modes(tmp_path) == dict.fromkeys(("nextreel.db", "nextreel.db-wal", "nextreel.db-shm"), "600")
        assert store.warning is None


def test_a_store_that_others_may_read_is_named_and_left_as_it_is(sqlite_url: str, tmp_path: Path) -> None:
    with Store.open(sqlite_url):
        pass
    (tmp_path / "nextreel.db").chmod(0o644)
    with Store.open(sqlite_url) as store:
        file = tmp_path / "nextreel.db"
        assert store.warning == (
            f"other users of this machine may open {file}, which holds personal data: chmod 600 {file} keeps them out"
        )
    assert modes(tmp_path)["nextreel.db"] == "644"


def test_a_command_names_such_a_store_in_one_sentence_and_works(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "nextreel.db").touch(mode=0o666)
    process = nextreel("keys", "create", "web", "--scope", "read", "--store", sqlite_url)
    assert process.returncode == 0
    assert process.stdout.startswith("nextreel_")
    assert process.stderr.startswith("nextreel: other users of this machine may open ")
    assert process.stderr.count("\n") == 1


def test_the_server_names_such_a_store_and_works(model: Path, sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "nextreel.db").touch(mode=0o666)
    with serving(model, sqlite_url) as server:
        assert "other users of this machine may open" in "".join(server.printed)
        server.ok("GET", "/v1/model")
