"""API keys: created, key, listed and revoked, by functions and by the command."""

from pathlib import Path

import pytest

from nextreel.errors import QueryError
from nextreel.serving.storage.api_keys import Scope, create_key, find_key, list_keys, revoke_key
from nextreel.serving.storage.store import Store
from tests.cli.commands import fail, succeed

READ, WRITE, ADMIN = Scope.READ, Scope.WRITE, Scope.ADMIN


def test_a_key_is_found_by_what_was_shown_once(store: Store) -> None:
    shown = create_key(store, "web", READ)
    key = find_key(store, shown)
    assert key is not None
    assert (key.name, key.scope, key.revoked) == ("web", READ, None)


def test_two_keys_are_told_apart(store: Store) -> None:
    web, app = create_key(store, "web", READ), create_key(store, "app", WRITE)
    assert [key.name for key in (find_key(store, shown) for shown in (web, app)) if key] == [
        "web",
        "app",
    ]


def test_a_key_with_one_character_changed_is_nobodys(store: Store) -> None:
    shown = create_key(store, "web", READ)
    for place in range(len(shown)):
        other = "a" if shown[place] != "a" else "b"
        assert find_key(store, shown[:place] + other + shown[place + 1 :]) is None


@pytest.mark.parametrize(
    "shown", ["", "_", "__", "nextreel", "nextreel_", "nextreel__", "web", "\udcff", "nextreel_\u00e9_x"]
)
def test_what_is_no_key_is_nobodys(store: Store, shown: str) -> None:
    create_key(store, "web", READ)
    assert find_key(store, shown) is None


def test_a_revoked_key_is_nobodys_and_stays_in_the_list(store: Store) -> None:
    shown = create_key(store, "web", READ)
    revoke_key(store, "web")
    assert find_key(store, shown) is None
    assert [(key.name, key.revoked is not None) for key in list_keys(store)] == [("web", True)]


def test_a_name_holds_one_key_at_a_time(store: Store) -> None:
    create_key(store, "web", READ)
    with pytest.raises(QueryError, match="there is a valid key named web already"):
        create_key(store, "web", ADMIN)


def test_a_name_is_free_again_after_its_key_was_revoked(store: Store) -> None:
    first = create_key(store, "web", READ)
    revoke_key(store, "web")
    second = create_key(store, "web", READ)
    assert find_key(store, first) is None
    assert find_key(store, second) is not None


@pytest.mark.parametrize("revoked_before", [True, False])
def test_a_key_that_does_not_hold_cannot_be_revoked(store: Store, revoked_before: bool) -> None:
    if revoked_before:
        create_key(store, "web", READ)
        revoke_key(store, "web")
    with pytest.raises(QueryError, match="no valid key is named web"):
        revoke_key(store, "web")


def test_each_scope_allows_what_those_before_it_do() -> None:
    allowed = [[scope.allows(needed) for needed in (READ, WRITE, ADMIN)] for scope in (READ, WRITE, ADMIN)]
    assert allowed == [[True, False, False], [True, True, False], [True, True, True]]


def test_the_secret_is_nowhere_in_the_store(sqlite_url: str, tmp_path: Path) -> None:
    with Store.open(sqlite_url) as store:
        shown = create_key(store, "web", READ)
    secret = shown.split("_", 2)[2].encode()
    stored_bytes = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"web" in stored_bytes
    assert secret not in stored_bytes
    assert len(secret) >= 43


def test_the_command_creates_lists_and_revokes(store_url: str) -> None:
    shown = succeed("keys", "create", "web", "--scope", "write", "--store", store_url).strip()
    with Store.open(store_url) as store:
        key = find_key(store, shown)
    assert key is not None
    listed = succeed("keys", "list", "--store", store_url)
    assert "web" in listed
    assert "write" in listed
    assert shown.split("_", 2)[2] not in listed
    assert succeed("keys", "revoke", "web", "--store", store_url) == "Revoked web.\n"
    with Store.open(store_url) as store:
        assert find_key(store, shown) is None


def test_the_command_keeps_its_keys_beside_the_server_if_no_store_is_named(tmp_path: Path) -> None:
    succeed("keys", "create", "web", "--scope", "read", cwd=tmp_path)
    assert "web" in succeed("keys", "list", "--store", f"sqlite:///{tmp_path}/nextreel.db")


def test_the_command_says_in_one_line_which_key_it_does_not_know(tmp_path: Path) -> None:
    message = fail("keys", "revoke", "web", cwd=tmp_path)
    assert message == "nextreel: no valid key is named web; nextreel keys list shows all keys\n"


def test_the_command_says_in_one_line_that_the_database_cannot_be_reached() -> None:
    message = fail("keys", "list", "--store", "postgresql://anne:s3cret@127.0.0.1:1/x")
    assert message.count("\n") == 1
    assert "refused" in message
    assert "s3cret" not in message
