"""What a page of another web site makes a browser send is refused; what people and programs send is not."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nextreel.errors import ConfigError
from nextreel.serving.http.access.allowed_hosts import AllowedHosts
from nextreel.serving.storage.administration.api_keys import Scope, create_key
from nextreel.serving.storage.store import Store
from tests.cli.commands import fail
from tests.serving.servers import Server, connect, eventually, read_all, serving

FORMS = ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"]
ROW = {"user_id": 70_001, "movie_id": 2, "rating": 4, "timestamp": 5}
CHANGING: list[tuple[str, str, dict[str, Any] | None]] = [
    ("POST", "/v1/interactions", ROW),
    ("POST", "/v1/movies", {"movie_id": 9_100, "title": "A (2000)"}),
    ("DELETE", "/v1/movies/4", None),
    ("DELETE", "/v1/users/3", None),
    ("POST", "/v1/admin/rollback", None),
    ("POST", "/v1/admin/models/a/promote", None),
]
PERSONAL: list[tuple[str, str, dict[str, Any] | None]] = [
    ("GET", "/v1/users/1", None),
    ("GET", "/v1/users/1/history", None),
    ("GET", "/v1/users/1/recommendations", None),
    ("POST", "/v1/recommendations", {"user_id": 1}),
    ("POST", "/v1/recommendations/batch", {"queries": [{"user_id": 1}]}),
    ("GET", "/time-travel?user=1", None),
    ("GET", "/strip?user=1", None),
    ("GET", "/?user=1", None),
    ("HEAD", "/v1/users/1", None),
]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example"]
)
@pytest.mark.parametrize(("method", "path", "body"), CHANGING + PERSONAL)
def test_a_site_that_rebinds_its_name_gets_and_changes_nothing(
    server: Server, method: str, path: str, body: dict[str, Any] | None, host: str
) -> None:
    response = server.http.request(method, path, json=body, headers={"Host": host})
    assert response.status_code == 421
    if method != "HEAD":
        name = host.partition(":")[0]
        assert name in response.json()["detail"]
        assert "--allowed-host" in response.json()["detail"]


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8000",
        "nextreel.localhost",
        "127.0.0.1",
        "[::1]:8000",
        "192.168.1.5",
        "localhost.",
    ],
)
def test_names_of_this_machine_and_addresses_are_allowed(server: Server, host: str) -> None:
    assert server.http.get("/v1/users/1/history", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json"])
def test_health_checks_are_answered_under_any_name(server: Server, path: str) -> None:
    assert server.http.get(path, headers={"Host": "a-pod.cluster.example"}).status_code == 200


def test_two_hosts_in_one_request_are_refused(server: Server) -> None:
    with connect(server) as connection:
        connection.sendall(
            b"GET /v1/users/1/history HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\nconnection: close\r\n\r\n"
        )
        assert read_all(connection).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "sent",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Origin": "null"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
    ],
    ids=str,
)
@pytest.mark.parametrize(("method", "path", "body"), CHANGING)
def test_another_site_changes_nothing(
    server: Server, method: str, path: str, body: dict[str, Any] | None, sent: dict[str, str]
) -> None:
    problem = server.problem(403, method, path, json=body, headers=sent)
    assert "another web site" in problem["detail"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("method", "path", "body"), [each for each in CHANGING if each[0] == "POST"])
def test_no_form_changes_anything_even_if_the_browser_names_no_site(
    server: Server, method: str, path: str, body: dict[str, Any] | None, form: str
) -> None:
    content = b"" if body is None else b'{"user_id": 1}'
    server.problem(415, method, path, content=content, headers={"Content-Type": form})


def test_a_body_without_a_content_type_is_refused(server: Server) -> None:
    """A script may send such a body to another site without its consent."""
    content = b'{"user_id": 70001, "movie_id": 2, "rating": 4, "timestamp": 5}'
    server.problem(415, "POST", "/v1/interactions", content=content)
    server.problem(404, "GET", "/v1/users/70001")


@pytest.mark.parametrize(
    "sent",
    [
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Origin": "http://localhost:1"},
    ],
    ids=str,
)
@pytest.mark.parametrize(("method", "path", "body"), [each for each in PERSONAL if each[0] != "HEAD"])
def test_a_script_or_an_image_of_another_site_reads_nothing_personal(
    server: Server, method: str, path: str, body: dict[str, Any] | None, sent: dict[str, str]
) -> None:
    server.problem(403, method, path, json=body, headers=sent)


def test_a_link_on_another_site_opens_the_page(server: Server) -> None:
    sent = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert server.http.get("/time-travel?user=1", headers=sent).status_code == 200


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_our_own_page_and_a_typed_address_are_no_other_site(server: Server, site: str) -> None:
    sent = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "cors", "HX-Request": "true"}
    assert server.http.get("/you?stars-5=4.5", headers=sent).status_code == 200


def test_a_script_of_the_servers_own_address_may_write(server: Server) -> None:
    row = {**ROW, "user_id": 70_002}
    sent = {"Origin": server.url, "Sec-Fetch-Site": "same-origin"}
    assert server.http.post("/v1/interactions", json=row, headers=sent).status_code == 201
    older_browser = {"Origin": server.url}
    assert server.http.post("/v1/interactions", json=row, headers=older_browser).status_code == 200


def test_a_program_needs_none_of_the_headers_of_browsers(server: Server) -> None:
    """As `curl -X DELETE` and `curl -X POST` without a body do."""
    assert server.http.delete("/v1/users/70003").status_code == 200
    assert server.http.post("/v1/admin/rollback").status_code == 409


@pytest.fixture(scope="module")
def named(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one more name, under a sub-path, and with a site whose scripts may call it."""
    store = f"sqlite:///{tmp_path_factory.mktemp('named')}/s.db"
    options = [
        "--allowed-host",
        "Films.example.org",
        "--allow-origin",
        "https://shop.example",
        "--root-path",
        "/films",
    ]
    with serving(model, store, *options) as started:
        yield started


