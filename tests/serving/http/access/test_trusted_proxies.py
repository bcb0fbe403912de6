"""Forwarded headers: believed from the proxies that were named, and from nobody else."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nextreel.errors import ConfigError
from nextreel.serving.http.access.trusted_proxies import TrustedProxies
from nextreel.serving.storage.administration.api_keys import Scope, create_key
from nextreel.serving.storage.store import Store
from tests.cli.commands import fail
from tests.serving.servers import Server, eventually, serving


@pytest.fixture(scope="module")
def key_and_store(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    url = f"sqlite:///{tmp_path_factory.mktemp('store')}/nextreel.db"
    with Store.open(url) as store:
        return create_key(store, "shop", Scope.ADMIN), url


@pytest.fixture(scope="module")
def behind(model: Path, key_and_store: tuple[str, str]) -> Iterator[Server]:
    """A server behind a proxy on this machine, as docs/how-to/serve.md starts it."""
    key, url = key_and_store
    options = ["--require-keys", "--trusted-proxy", "127.0.0.1", "--allowed-host", "films.example.org"]
    with serving(model, url, *options, headers={"X-API-Key": key}) as started:
        yield started


def find_line(server: Server, request_id: str) -> dict[str, Any]:
    eventually(lambda: any(line.get("request_id") == request_id for line in server.lines()))
    return next(line for line in server.lines() if line.get("request_id") == request_id)


def test_behind_a_proxy_on_the_same_machine_a_key_is_asked_for(behind: Server) -> None:
    assert behind.http.get("/v1/users/1/history", headers={"X-API-Key": ""}).status_code == 401
    assert behind.http.get("/v1/users/1/history").status_code == 200
    assert behind.http.get("/healthz", headers={"X-API-Key": ""}).status_code == 200


def test_keys_are_asked_for_on_demand_without_a_proxy_too(
    model: Path, key_and_store: tuple[str, str]
) -> None:
    with serving(model, key_and_store[1], "--require-keys") as started:
        started.problem(401, "GET", "/v1/users/1/history")


def test_a_trusted_proxy_means_that_others_come_in_so_keys_are_asked_for(
    model: Path, key_and_store: tuple[str, str]
) -> None:
    with serving(model, key_and_store[1], "--trusted-proxy", "127.0.0.1") as started:
        started.problem(401, "GET", "/v1/users/1/history")
    with serving(model, key_and_store[1], "--trusted-proxy", "127.0.0.1", "--no-keys") as started:
        started.ok("GET", "/v1/users/1/history")


def test_keys_that_are_asked_for_and_missing_end_the_start_in_one_line(model: Path, tmp_path: Path) -> None:
    message = fail("serve", model, "--store", f"sqlite:///{tmp_path}/s.db", "--require-keys")
    assert "--require-keys was given, so requests need an API key, and the store has no valid one" in message
    assert message.count("\n") == 1


def test_keys_cannot_be_both_asked_for_and_not(model: Path, tmp_path: Path) -> None:
    message = fail("serve", model, "--store", f"sqlite:///{tmp_path}/s.db", "--require-keys", "--no-keys")
    assert "contradict each other" in message


def test_the_log_names_the_client_of_a_trusted_proxy(behind: Server) -> None:
    behind.http.get("/healthz", headers={"X-Forwarded-For": "203.0.113.7", "X-Request-ID": "forwarded"})
    assert find_line(behind, "forwarded")["client"] == "203.0.113.7"


def test_a_trusted_proxy_says_which_host_was_asked(behind: Server) -> None:
    asked = {"X-Forwarded-Host": "films.example.org", "Host": "127.0.0.1"}
    assert behind.http.get("/v1/users/1/history", headers=asked).status_code == 200
    rebound = {"X-Forwarded-Host": "evil.example", "Host": "127.0.0.1"}
    behind.problem(421, "GET", "/v1/users/1/history", headers=rebound)


def test_a_script_of_the_page_behind_the_proxy_may_write(behind: Server) -> None:
    row = {"user_id": 60_001, "movie_id": 2, "rating": 4, "timestamp": 5}
    asked = {"X-Forwarded-Host": "films.example.org", "X-Forwarded-Proto": "https"}
    ours = {**asked, "Origin": "https://films.example.org"}
    assert behind.http.post("/v1/interactions", json=row, headers=ours).status_code == 201
    others = {**asked, "Origin": "https://evil.example"}
    assert behind.http.post("/v1/interactions", json=row, headers=others).status_code == 403


def test_nobody_is_believed_who_was_not_named(server: Server) -> None:
    claims = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Host": "evil.example", "X-Request-ID": "claimed"}
    assert server.http.get("/v1/users/1/history", headers=claims).status_code == 200
    assert find_line(server, "claimed")["client"] == "127.0.0.1"
    hidden = {"X-Forwarded-Host": "localhost", "Host": "evil.example"}
    server.problem(421, "GET", "/v1/users/1/history", headers=hidden)


def test_the_environment_names_no_proxy(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    with serving(model, f"sqlite:///{tmp_path}/s.db") as started:
        started.http.get("/healthz", headers={"X-Forwarded-For": "203.0.113.7", "X-Request-ID": "claimed"})
        assert find_line(started, "claimed")["client"] == "127.0.0.1"


@pytest.mark.parametrize("claim", ['127.0.0.1", "status": 200}', "203.0.113.7%0a", "203.0.113.7 GET / 200"])
def test_a_client_that_is_no_address_does_not_get_into_the_log(behind: Server, claim: str) -> None:
    request_id = f"forged-{claim.encode().hex()}"[:64]
    behind.http.get("/healthz", headers={"X-Forwarded-For": claim, "X-Request-ID": request_id})
    assert find_line(behind, request_id)["client"] == "127.0.0.1"


@pytest.mark.parametrize(
    "claim", ["root", "\x1b[31m", "1.1.1.1\n2.2.2.2", "fe80::1%\x1b[2J", "1.1.1.1\u2028", "١.١.١.١"]
)
def test_no_other_text_than_an_address_is_taken_for_one(claim: str) -> None:
    client = PROXIES.find_client(claim)
    assert client is None or re.fullmatch("[0-9a-f.:]+", client)


PROXIES = TrustedProxies.parse(["127.0.0.1", "10.0.0.0/8", "2001:db8:1::/48"])


@pytest.mark.parametrize(
    ("forwarded_for", "client"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7", "203.0.113.7"),  # the first is only what the client claims
        ("203.0.113.7, 10.1.2.3", "203.0.113.7"),
        ("1.1.1.1, 203.0.113.7, 10.1.2.3,127.0.0.1", "203.0.113.7"),
        ("10.1.2.3", "10.1.2.3"),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("evil, 10.1.2.3", "10.1.2.3"),
        ("evil", None),
        ("", None),
    ],
)
def test_the_client_is_the_last_who_is_no_proxy(forwarded_for: str, client: str | None) -> None:
    assert PROXIES.find_client(forwarded_for) == client


def test_proxies_are_named_by_addresses_and_networks() -> None:
    contained = [
        PROXIES.contain(address)
        for address in ("127.0.0.1", "::ffff:10.0.0.1", "2001:db8:1::5", "11.0.0.1", "x")
    ]
    assert contained == [True, True, True, False, False]


@pytest.mark.parametrize("address", ["nginx", "10.0.0.0/33", "10.0.0.1/8", "*", "127.0.0.1:80", ""])
def test_an_address_that_is_none_is_an_error(address: str) -> None:
    with pytest.raises(ConfigError, match="expected an address or a network"):
        TrustedProxies.parse([address])
