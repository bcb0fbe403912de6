"""A restore brings back no revoked key, and forgets no administrative act."""

from pathlib import Path

import pytest

from nextreel.serving.storage.administration.api_keys import Scope, create_key, find_key, revoke_key
from nextreel.serving.storage.safekeeping.backups import back_up, restore
from nextreel.serving.storage.store import Store
from tests.cli.commands import succeed
from tests.serving.ratings import rating


@pytest.fixture
def revoked(sqlite_url: str, tmp_path: Path) -> str:
    """A key that was valid when the store was backed up to a.backup, and revoked afterwards."""
    with Store.open(sqlite_url) as store:
        store.add([rating()])
        key = create_key(store, "web", Scope.READ)
    back_up(sqlite_url, tmp_path / "a.backup")
    with Store.open(sqlite_url) as store:
        revoke_key(store, "web")
        create_key(store, "app", Scope.READ)
    return key


def acts(url: str) -> list[tuple[str, str | None]]:
    with Store.open(url) as store:
        return [(entry.act, entry.subject) for entry in reversed(store.audit_log(100))]


ALL_ACTS = [
    ("key created", "web"),
    ("key revoked", "web"),
    ("key created", "app"),
    ("store restored", "a.backup"),
]


def test_a_key_that_was_revoked_since_the_backup_stays_revoked(
    revoked: str, sqlite_url: str, tmp_path: Path
) -> None:
    assert restore(tmp_path / "a.backup", sqlite_url).keeps_keys
    with Store.open(sqlite_url) as store:
        assert find_key(store, revoked) is None
    assert acts(sqlite_url) == ALL_ACTS


def test_a_restore_to_another_place_knows_the_keys_of_the_store(
    revoked: str, sqlite_url: str, tmp_path: Path
) -> None:
    elsewhere = f"sqlite:///{tmp_path}/other.db"
    assert restore(tmp_path / "a.backup", elsewhere).keeps_keys
    with Store.open(elsewhere) as store:
        assert find_key(store, revoked) is None
    assert acts(elsewhere) == ALL_ACTS


def test_where_the_store_is_lost_it_is_said_that_keys_are_old(
    revoked: str, sqlite_url: str, tmp_path: Path
) -> None:
    for file in tmp_path.glob("nextreel.db*"):
        if file.suffix != ".erasures":
            file.unlink()
    printed = succeed("store", "restore", tmp_path / "a.backup", sqlite_url)
    assert "The API keys are those of the backup" in printed


def test_the_keys_of_an_older_store_are_kept(revoked: str, sqlite_url: str, tmp_path: Path) -> None:
    with Store.open(sqlite_url) as store, store.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE api_keys DROP COLUMN expires")
        connection.exec_driver_sql("DROP TABLE audit_log")
    restore(tmp_path / "a.backup", sqlite_url)
    with Store.open(sqlite_url) as store:
        assert find_key(store, revoked) is None