def test_a_name_that_was_allowed_reaches_the_server_and_others_do_not(named: Server) -> None:
    for path in ("/films/v1/users/1/history", "/v1/users/1/history", "/films/time-travel?user=1"):
        assert named.http.get(path, headers={"Host": "films.example.org"}).status_code == 200
        assert named.http.get(path, headers={"Host": "evil.example"}).status_code == 421
    assert named.http.get("/films/healthz", headers={"Host": "evil.example"}).status_code == 200


def test_a_site_that_was_allowed_may_write(named: Server) -> None:
    sent = {"Origin": "https://shop.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
    assert named.http.post("/v1/interactions", json=ROW, headers=sent).status_code == 201
    sent["Origin"] = "https://evil.example"
    assert named.http.post("/v1/interactions", json=ROW, headers=sent).status_code == 403


def test_where_others_can_connect_without_keys_names_are_checked_too(model: Path, tmp_path: Path) -> None:
    with serving(model, f"sqlite:///{tmp_path}/s.db", "--host", "0.0.0.0", "--no-keys") as open_to_all:
        assert open_to_all.http.get("/v1/users/1/history").status_code == 200
        open_to_all.problem(421, "GET", "/v1/users/1/history", headers={"Host": "evil.example"})


def test_a_key_stands_for_its_owner_under_any_name_unless_names_were_given(
    model: Path, tmp_path: Path
) -> None:
    store_url = f"sqlite:///{tmp_path}/s.db"
    with Store.open(store_url) as store:
        sent = {"X-API-Key": create_key(store, "shop", Scope.WRITE), "Host": "films.lan"}
    with serving(model, store_url, "--host", "0.0.0.0") as guarded:
        assert guarded.http.get("/v1/users/1/history", headers=sent).status_code == 200
    with serving(model, store_url, "--host", "0.0.0.0", "--allowed-host", "films.example") as named:
        named.problem(421, "GET", "/v1/users/1/history", headers=sent)


def test_the_address_served_at_is_a_name() -> None:
    hosts = AllowedHosts.parse([], "films.lan")
    assert (hosts.allow("films.lan:8000"), hosts.allow("other.lan")) == (True, False)


@pytest.mark.parametrize(
    "host", ["", ":", "[", "[::1", "a b", "evil.example/localhost", "localhost@evil.example", "\x00"]
)
def test_what_is_no_host_is_not_allowed(host: str) -> None:
    assert not AllowedHosts().allow(host)


def test_any_name_may_be_allowed() -> None:
    assert AllowedHosts.parse(["*"], "127.0.0.1").allow("evil.example")


@pytest.mark.parametrize("name", ["https://films.example", "films.example:8000", "a/", "a b", "", "-a"])
def test_a_name_that_is_none_is_an_error(name: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"--allowed-host {name!r}: expected a host's name")):
        AllowedHosts.parse([name], "127.0.0.1")


def test_a_wrong_name_ends_the_start_in_one_line(model: Path, tmp_path: Path) -> None:
    message = fail("serve", model, "--store", f"sqlite:///{tmp_path}/s.db", "--allowed-host", "http://a")
    assert message.startswith("nextreel: --allowed-host 'http://a': expected a host's name")
    assert message.count("\n") == 1
    assert not (tmp_path / "s.db").exists()


def test_a_proxy_that_nobody_named_is_warned_of_once(server: Server) -> None:
    for _ in range(2):
        server.http.get("/v1/model", headers={"X-Forwarded-For": "203.0.113.7"})
    warnings = [line for line in server.lines() if line["level"] == "WARNING"]
    eventually(lambda: any("--require-keys" in line["message"] for line in server.lines()))
    assert sum("--require-keys" in line["message"] for line in warnings) <= 1
