"""What a key does is its own and is logged: the audit log, and Idempotency-Keys, over HTTP."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import save
from nextreel.serving.storage.administration.api_keys import Scope, create_key, rotate_key
from nextreel.serving.storage.model_versions import VersionDirectory
from nextreel.serving.storage.store import Store
from tests.cli.commands import succeed
from tests.serving.servers import LATE, Server, eventually, serving

USER = 87_654_321


@pytest.fixture(scope="module")
def store_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('keys')}/nextreel.db"


@pytest.fixture(scope="module")
def keys(store_url: str) -> dict[str, dict[str, str]]:
    """The header with each key."""
    scopes = {"boss": Scope.ADMIN, "shop": Scope.WRITE, "app": Scope.WRITE, "reader": Scope.READ}
    with Store.open(store_url) as store:
        return {name: {"X-API-Key": create_key(store, name, scope)} for name, scope in scopes.items()}


@pytest.fixture(scope="module")
def versions(predictor: Predictor, model: Path, tmp_path_factory: pytest.TempPathFactory) -> VersionDirectory:
    home = tmp_path_factory.mktemp("versions")
    save(predictor, home / "other")
    directory = VersionDirectory.create(home / "models")
    directory.add(model, "a")
    directory.add(home / "other", "b")
    return directory


@pytest.fixture(scope="module")
def guarded(versions: VersionDirectory, store_url: str, keys: dict[str, dict[str, str]]) -> Iterator[Server]:
    """A server of two processes that needs keys."""
    with serving(versions.directory, store_url, "--require-keys", "--workers", 2) as started:
        yield started


def read_acts(server: Server, admin: dict[str, str]) -> list[tuple[str, str, str | None]]:
    """Who did what, oldest first."""
    page: dict[str, Any] = server.ok("GET", "/v1/admin/audit", headers=admin)
    return [(each["by"], each["act"], each["subject"]) for each in reversed(page["acts"])]


def test_the_log_says_which_key_did_what_and_not_who_was_erased(
    guarded: Server, keys: dict[str, dict[str, str]], versions: VersionDirectory
) -> None:
    admin = keys["boss"]
    eventually(lambda: ("command line", "version promoted", "a") in read_acts(guarded, admin))
    guarded.ok("DELETE", f"/v1/users/{USER}", headers=keys["shop"])
    assert guarded.http.delete("/v1/movies/3", headers=keys["app"]).status_code == 204
    guarded.ok("POST", "/v1/admin/models/b/promote", headers=admin)
    guarded.ok("POST", "/v1/admin/rollback", headers=admin)
    succeed("models", "promote", versions.directory, "b")
    eventually(lambda: ("command line", "version promoted", "b") in read_acts(guarded, admin))
    acts = read_acts(guarded, admin)
    assert [act for act in acts if act[1] != "key created"] == [
        ("command line", "version promoted", "a"),
        ("shop", "user erased", None),
        ("app", "movie deleted", "3"),
        ("boss", "version promoted", "b"),
        ("boss", "version rolled back", "a"),
        ("command line", "version promoted", "b"),
    ]
    assert str(USER) not in guarded.http.get("/v1/admin/audit", headers=admin).text


def test_the_log_is_for_admins_and_comes_in_pages(guarded: Server, keys: dict[str, dict[str, str]]) -> None:
    for name in ("shop", "reader"):
        guarded.problem(403, "GET", "/v1/admin/audit", headers=keys[name])
    first = guarded.ok("GET", "/v1/admin/audit?limit=1", headers=keys["boss"])
    second = guarded.ok("GET", f"/v1/admin/audit?limit=1&before={first['next']}", headers=keys["boss"])
    assert second["acts"][0]["id"] < first["acts"][0]["id"]
    assert guarded.ok("GET", "/v1/admin/audit?before=1", headers=keys["boss"]) == {"acts": [], "next": None}


def test_two_keys_with_the_same_idempotency_key_do_not_share_an_answer(
    guarded: Server, keys: dict[str, dict[str, str]]
) -> None:
    rows = [{"user_id": 70_100, "movie_id": movie, "rating": 4, "timestamp": LATE} for movie in (4, 5)]
    same = {"Idempotency-Key": "7d1f"}
    for name, row in zip(("shop", "app"), rows, strict=True):
        first = guarded.http.post("/v1/interactions", json=row, headers={**keys[name], **same})
        again = guarded.http.post("/v1/interactions", json=row, headers={**keys[name], **same})
        assert (first.status_code, first.json()) == (again.status_code, again.json())
        assert first.json()["outcome"] == "added"
    guarded.problem(409, "POST", "/v1/interactions", json=rows[1], headers={**keys["shop"], **same})
    exported = guarded.ok("GET", "/v1/users/70100", headers=keys["shop"])
    assert len(exported["interactions"]) == 2


def test_an_expired_key_is_refused_and_both_keys_of_a_rotation_are_not(
    guarded: Server, store_url: str
) -> None:
    with Store.open(store_url) as store:
        expired = create_key(store, "guest", Scope.READ, expires_in=-1)
        old = create_key(store, "turning", Scope.READ)
        new = rotate_key(store, "turning", overlap=600)
    problem = guarded.problem(401, "GET", "/v1/model", headers={"X-API-Key": expired})
    assert "has expired" in problem["detail"]
    for key in (old, new):
        guarded.ok("GET", "/v1/model", headers={"X-API-Key": key})
