"""The log of administrative acts: who did what, and nothing about who was erased."""

import json

import pytest

from nextreel.errors import QueryError
from nextreel.serving.storage.administration import audit_log
from nextreel.serving.storage.administration.api_keys import Scope, create_key, revoke_key, rotate_key
from nextreel.serving.storage.administration.audit_log import Act
from nextreel.serving.storage.administration.audited_promotions import record_promotion, record_served_version
from nextreel.serving.storage.store import Store
from tests.cli.commands import succeed
from tests.serving.ratings import ANNE, rating


def acts(store: Store) -> list[tuple[str, str, str | None]]:
    """Who did what, oldest first."""
    return [(entry.by, entry.act, entry.subject) for entry in reversed(store.audit_log(1_000))]


def test_what_is_done_to_keys_is_logged_with_who_did_it(store: Store) -> None:
    create_key(store, "web", Scope.READ)
    rotate_key(store, "web", overlap=60, by="boss")
    revoke_key(store, "web")
    assert acts(store) == [
        ("command line", "key created", "web"),
        ("boss", "key rotated", "web"),
        ("command line", "key revoked", "web"),
    ]


def test_what_was_refused_is_not_logged(store: Store) -> None:
    create_key(store, "web", Scope.READ)
    with pytest.raises(QueryError):
        create_key(store, "web", Scope.READ)
    with pytest.raises(QueryError):
        revoke_key(store, "app")
    assert len(acts(store)) == 1


def test_a_deleted_movie_is_named_and_an_erased_user_is_not(store: Store) -> None:
    store.add([rating()])
    store.delete_movie(2, by="shop")
    store.delete_movie(2, by="shop")  # deleted already
    store.erase_user(ANNE, by="shop")
    assert acts(store) == [("shop", "movie deleted", "2"), ("shop", "user erased", None)]


def test_nothing_of_an_erased_user_is_in_the_log(store: Store) -> None:
    store.erase_user("anne of somewhere")
    store.erase_user(987_654_321)
    written = json.dumps([vars(entry) for entry in store.audit_log(1_000)])
    assert "anne" not in written
    assert "987654321" not in written


def test_the_log_is_read_page_by_page(store: Store) -> None:
    for movie in range(5):
        store.delete_movie(movie)
    first = store.audit_log(2)
    second = store.audit_log(2, before=first[-1].id)
    third = store.audit_log(2, before=second[-1].id)
    assert [entry.subject for entry in (*first, *second, *third)] == ["4", "3", "2", "1", "0"]


def test_many_acts_of_one_kind_push_none_of_another_out(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "KEPT", 3)
    monkeypatch.setattr(audit_log, "CLEAN_UP_EVERY", 2)
    create_key(store, "web", Scope.READ)
    for _ in range(19):
        store.erase_user(ANNE)
    written = [act for _, act, _ in acts(store)]
    assert written == ["key created", *["user erased"] * 3]


def test_a_promotion_on_the_command_line_is_logged_once_whoever_notices_it(store: Store) -> None:
    record_served_version(store, "a", since=5)
    record_served_version(store, "a", since=5)
    record_promotion(store, Act.VERSION_PROMOTED, "boss", "b")
    record_served_version(store, "b", since=7)
    record_served_version(store, "a", since=9)
    assert acts(store) == [
        ("command line", "version promoted", "a"),
        ("boss", "version promoted", "b"),
        ("command line", "version promoted", "a"),
    ]
    assert store.audit_log(1)[0].at == 9


def test_the_command_lists_the_acts(sqlite_url: str) -> None:
    succeed("keys", "create", "web", "--scope", "read", "--store", sqlite_url)
    succeed("keys", "revoke", "web", "--store", sqlite_url)
    listed = succeed("keys", "audit", "--store", sqlite_url)
    assert "key revoked" in listed
    assert "command line" in listed
    (latest,) = json.loads(succeed("keys", "audit", "--limit", "1", "--json", "--store", sqlite_url))
    assert (latest["by"], latest["act"], latest["subject"]) == ("command line", "key revoked", "web")
