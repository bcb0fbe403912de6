"""A server of data with text ids and without ratings: every path, body and answer has the ids as people write them."""

import html
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa

from nextreel.data.dataset import Dataset
from nextreel.data.ids import encode_id
from nextreel.data.reading.table_reader import read_dataset
from nextreel.models.item_knn import ItemKNN
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import save
from nextreel.serving.storage.sql_tables import erasures, facts, id_texts
from nextreel.serving.storage.store import Store
from tests.cli.commands import fail, succeed
from tests.serving.servers import LATE, Server, eventually, serving

USERS = ["a/b", "50%", "x,y", "é ü", "用户", "17", "x/recommendations", "a%2Fb", "a+b", "x?y#z", "history"]
MOVIES = ["m/1", "100%", "c,d", "Ü ber", "电影", "42", "n/similar", *(f"tt{i}" for i in range(20))]


def make_watched() -> Dataset:
    random = np.random.default_rng(0)
    rows = [
        (user, movie, 1_600_000_000 + 1000 * int(random.integers(1_000)))
        for user in (*USERS, *(f"u{i}" for i in range(20)))
        for movie in random.choice(MOVIES, 12, replace=False).tolist()
    ]
    movies = pl.DataFrame(
        {
            "MovieID": MOVIES,
            "Title": [f"Film of {movie} ({1990 + i})" for i, movie in enumerate(MOVIES)],
            "Genres": ["Drama", "Comedy|Drama", "Action"] * 9,
        }
    )
    interactions = pl.DataFrame(rows, schema=["UserID", "MovieID", "Timestamp"], orient="row")
    return Dataset.from_frames(interactions, movies)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return a saved model of text ids without ratings, and the URL of a store for it."""
    directory = tmp_path_factory.mktemp("watched")
    dataset = make_watched()
    save(Predictor(ItemKNN().fit(dataset), dataset), directory / "model")
    return directory / "model", f"sqlite:///{directory}/nextreel.db"


@pytest.fixture(scope="module")
def api(watched: tuple[Path, str]) -> Iterator[Server]:
    with serving(*watched, "--workers", 2) as started:
        yield started


def path(user: str, rest: str = "") -> str:
    return f"/v1/users/{quote(user, safe='')}{rest}"


@pytest.mark.parametrize("user", USERS)
def test_a_user_is_found_under_their_id_everywhere(api: Server, user: str) -> None:
    listed = api.ok("GET", path(user, "/recommendations?k=3&explain=true"))
    assert listed["user_id"] == user
    assert listed["history_length"] == 12
    posted = api.ok("POST", "/v1/recommendations", json={"user_id": user, "k": 3, "explain": True})
    assert posted["movies"] == listed["movies"]
    for movie in listed["movies"]:
        assert movie["movie_id"] in MOVIES
        assert all(
            set(reason) == {*movie, "timestamp", "contribution"} - {"score", "reasons"}
            for reason in movie["reasons"]
        )
    history = api.ok("GET", path(user, "/history"))
    assert (history["user_id"], history["length"]) == (user, 12)
    assert all(set(row) == {"movie_id", "title", "genres", "year", "timestamp"} for row in history["history"])
    export = api.ok("GET", path(user))
    assert export["user_id"] == user
    assert {row["movie_id"] for row in export["interactions"]} == {
        row["movie_id"] for row in history["history"]
    }
    assert all(set(row) == {"movie_id", "timestamp"} for row in export["interactions"])


@pytest.mark.parametrize("movie", MOVIES[:7])
def test_a_movie_is_found_under_its_id(api: Server, movie: str) -> None:
    address = f"/v1/movies/{quote(movie, safe='')}"
    assert api.ok("GET", address)["movie_id"] == movie
    assert movie not in {other["movie_id"] for other in api.ok("GET", f"{address}/similar")["movies"]}
    found = api.ok("GET", "/v1/movies", params={"query": f"Film of {movie}"})["movies"]
    assert movie in {other["movie_id"] for other in found}


def test_what_a_user_watches_is_stored_under_their_id(api: Server) -> None:
    for i, user in enumerate(USERS):
        row = {"user_id": f"new {user}", "movie_id": MOVIES[i % 7], "timestamp": LATE + i}
        stored = api.ok("POST", "/v1/interactions", json=row)
        assert stored == {**row, "outcome": "added", "counts_from": LATE + i + 1}
        assert api.ok("POST", "/v1/interactions", json=row)["outcome"] == "known"
        rows = api.ok("GET", path(f"new {user}"))["interactions"]
        assert rows == [{"movie_id": row["movie_id"], "timestamp": row["timestamp"]}]
        again = api.ok("POST", "/v1/recommendations", json={"user_id": f"new {user}", "exclude": ["m/1"]})
        assert again["history_length"] == 1
        assert not {"m/1", row["movie_id"]} & {movie["movie_id"] for movie in again["movies"]}


def test_two_workers_store_the_same_new_user_at_once(api: Server, watched: tuple[Path, str]) -> None:
    def watch(i: int) -> int:
        row = {"user_id": "neu/für alle", "movie_id": MOVIES[i], "timestamp": LATE}
        with api.new_client() as client:
            return client.post("/v1/interactions", json=row).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(watch, range(16))) == {201}
    assert api.ok("GET", path("neu/für alle", "/history"))["length"] == 16
    with Store.open(watched[1]) as store:
        assert [*store.texts("user").values()].count("neu/für alle") == 1


def test_an_erasure_leaves_nothing_of_the_text(api: Server, watched: tuple[Path, str]) -> None:
    secret = "anne.meier@example.org/ü"
    api.ok("POST", "/v1/interactions", json={"user_id": secret, "movie_id": "42", "timestamp": LATE})
    erased = {"user_id": secret, "removed": 1, "complete": True, "kept_in_versions": []}
    assert api.ok("DELETE", path(secret)) == erased
    api.problem(404, "GET", path(secret))
    with Store.open(watched[1]) as store, store.reading() as connection:
        texts = connection.execute(sa.select(id_texts.c.text)).scalars().all()
        assert secret not in texts
        hidden_ids = connection.execute(sa.select(erasures.c.hidden_id)).scalars().all()
        assert encode_id(secret) not in hidden_ids
        assert store.erased_among(np.array([encode_id(secret)])).tolist() == [encode_id(secret)]
    eventually(lambda: api.ok("GET", path(secret, "/recommendations"))["history_length"] == 0)
    assert (
        api.ok("POST", "/v1/interactions", json={"user_id": secret, "movie_id": "42", "timestamp": LATE})[
            "outcome"
        ]
        == "added"
    )
    assert api.ok("DELETE", path(secret))["removed"] == 1


def test_a_movie_is_added_deleted_and_comes_back(api: Server) -> None:
    new = {"movie_id": "neu/1 %", "title": "A Slash in the Dark", "year": 2020, "genres": ["Drama"]}
    response = api.http.post("/v1/movies", json=new)
    assert response.status_code == 201
    assert api.ok("GET", response.headers["location"])["movie_id"] == "neu/1 %"
    api.ok("POST", "/v1/interactions", json={"user_id": "finder", "movie_id": "neu/1 %", "timestamp": LATE})
    assert api.ok("GET", path("finder", "/history"))["history"][0]["movie_id"] == "neu/1 %"
    assert api.http.delete(response.headers["location"]).status_code == 204
    eventually(lambda: api.http.get(response.headers["location"]).status_code == 404)
    assert api.http.post("/v1/movies", json=new).status_code == 201


@pytest.mark.parametrize(
    ("address", "body", "detail"),
    [
        (
            "recommendations",
            {"user_id": 17},
            'user_id: expected a text, "17": the ids of users are texts here',
        ),
        ("recommendations", {"user_id": ""}, "user_id: expected an id of 1 to"),
        (
            "recommendations",
            {"user_id": "17", "exclude": ["42", 42]},
            'exclude[1]: expected a text, "42": the ids of',
        ),
        (
            "recommendations",
            {"user_id": "17", "history": [{"movie_id": 1}]},
            "history[0].movie_id: expected a text",
        ),
        ("interactions", {"user_id": "17", "movie_id": 42}, 'movie_id: expected a text, "42"'),
        (
            "interactions",
            {"user_id": "17", "movie_id": "42", "rating": 4},
            "rating: these data have no ratings: leave it out",
        ),
        ("interactions", {"user_id": "17", "movie_id": "none"}, "movie none isn't in the catalog"),
        ("movies", {"movie_id": 7, "title": "Seven"}, 'movie_id: expected a text, "7"'),
    ],
)
def test_another_kind_of_id_is_refused(
    api: Server, address: str, body: dict[str, object], detail: str
) -> None:
    assert api.problem(422, "POST", f"/v1/{address}", json=body)["detail"].startswith(detail)


def test_a_guest_names_movies_without_ratings(api: Server) -> None:
    query = {"user_id": "nobody", "history": [{"movie_id": "m/1"}, {"movie_id": "42", "timestamp": 5}]}
    answer = api.ok("POST", "/v1/recommendations", json=query)
    assert answer["history_length"] == 2
    assert answer["fallback"] is None


def test_the_page_links_to_ids_of_any_text(api: Server) -> None:
    for user in USERS:
        page = api.http.get("/", params={"user": user})
        assert page.status_code == 200
        assert f"?user={quote(user, safe='/')}&amp;moment=" in page.text
        assert api.http.get("/strip", params={"user": user}).status_code == 200
    rated = {f"stars-{movie}": "5" for movie in MOVIES[:7]}
    page = api.http.get("/you", params={**rated, "new-tt3": "5", "forget": "c,d"})
    assert page.status_code == 200
    assert "Film of m/1" in page.text
    assert 'value="tt3"' in page.text
    assert 'value="c,d"' not in page.text
    why = re.search(r'href="(/why[^"]*)"', page.text)
    assert why is not None
    assert api.http.get(html.unescape(why[1])).status_code == 200


def test_what_the_store_wrote_is_fitted_and_served_on_the_same_store(
    api: Server, watched: tuple[Path, str], tmp_path: Path
) -> None:
    model, store = watched
    erased = api.ok("DELETE", path("u3"))
    assert erased["removed"] == 12
    succeed("models", "data", model, tmp_path / "out", "--store", store)
    written = read_dataset(tmp_path / "out")
    assert written.format == make_watched().format
    assert set(MOVIES) <= set(written.movies["MovieID"])
    assert {"a/b", "50%", "x,y", "é ü", "用户", "17"} <= set(written.users["UserID"])
    assert "u3" not in set(written.users["UserID"])
    assert "Rating" not in (tmp_path / "out" / "ratings_train.csv").read_text().partition("\n")[0]
    succeed("fit", tmp_path / "out", "--model", "popularity", "--out", tmp_path / "again")
    with serving(tmp_path / "again", store) as started:
        assert started.ok("GET", path("a/b", "/recommendations"))["history_length"] == 12


def test_the_store_refuses_a_model_of_numbers(watched: tuple[Path, str], model: Path, api: Server) -> None:
    said = fail("serve", model, "--store", watched[1])
    assert "has numeric UserIDs, but the store" in said
    assert "has UserIDs that are texts" in said
    with Store.open(watched[1]) as store, store.reading() as connection:
        assert (
            connection.execute(sa.select(facts.c.value).where(facts.c.name == "format")).scalar_one() == "2"
        )
