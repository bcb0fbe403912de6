"""API keys, scopes, rate limits and security headers, over HTTP and as functions."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from nextreel.serving.app import is_loopback
from nextreel.serving.http.access.access_control import needed_scope
from nextreel.serving.http.access.rate_limits import RateLimiter
from nextreel.serving.storage.administration.api_keys import Scope, create_key, revoke_key
from nextreel.serving.storage.store import Store
from tests.cli.commands import fail
from tests.serving.http.connections.clients import CHUNK, CHUNKED, exchange
from tests.serving.servers import Server, serving


@pytest.fixture(scope="module")
def store_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('keys')}/nextreel.db"


@pytest.fixture(scope="module")
def keys(store_url: str) -> dict[str, str]:
    with Store.open(store_url) as store:
        return {
            scope: create_key(store, f"the {scope} one", Scope(scope)) for scope in ("read", "write", "admin")
        }


@pytest.fixture(scope="module")
def guarded(model: Path, store_url: str, keys: dict[str, str]) -> Iterator[Server]:
    """A server that other machines can reach, which needs keys."""
    with serving(model, store_url, "--host", "0.0.0.0", "--rate", 1_000) as started:
        yield started


ROW = {"user_id": 90_001, "movie_id": 2, "rating": 4, "timestamp": 5}
REQUESTS = [
    ("GET", "/v1/users/1/history", None, "read"),
    ("POST", "/v1/recommendations", {"user_id": 1}, "read"),
    ("POST", "/v1/recommendations/batch", {"queries": [{"user_id": 1}]}, "read"),
    ("GET", "/metrics", None, "read"),
    ("POST", "/v1/interactions", ROW, "write"),
    ("POST", "/v1/movies", {"movie_id": 9_000, "title": "A (2000)"}, "write"),
    ("GET", "/v1/users/2", None, "write"),
    ("DELETE", "/v1/users/90001", None, "write"),
    ("GET", "/v1/admin/models", None, "admin"),
]


@pytest.mark.parametrize(("method", "path", "body", "needed"), REQUESTS)
def test_each_route_opens_to_its_scope_and_those_above(
    guarded: Server, keys: dict[str, str], method: str, path: str, body: object, needed: str
) -> None:
    scopes = list(keys)
    for scope, key in keys.items():
        response = guarded.http.request(method, path, json=body, headers={"X-API-Key": key})
        assert (response.status_code == 403) == (scopes.index(scope) < scopes.index(needed)), response.text
    assert guarded.http.request(method, path, json=body).status_code == 401


def test_a_key_in_a_trailer_opens_nothing(guarded: Server, keys: dict[str, str]) -> None:
    field = f"X-API-Key: {keys['admin']}\r\n".encode()
    start = CHUNKED[:-2] + b"connection: close\r\n"
    assert exchange(guarded, start + field + b"\r\n" + CHUNK + b"0\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    assert exchange(guarded, start + b"\r\n" + CHUNK + b"0\r\n" + field + b"\r\n").startswith(
        b"HTTP/1.1 401 "
    )


def test_a_bearer_token_is_a_key_too(guarded: Server, keys: dict[str, str]) -> None:
    guarded.ok("GET", "/v1/model", headers={"Authorization": f"Bearer {keys['read']}"})


def test_a_browsers_user_gives_a_key_as_the_password_but_not_to_the_api(
    guarded: Server, keys: dict[str, str]
) -> None:
    response = guarded.http.get("/metrics")
    assert (response.status_code, response.headers["www-authenticate"].split()[0]) == (401, "Basic")
    assert guarded.http.get("/metrics", auth=("anybody", keys["read"])).status_code == 200
    assert guarded.http.get("/metrics", auth=("anybody", "guess")).status_code == 401
    assert guarded.http.get("/v1/model", auth=("anybody", keys["read"])).status_code == 401
    assert guarded.http.get("/metrics", headers={"Authorization": "Basic %"}).status_code == 401


@pytest.mark.parametrize("headers", [{}, {"X-API-Key": "guess"}, {"Authorization": "Basic YTpi"}])
def test_without_a_key_that_holds_one_is_asked_for(guarded: Server, headers: dict[str, str]) -> None:
    guarded.problem(401, "GET", "/v1/model", headers=headers)
    assert guarded.http.get("/v1/model", headers=headers).headers["www-authenticate"].startswith("Bearer")


def test_a_wrong_secret_is_refused_though_the_id_is_right(guarded: Server, keys: dict[str, str]) -> None:
    key = keys["read"]
    wrong = key[:-1] + ("A" if key[-1] != "A" else "B")
    guarded.problem(401, "GET", "/v1/model", headers={"X-API-Key": wrong})


def test_a_revoked_key_ends_at_once(guarded: Server, store_url: str) -> None:
    with Store.open(store_url) as store:
        header = {"X-API-Key": create_key(store, "a passing one", Scope.READ)}
        guarded.ok("GET", "/v1/model", headers=header)
        revoke_key(store, "a passing one")
    guarded.problem(401, "GET", "/v1/model", headers=header)


def test_health_is_open_to_everybody(guarded: Server) -> None:
    assert {guarded.http.get(path).status_code for path in ("/healthz", "/readyz", "/openapi.json")} == {200}


def test_the_description_says_which_scope_a_route_needs(guarded: Server) -> None:
    described = guarded.ok("GET", "/openapi.json")
    operation = described["paths"]["/v1/interactions"]["post"]
    assert operation["security"] == [{"ApiKey": []}, {"Bearer": []}]
    assert operation["description"].endswith("Scope: write.")
    assert "security" not in described["paths"]["/healthz"]["get"]


def test_no_body_is_read_of_a_request_without_a_key(guarded: Server) -> None:
    guarded.problem(401, "POST", "/v1/recommendations", content=b"{")


def test_a_key_that_asks_too_often_is_told_how_long_to_wait(
    model: Path,
    store_url: str,
    keys: dict[str, str],
) -> None:
    with serving(model, store_url, "--host", "0.0.0.0", "--rate", 0.5) as slow:
        header = {"X-API-Key": keys["read"]}
        assert slow.http.get("/v1/model", headers=header).status_code == 200
        slow.problem(429, "GET", "/v1/model", headers=header)
        assert 1 <= int(slow.http.get("/v1/model", headers=header).headers["retry-after"]) <= 2
        assert slow.http.get("/v1/model", headers={"X-API-Key": keys["write"]}).status_code == 200


def test_every_answer_has_the_headers_that_make_browsers_careful(guarded: Server) -> None:
    for path in ("/healthz", "/v1/model", "/nothing"):
        headers = guarded.http.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers


def test_scripts_of_other_sites_may_not_call_unless_their_site_is_named(
    guarded: Server,
    model: Path,
    tmp_path: Path,
) -> None:
    preflight = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
    assert (
        "access-control-allow-origin"
        not in guarded.http.options("/v1/recommendations", headers=preflight).headers
    )
    with serving(model, f"sqlite:///{tmp_path}/s.db", "--allow-origin", "https://example.org") as named:
        response = named.http.options("/v1/recommendations", headers=preflight)
        assert response.headers["access-control-allow-origin"] == "https://example.org"
        other = named.http.get("/v1/model", headers={"Origin": "https://example.com"})
        assert "access-control-allow-origin" not in other.headers


def test_a_bucket_fills_at_its_rate_and_no_higher_than_its_burst() -> None:
    now = [0.0]
    limiter = RateLimiter(rate=2, burst=3, clock=lambda: now[0])
    assert [limiter.wait("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert limiter.wait("b") == 0
    now[0] = 0.5
    assert [limiter.wait("a") for _ in range(2)] == [0, 0.5]
    now[0] = 100
    assert [limiter.wait("a") for _ in range(4)] == [0, 0, 0, 0.5]


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("example.org", False),
    ],
)
def test_only_loopback_addresses_need_no_keys(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_a_path_that_is_not_known_needs_a_key_all_the_same() -> None:
    assert needed_scope("GET", "/anything") is Scope.READ
    assert needed_scope("PATCH", "/v1/recommendations") is Scope.WRITE


@pytest.mark.parametrize("address", ["a%2Fb", "x%2Frecommendations", "x%2Fhistory", "a%25", "%2F"])
def test_an_escaped_slash_opens_nobodys_data_to_a_key_that_may_only_read(
    guarded: Server, keys: dict[str, str], address: str
) -> None:
    headers = {"X-API-Key": keys["read"]}
    response = guarded.http.get(f"/v1/users/{address}", headers=headers)
    assert response.status_code == 403
    assert "needs a key of scope write" in response.json()["detail"]


def test_an_open_server_without_keys_says_how_to_make_one(model: Path, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/s.db"
    assert "nextreel keys create NAME" in fail("serve", model, "--store", store, "--host", "0.0.0.0")


def test_no_keys_are_asked_for_when_told_so(model: Path, tmp_path: Path) -> None:
    with serving(model, f"sqlite:///{tmp_path}/s.db", "--host", "0.0.0.0", "--no-keys") as started:
        assert httpx.get(f"{started.url}/v1/model").status_code == 200


def test_a_costly_request_takes_more_tokens_and_may_leave_a_debt_but_only_one() -> None:
    now = 0.0
    limiter = RateLimiter(rate=10, burst=20, clock=lambda: now)
    assert limiter.wait("a") == 0
    assert limiter.charge("a", 0.5) == 0
    assert limiter.charge("a", 100) == 0
    assert limiter.charge("a", 100) == pytest.approx((1 + 81.5) / 10)
    assert limiter.wait("a") == pytest.approx((1 + 81.5) / 10)
    assert limiter.charge("a", -0.9) == 0
    assert limiter.wait("b") == 0
    now = 8.25
    assert limiter.wait("a") == 0
