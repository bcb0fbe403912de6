"""Only its owner may read a store's file; a file that others may read is left so and named."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nextreel.serving.storage.store import Store
from tests.cli.commands import succeed
from tests.serving.ratings import rating


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


def test_the_command_works_with_such_a_store(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "nextreel.db").touch(mode=0o666)
    assert succeed("keys", "create", "web", "--scope", "read", "--store", sqlite_url).startswith("nextreel_")
