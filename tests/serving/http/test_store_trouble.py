"""The server when its store is locked, deleted, replaced or damaged, or its directory of models is gone."""

import random
import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from nextreel.serving.storage.administration.api_keys import Scope, create_key
from nextreel.serving.storage.model_versions import VersionDirectory
from nextreel.serving.storage.store import Store
from tests.serving.servers import LATE, Server, eventually, serving

GONE = "the database file of the store was deleted or replaced"
DAMAGED = "the database of the store is damaged"
RATING = {"user_id": 90_001, "movie_id": 2, "rating": 4, "timestamp": LATE}
REQUESTS = [
    ("POST", "/v1/interactions", RATING),
    ("POST", "/v1/interactions/batch", {"interactions": [RATING]}),
    ("POST", "/v1/movies", {"movie_id": 9_001, "title": "A (2000)"}),
    ("DELETE", "/v1/movies/3", None),
    ("DELETE", "/v1/users/90001", None),
]
READS = [
    "/v1/users/1/recommendations",
    "/v1/users/1/history",
    "/v1/users/1",
    "/v1/movies?query=the",
    "/v1/movies/1",
    "/v1/movies/1/similar",
    "/v1/model",
    "/v1/admin/models",
    "/readyz",
    "/metrics",
    "/",
    "/you?stars-2=5",
    "/time-travel?user=1",
    "/strip?user=1",
    "/why?user=1&movie=2&at=1700000000",
    "/model",
]


