"""API keys: created, key, listed and revoked, by functions and by the command."""

import json
from pathlib import Path

import pytest

from nextreel.errors import QueryError, UnusableStoreError
from nextreel.serving.storage.administration.api_keys import (
    Scope,
    create_key,
    find_key,
    list_keys,
    revoke_key,
    rotate_key,
)
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


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            " ",
            " web",
            "web ",
            "a\nb",
            "a\tb",
            "web\x1b[31m",
            "\u202ebew",
            "a" * 65,
            "-web",
            "_",
            "a/b",
            '"',
            "[red]",
        ),
        *("web\n", "a\u2028b", "a\x00b", "\udcff"),
    ],
)
def test_a_name_that_could_forge_a_log_or_a_table_is_refused(store: Store, name: str) -> None:
    with pytest.raises(QueryError, match="can't be the name of a key; expected up to 64 letters"):
        create_key(store, name, READ)
    assert list_keys(store) == []


@pytest.mark.parametrize("name", ["w", "web", "the shop no. 1", "büro 2", "anne@example.org", "a" * 64])
def test_a_name_that_people_give_is_taken(store: Store, name: str) -> None:
    create_key(store, name, READ)
    assert [key.name for key in list_keys(store)] == [name]


@pytest.mark.parametrize("name", ["command line", "No key"])
def test_a_name_that_stands_for_somebody_else_in_the_audit_log_is_refused(store: Store, name: str) -> None:
    with pytest.raises(QueryError, match="the audit log uses it"):
        create_key(store, name, READ)


def test_names_that_differ_in_case_only_are_one(store: Store) -> None:
    create_key(store, "Web", READ)
    with pytest.raises(QueryError, match="there is a valid key named Web already"):
        create_key(store, "web", ADMIN)


def test_a_key_that_has_expired_is_nobodys_and_its_name_is_free(store: Store) -> None:
    lasting, expired = (
        create_key(store, "app", READ, expires_in=60),
        create_key(store, "web", READ, expires_in=-1),
    )
    assert find_key(store, lasting) is not None
    assert find_key(store, expired) is None
    with pytest.raises(QueryError, match="no valid key is named web"):
        revoke_key(store, "web")
    with pytest.raises(QueryError, match="no valid key is named web"):
        rotate_key(store, "web", overlap=60)
    assert find_key(store, create_key(store, "web", READ)) is not None


def test_after_a_rotation_both_keys_are_valid_until_the_overlap_has_passed(store: Store) -> None:
    old = create_key(store, "web", WRITE)
    new = rotate_key(store, "web", overlap=60)
    found = [find_key(store, key) for key in (old, new)]
    assert [(key.name, key.scope, key.expires is None) for key in found if key] == [
        ("web", WRITE, False),
        ("web", WRITE, True),
    ]
    newest = rotate_key(store, "web", overlap=-1)
    assert [find_key(store, key) is not None for key in (old, new, newest)] == [False, False, True]


def test_a_rotation_prolongs_no_key(store: Store) -> None:
    old = create_key(store, "web", WRITE, expires_in=60)
    expires = list_keys(store)[0].expires
    rotate_key(store, "web", overlap=3600)
    found = find_key(store, old)
    assert found is not None
    assert found.expires == expires


def test_the_new_key_lives_as_long_as_the_old_one_was_made_for_unless_told_otherwise(store: Store) -> None:
    create_key(store, "web", READ, expires_in=900)
    for expires_in, lifetime in ((None, 900), (60, 60)):
        key = find_key(store, rotate_key(store, "web", overlap=60, expires_in=expires_in))
        assert key is not None
        assert key.expires is not None
        assert key.expires - key.created == lifetime


def test_revoking_a_name_ends_the_key_that_was_replaced_too(store: Store) -> None:
    keys = [create_key(store, "web", READ), rotate_key(store, "web", overlap=60)]
    revoke_key(store, "web")
    assert [find_key(store, key) for key in keys] == [None, None]


def test_the_keys_of_an_older_store_are_found_and_rotated(store_url: str) -> None:
    with Store.open(store_url) as store:
        shown = create_key(store, "web", READ)
        with store.writing() as connection:
            connection.exec_driver_sql("ALTER TABLE api_keys DROP COLUMN expires")
            connection.exec_driver_sql("DROP TABLE audit_log")
    for _ in range(2):
        with Store.open(store_url) as store:
            assert find_key(store, shown) is not None
    with Store.open(store_url) as store:
        assert find_key(store, rotate_key(store, "web", overlap=60)) is not None


def test_the_command_rotates_and_says_when_keys_expire(sqlite_url: str) -> None:
    old = succeed(
        "keys", "create", "web", "--scope", "read", "--expires", "90d", "--store", sqlite_url
    ).strip()
    new = succeed("keys", "rotate", "web", "--overlap", "2h", "--store", sqlite_url).strip()
    with Store.open(sqlite_url) as store:
        assert [find_key(store, key) is not None for key in (old, new)] == [True, True]
    listed = json.loads(succeed("keys", "list", "--json", "--store", sqlite_url))
    lifetimes = sorted(key["expires"] - key["created"] for key in listed)
    assert lifetimes[0] in range(7_200, 7_300)
    assert lifetimes[1] == 90 * 86_400
    assert "expires (UTC)" in succeed("keys", "list", "--store", sqlite_url)
    assert fail("keys", "create", "app", "--scope", "read", "--expires", "soon", "--store", sqlite_url) == (
        "nextreel: --expires 'soon' is not a duration; expected a number and s, m, h, d or w, such as 30m or 7d\n"
    )


@pytest.mark.parametrize("damage", ["scope = 'x'", "expires = 'x'", "revoked = 'x'", "created = 'x'"])
def test_a_damaged_row_of_a_key_is_told(sqlite_url: str, damage: str) -> None:
    with Store.open(sqlite_url) as store:
        key = create_key(store, "shop", Scope.READ)
        with store.writing() as connection:
            connection.exec_driver_sql(f"UPDATE api_keys SET {damage}")
        for use in (lambda: find_key(store, key), lambda: list_keys(store)):
            with pytest.raises(UnusableStoreError, match=r"the row of the API key .* is damaged"):
                use()


@pytest.mark.parametrize("damage", ["x'00'", "'ä'", "''", "5"])
def test_a_damaged_hash_is_that_of_no_key(sqlite_url: str, damage: str) -> None:
    with Store.open(sqlite_url) as store:
        key = create_key(store, "shop", Scope.READ)
        with store.writing() as connection:
            connection.exec_driver_sql(f"UPDATE api_keys SET secret_sha256 = {damage}")
        assert find_key(store, key) is None
