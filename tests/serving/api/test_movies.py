"""Adding, deleting and restoring movies over HTTP, and genres in any spelling."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from nextreel.serving.storage.administration.api_keys import Scope, create_key
from nextreel.serving.storage.store import Store
from tests.serving.servers import LATE, Server, serving


@pytest.fixture
def api(server: Server) -> Server:
    return server


def ids(found: dict[str, list[dict[str, object]]]) -> list[object]:
    return [movie["movie_id"] for movie in found["movies"]]


FOREIGN = [
    "فيلم (١٩٩٥)",
    "映画 (１９９５)",
    "चलचित्र (१९९५)",
    "Heat (199٥)",
    "Heat (0000)",
    "(١٩٩٥)",
    "٠" * 500,
]


def test_titles_with_foreign_digits_harm_neither_lists_nor_searches_nor_a_restart(
    model: Path, tmp_path: Path
) -> None:
    store_url = f"sqlite:///{tmp_path}/nextreel.db"
    with serving(model, store_url) as server:
        for movie_id, title in enumerate(FOREIGN, 9_000):
            movie = {"movie_id": movie_id, "title": title, "genres": ["Drama"]}
            assert [server.http.post("/v1/movies", json=movie).status_code for _ in range(2)] == [201, 200]
            check_movie(server, movie_id, title)
    with serving(model, store_url) as restarted:
        for movie_id, title in enumerate(FOREIGN, 9_000):
            check_movie(restarted, movie_id, title)


def check_movie(server: Server, movie_id: int, title: str) -> None:
    assert server.ok("GET", f"/v1/movies/{movie_id}")["title"] == title
    assert len(server.recommend(1, LATE)["movies"]) == 10
    server.ok("GET", "/v1/movies", params={"query": title[:200]})
    assert server.http.get("/you", params={"q": title[:200]}).is_success


def test_a_row_of_the_store_that_is_no_movie_leaves_the_others_in_the_lists(
    model: Path, tmp_path: Path
) -> None:
    store_url = f"sqlite:///{tmp_path}/nextreel.db"
    with Store.open(store_url) as store:
        store.add_movie(9_000, "The Long Reel (2020)", ["Drama"])
        with store.writing() as connection:
            connection.execute(sa.text("INSERT INTO movies VALUES (9001, x'ff', 'Drama')"))
    with serving(model, store_url) as server:
        assert server.ok("GET", "/v1/movies/9000")["title"] == "The Long Reel (2020)"
        server.problem(404, "GET", "/v1/movies/9001")
        assert len(server.recommend(1, LATE)["movies"]) == 10
        assert "an added movie can't be read and is left out" in server.log.read_text()


@pytest.mark.parametrize(
    "body",
    [
        b'{"movie_id": 9300, "title": "\\ud800"}',
        b'{"movie_id": 9300, "title": "Reel", "genres": ["\\udfff"]}',
        b'{"movie_id": 9300, "title": "Reel\\u0000"}',
    ],
)
def test_a_text_that_cant_be_stored_is_refused_and_stores_nothing(api: Server, body: bytes) -> None:
    api.problem(422, "POST", "/v1/movies", content=body, headers={"content-type": "application/json"})
    api.problem(404, "GET", "/v1/movies/9300")
    assert len(api.recommend(1, LATE)["movies"]) == 10


def test_a_deleted_movie_is_gone_and_adding_it_again_brings_it_back(api: Server) -> None:
    movie = {"movie_id": 9_301, "title": "The Vanishing Reel", "year": 2020, "genres": ["Drama"]}
    api.ok("POST", "/v1/movies", json=movie)
    api.rate(90_101, 9_301, 5, LATE)
    deleted = api.http.delete("/v1/movies/9301")
    assert (deleted.status_code, deleted.content) == (204, b"")
    for path in ("/v1/movies/9301", "/v1/movies/9301/similar"):
        api.problem(404, "GET", path)
    assert 9_301 not in ids(api.ok("GET", "/v1/movies", params={"query": "vanishing reel"}))
    assert 9_301 not in ids(api.recommend(90_102, k=1_000, exclude_seen=False))
    assert api.ok("GET", "/v1/users/90101/history")["history"][0]["movie_id"] == 9_301
    api.problem(422, "POST", "/v1/interactions", json={"user_id": 1, "movie_id": 9_301, "rating": 5})
    restored = api.http.post("/v1/movies", json={**movie, "title": "The Reel Returns"})
    assert (restored.status_code, restored.json()["title"]) == (201, "The Reel Returns (2020)")
    assert 9_301 in ids(api.recommend(90_102, k=1_000))


def test_a_movie_of_the_model_can_be_deleted_and_comes_back_as_it_was(api: Server) -> None:
    movie = api.ok("GET", "/v1/movies/11")
    assert api.http.delete("/v1/movies/11").status_code == 204
    assert 11 not in ids(api.recommend(90_103, k=1_000))
    as_sent = {"movie_id": 11, "title": movie["title"], "genres": movie["genres"]}
    problem = api.problem(409, "POST", "/v1/movies", json={**as_sent, "title": "Another"})
    assert problem["detail"] == (
        "movie 11 of the model's catalog was deleted; it comes back with the title and the genres that it had"
    )
    restored = api.http.post("/v1/movies", json=as_sent)
    assert (restored.status_code, restored.json()) == (201, movie)


def test_deleting_again_changes_nothing_and_an_unknown_movie_is_not_found(api: Server) -> None:
    assert [api.http.delete("/v1/movies/12").status_code for _ in range(3)] == [204, 204, 204]
    problem = api.problem(404, "DELETE", "/v1/movies/987654")
    assert problem["detail"] == "movie 987654 isn't in the catalog"
    api.problem(422, "DELETE", "/v1/movies/x")


@pytest.fixture(scope="module")
def workers(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    store_url = f"sqlite:///{tmp_path_factory.mktemp('workers')}/nextreel.db"
    with serving(model, store_url, "--workers", 2) as started:
        yield started


def test_no_worker_has_a_movie_whose_deletion_was_answered(workers: Server) -> None:
    for movie_id in (3, 4, 5):
        with workers.new_client() as client:
            assert client.delete(f"/v1/movies/{movie_id}").status_code == 204
        for _ in range(12):
            with workers.new_client() as client:
                assert client.get(f"/v1/movies/{movie_id}").status_code == 404
            with workers.new_client() as client:
                query = {"user_id": 90_001, "k": 1_000}
                listed = client.post("/v1/recommendations", json=query).json()
            assert movie_id not in ids(listed)


def test_deleting_a_movie_needs_a_key_that_writes(model: Path, tmp_path: Path) -> None:
    store_url = f"sqlite:///{tmp_path}/nextreel.db"
    with Store.open(store_url) as store:
        keys = {scope: create_key(store, scope, scope) for scope in Scope}
    with serving(model, store_url, "--host", "0.0.0.0") as server:
        server.problem(401, "DELETE", "/v1/movies/5")
        server.problem(403, "DELETE", "/v1/movies/5", headers={"X-API-Key": keys[Scope.READ]})
        for scope in (Scope.WRITE, Scope.ADMIN):
            assert server.http.delete("/v1/movies/5", headers={"X-API-Key": keys[scope]}).status_code == 204


@pytest.mark.parametrize("genre", ["Drama", "drama", " DRAMA "])
def test_a_genre_is_excluded_in_every_spelling(api: Server, genre: str) -> None:
    movie = {"movie_id": 9_302, "title": "The Loud Reel (2020)", "genres": [" dRAMA ", "Drama", "War"]}
    assert api.ok("POST", "/v1/movies", json=movie)["genres"] == ["Drama", "War"]
    excluded = api.recommend(90_104, k=1_000, exclude_genres=[genre])
    assert excluded["movies"]
    assert not [movie for movie in excluded["movies"] if "drama" in map(str.casefold, movie["genres"])]
    included = api.recommend(90_104, k=1_000, include_genres=[genre])
    assert 9_302 in ids(included)
    assert ids(included) == ids(api.recommend(90_104, k=1_000, include_genres=["Drama"]))


def test_the_page_offers_one_spelling_of_a_genre_and_finds_it_in_a_link(api: Server) -> None:
    api.ok("POST", "/v1/movies", json={"movie_id": 9_303, "title": "The Low Reel", "genres": ["drama "]})
    text = api.http.get("/you?genre=dRAMA&genre=").text
    assert text.count('name="genre" value="Drama" checked') == 1
    assert 'value="drama' not in text


def test_a_title_is_stored_without_blanks_around_it(api: Server) -> None:
    movie = {"movie_id": 9_304, "title": "  The Blank Reel ", "year": 2020}
    assert api.ok("POST", "/v1/movies", json=movie)["title"] == "The Blank Reel (2020)"