@contextmanager
def write_lock(file: Path) -> Iterator[None]:
    """Hold the write lock of a SQLite database, as another program might."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_keyed_reads_do_not_wait_behind_writes_on_a_locked_database(model: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/n.db"
    with Store.open(url) as store:
        key = create_key(store, "shop", Scope.WRITE)
    with serving(model, url, "--host", "0.0.0.0", headers={"x-api-key": key}) as locked:

        def write(second: int) -> int:
            row = {**RATING, "timestamp": second}
            return httpx.post(
                f"{locked.url}/v1/interactions", json=row, headers={"x-api-key": key}, timeout=60
            ).status_code

        with ThreadPoolExecutor(20) as pool, write_lock(tmp_path / "n.db"):
            writes = [pool.submit(write, second) for second in range(20)]
            eventually(lambda: locked.http.get("/metrics").is_success)
            for _ in range(20):
                assert locked.recommend(1, LATE)["movies"]
                assert locked.http.get("/readyz").is_success
            assert not any(write.done() for write in writes)
        assert {write.result() for write in writes} <= {201, 503}


def test_a_database_file_that_was_deleted_acknowledges_nothing_and_is_logged_once(
    model: Path, tmp_path: Path
) -> None:
    file = tmp_path / "n.db"
    with serving(model, f"sqlite:///{file}") as orphan:
        orphan.rate(90_001, 2, 4, 5)
        file.rename(tmp_path / "moved.db")
        for method, path, body in REQUESTS:
            assert orphan.problem(503, method, path, json=body)["detail"].startswith(GONE)
        assert orphan.problem(503, "GET", "/readyz")["detail"].startswith(GONE)
        assert orphan.http.get("/healthz").is_success
        assert not file.exists()
        eventually(lambda: len(upkeep_warnings(orphan)) > 0)
        (warning,) = upkeep_warnings(orphan)
        assert warning["error"].startswith(f"sqlite:///{file}: {GONE}")
        (tmp_path / "moved.db").rename(file)
        orphan.rate(90_001, 3, 4, 6)
        assert orphan.http.get("/readyz").is_success
        assert len(upkeep_warnings(orphan)) == 1


def upkeep_warnings(server: Server) -> list[dict[str, str]]:
    return [line for line in server.lines() if line["message"].startswith("upkeep failed")]


def test_a_database_file_that_was_replaced_acknowledges_nothing(model: Path, tmp_path: Path) -> None:
    file = tmp_path / "n.db"
    with serving(model, f"sqlite:///{file}") as orphan:
        Store.open(f"sqlite:///{tmp_path}/other.db").close()
        (tmp_path / "other.db").replace(file)
        assert orphan.problem(503, "POST", "/v1/interactions", json=RATING)["detail"].startswith(GONE)
        assert orphan.problem(503, "GET", "/readyz")["detail"].startswith(GONE)


def test_a_write_ahead_log_that_was_deleted_acknowledges_nothing(model: Path, tmp_path: Path) -> None:
    with serving(model, f"sqlite:///{tmp_path}/n.db") as orphan:
        orphan.rate(90_001, 2, 4, 5)
        (tmp_path / "n.db-wal").unlink()
        for method, path, body in REQUESTS:
            assert orphan.problem(503, method, path, json=body)["detail"].startswith(GONE)


@pytest.mark.parametrize("seed", range(3))
def test_damaged_pages_are_told_in_a_sentence_and_never_an_internal_error(
    model: Path, tmp_path: Path, seed: int
) -> None:
    file = tmp_path / "n.db"
    with serving(model, f"sqlite:///{file}") as damaged:
        for second in range(40):
            damaged.rate(90_001, 2, 4, second)
        with closing(sqlite3.connect(file)) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        draw = random.Random(seed)
        content = bytearray(file.read_bytes())
        for page in range(4_096 if seed else 100, len(content), 4_096):
            content[page : page + 512] = draw.randbytes(512)
        with file.open("r+b") as opened:  # the same file, as a broken disk would leave it
            opened.write(content)
        statuses = set()
        for method, path, body in [*REQUESTS, *(("GET", path, None) for path in READS)]:
            response = damaged.http.request(method, path, json=body)
            assert response.status_code != 500, (method, path, response.text)
            statuses.add(response.status_code)
            if response.status_code == 503 and path.startswith("/v1/"):
                assert response.json()["detail"].startswith(DAMAGED)
        assert 503 in statuses


def test_a_row_that_is_no_interaction_is_left_out_at_a_restart(model: Path, tmp_path: Path) -> None:
    file = tmp_path / "n.db"
    with serving(model, f"sqlite:///{file}") as first:
        before = first.recommend(1, LATE)["movies"]
    rows = [
        ("'one'", 2, 4.0, 5),
        (1, "x'00ff'", 4.0, 6),
        (1, 2, "'good'", 7),
        (1, 2, "9e999", 7),
        (1, 2, 4.0, 2**62),
        (1, 2, 4.0, -5),
        (1, 2, 4.0, 5.5),
    ]
    for user, movie, rating, timestamp in rows:
        with closing(sqlite3.connect(file)) as other, other:
            statement = "INSERT INTO interactions (user_id, movie_id, rating, timestamp) VALUES"
            other.execute(f"{statement} ({user}, {movie}, {rating}, {timestamp})")
    with serving(model, f"sqlite:///{file}") as second:
        assert second.recommend(1, LATE)["movies"] == before
        assert second.http.get("/time-travel?user=1").is_success
        (warning,) = [line for line in second.lines() if "left out" in line["message"]]
        assert warning["rows"] == len(rows)


@pytest.mark.parametrize("path", ["versions", "model"])
def test_a_directory_of_models_that_is_gone_is_told_in_a_sentence(
    model: Path, tmp_path: Path, path: str
) -> None:
    directory = tmp_path / path
    if path == "versions":
        VersionDirectory.create(directory).add(model, "a")
    else:
        shutil.copytree(model, directory)
    with serving(directory, f"sqlite:///{tmp_path}/n.db") as homeless:
        before = homeless.recommend(1, LATE)["movies"]
        shutil.rmtree(directory)
        for method, address in (
            ("GET", "/v1/admin/models"),
            ("POST", "/v1/admin/models/a/promote"),
            ("POST", "/v1/admin/rollback"),
        ):
            assert "it was deleted or moved" in homeless.problem(409, method, address)["detail"]
        response = homeless.http.get("/model", headers={"accept": "text/html"})
        assert (response.status_code, "That can" in response.text) == (409, True)
        assert homeless.recommend(1, LATE)["movies"] == before
        assert homeless.http.get("/readyz").is_success


TIMES = [
    "-1",
    "1e30",
    "NaN",
    "inf",
    "253402300800",
    "4102444800",
    "9223372036854775807",
    "9" * 40,
    "9999-01-01",
    "0",
]


@pytest.mark.parametrize("time", TIMES)
def test_extreme_times_are_refused_on_every_page_and_route(server: Server, time: str) -> None:
    for path in (
        f"/why?user=1&movie=2&at={time}",
        f"/time-travel?user=1&moment={time}",
        f"/you?year_min={time}",
        f"/you?year_max={time}&stars-2=5",
        f"/you?diversity={time}",
        f"/v1/users/1/recommendations?at={time}",
        f"/v1/users/1/history?before={time}",
        f"/v1/movies/1/similar?at={time}",
    ):
        response = server.http.get(path)
        assert response.status_code < 500, (path, response.text)
        if time != "0" and ("at=" in path or "before=" in path):
            assert response.status_code == 422, path
