"""A server under a sub-path, behind a proxy that strips the sub-path and behind one that doesn't."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from nextreel.serving.storage.administration.api_keys import Scope, create_key
from nextreel.serving.storage.store import Store
from tests.cli.commands import fail
from tests.serving.servers import LATE, Server, serving


@pytest.fixture(scope="module")
def films(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server under /films, which needs no keys."""
    store_url = f"sqlite:///{tmp_path_factory.mktemp('store')}/nextreel.db"
    with serving(model, store_url, "--root-path", "/films") as started:
        yield started


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[Scope, str]]:
    """The URL of a store with a key of each scope, and the keys."""
    store_url = f"sqlite:///{tmp_path_factory.mktemp('locked')}/nextreel.db"
    with Store.open(store_url) as store:
        return store_url, {scope: create_key(store, scope, scope) for scope in Scope}


@pytest.fixture(scope="module")
def locked(model: Path, keys: tuple[str, dict[Scope, str]]) -> Iterator[Server]:
    """A server under /films, which needs keys."""
    with serving(model, keys[0], "--root-path", "/films", "--host", "0.0.0.0") as started:
        yield started


@pytest.mark.parametrize("prefix", ["", "/films"], ids=["stripped by the proxy", "passed on"])
@pytest.mark.parametrize("path", ["/", "/you", "/model", "/strip?user=1", "/v1/model", "/healthz"])
def test_every_address_is_there_whether_the_proxy_strips_the_prefix_or_not(
    films: Server, prefix: str, path: str
) -> None:
    assert films.http.get(f"{prefix}{path}").is_success


def test_the_sub_path_without_a_slash_at_its_end_is_the_page(films: Server) -> None:
    assert "<html" in films.http.get("/films?user=1").text


def test_what_only_begins_like_the_sub_path_is_something_else(films: Server) -> None:
    films.problem(404, "GET", "/filmsmodel")


@pytest.mark.parametrize("page", ["/", "/you?stars-5=4.5&q=the", "/model", "/strip?user=1", "/?user=x"])
def test_every_address_on_a_page_is_under_the_sub_path_and_answers(films: Server, page: str) -> None:
    text = films.http.get(page).text
    addresses = {unescape(found) for found in re.findall(r'(?:href|src|action|hx-get)="(/[^"]*)"', text)}
    assert len(addresses) >= 7
    for address in addresses:
        assert address.startswith("/films/"), address
        assert films.http.get(address).is_success, address


def test_why_has_its_address_under_the_sub_path(films: Server) -> None:
    movie = films.recommend(1, LATE)["movies"][0]["movie_id"]
    assert films.http.get(f"/films/why?user=1&at={LATE}&movie={movie}").is_success


def test_the_description_names_the_sub_path(films: Server) -> None:
    assert films.ok("GET", "/films/openapi.json")["servers"] == [{"url": "/films"}]


def test_the_location_of_an_added_movie_is_under_the_sub_path(films: Server) -> None:
    movie = {"movie_id": 9_000, "title": "The Long Reel (2020)"}
    response = films.http.post("/films/v1/movies", json=movie)
    assert response.headers["location"] == "/films/v1/movies/9000"
    assert films.http.get(response.headers["location"]).is_success


def test_head_works_under_the_sub_path(films: Server) -> None:
    assert films.http.head("/films/v1/model").status_code == 200


@pytest.mark.parametrize("prefix", ["", "/films"])
@pytest.mark.parametrize(
    ("method", "path", "needed"),
    [
        ("GET", "/v1/model", Scope.READ),
        ("GET", "/v1/users/1", Scope.WRITE),
        ("GET", "/v1/admin/models", Scope.ADMIN),
        ("POST", "/v1/admin/rollback", Scope.ADMIN),
    ],
)
def test_a_key_needs_the_same_scope_under_the_sub_path(
    locked: Server, keys: tuple[str, dict[Scope, str]], prefix: str, method: str, path: str, needed: Scope
) -> None:
    locked.problem(401, method, f"{prefix}{path}")
    for scope, key in keys[1].items():
        response = locked.http.request(method, f"{prefix}{path}", headers={"X-API-Key": key})
        assert (response.status_code == 403) == (not scope.allows(needed)), (scope, response.text)


@pytest.mark.parametrize(
    "path", ["/films/films/v1/admin/models", "/films//v1/admin/models", "/FILMS/v1/admin/models"]
)
def test_no_spelling_of_an_address_gets_around_the_scope(
    locked: Server, keys: tuple[str, dict[Scope, str]], path: str
) -> None:
    response = locked.http.get(path, headers={"X-API-Key": keys[1][Scope.READ]})
    assert response.status_code in (403, 404)


def test_a_password_from_a_browser_counts_for_the_page_only(
    locked: Server, keys: tuple[str, dict[Scope, str]]
) -> None:
    browser = ("", keys[1][Scope.READ])
    assert locked.http.get("/films/model", auth=browser).is_success
    assert locked.http.get("/films/v1/model", auth=browser).status_code == 401


@pytest.mark.parametrize(
    "root_path", ["films", "/fi lms", "//films", "/films?x", "https://example.org/films", "/a/../b"]
)
def test_a_sub_path_that_cant_be_one_is_an_error_in_one_line(
    model: Path, tmp_path: Path, root_path: str
) -> None:
    message = fail("serve", model, "--store", f"sqlite:///{tmp_path}/s.db", "--root-path", root_path)
    assert f"--root-path {root_path!r}: expected a path such as /films" in message
    assert not (tmp_path / "s.db").exists()


@pytest.mark.parametrize("root_path", ["/", "/films/", "/a/b-c.d_e~f"])
def test_a_slash_at_the_end_of_a_sub_path_makes_no_difference(
    model: Path, tmp_path: Path, root_path: str
) -> None:
    with serving(model, f"sqlite:///{tmp_path}/s.db", "--root-path", root_path) as server:
        assert server.http.get(f"{root_path.rstrip('/')}/v1/model").is_success
        assert f'href="{root_path.rstrip("/")}/time-travel"' in server.http.get("/").text
