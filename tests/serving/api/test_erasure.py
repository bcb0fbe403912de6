"""After the answer to DELETE, nothing of the person is found: with one and with several workers, while others go on."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import save
from nextreel.serving.refit_data import write_data
from nextreel.serving.storage.model_versions import VersionDirectory
from nextreel.serving.storage.store import Store
from tests.serving.servers import LATE, Server, eventually, serving
from tests.serving.storage.people_bytes import files_with, rows_with

ANNE, BEN = 0x1F3B_79D5_2C68_4EA1, 0x2E4C_8A16_93D7_5BF3
RATING = {"user_id": ANNE, "movie_id": 2, "rating": 4.5, "timestamp": LATE}
KEY = {"Idempotency-Key": "once"}


@pytest.fixture(scope="module")
def versions(predictor: Predictor, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions a and b of a model, which serve half of the users each."""
    directory = tmp_path_factory.mktemp("versions")
    save(Predictor(predictor.model, predictor.dataset), directory / "other")
    kept = VersionDirectory.create(directory / "models")
    kept.add(model, "a")
    kept.add(directory / "other", "b")
    return kept.directory


def ask(server: Server, method: str, path: str, **more: object) -> httpx.Response:
    """Send a request by a connection of its own, which any worker may take."""
    with server.new_client() as client:
        return client.request(method, path, **more)  # type: ignore[arg-type]


@contextmanager
def busy(server: Server) -> Iterator[None]:
    """Let others rate and ask for lists meanwhile."""
    is_over = threading.Event()

    def go_on(user: int) -> None:
        second = 0
        while not is_over.is_set():
            second += 1
            rating = {"user_id": user, "movie_id": 2, "rating": 4, "timestamp": second}
            assert ask(server, "POST", "/v1/interactions", json=rating).status_code in (200, 201)
            assert ask(server, "GET", f"/v1/users/{user}/recommendations").is_success

    with ThreadPoolExecutor(3) as pool:
        others = [pool.submit(go_on, 90_000 + number) for number in range(3)]
        try:
            yield
        finally:
            is_over.set()
    for other in others:
        other.result()


@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_of_who_was_erased_is_found(
    versions: Path, predictor: Predictor, tmp_path: Path, workers: int
) -> None:
    store_url = f"sqlite:///{tmp_path}/nextreel.db"
    options = ("--experiment", "b=0.5", "--workers", workers)
    with serving(versions, store_url, *options) as server:
        with busy(server):
            assert ask(server, "POST", "/v1/interactions", json=RATING, headers=KEY).status_code == 201
            for path in (
                f"/v1/users/{ANNE}/recommendations",
                f"/v1/users/{ANNE}/history",
                f"/v1/users/{ANNE}",
            ):
                assert all(ask(server, "GET", path).is_success for _ in range(8))
            for path in (
                f"/v1/users/{ANNE}/none",
                f"/v1/users/{ANNE}x",
                f"/?user={ANNE}",
                f"/V1/users/{ANNE}",
            ):
                ask(server, "GET", path)
            ask(server, "PUT", f"/v1/users/{ANNE}")
            assert files_with(tmp_path, ANNE) != []
            answer = ask(server, "DELETE", f"/v1/users/{ANNE}").json()
            assert (answer["removed"], answer["kept_in_versions"]) == (1, [])
            again = ask(server, "POST", "/v1/interactions", json=RATING, headers=KEY)
            assert (again.status_code, "erased since" in again.json()["detail"]) == (409, True)
            assert {ask(server, "GET", f"/v1/users/{ANNE}").status_code for _ in range(8)} == {404}
            if not answer["complete"]:
                eventually(lambda: files_with(tmp_path, ANNE) == [])
            assert files_with(tmp_path, ANNE) == []
        assert str(ANNE) not in ask(server, "GET", "/metrics").text
    # The workers have stored what they still held.
    assert files_with(tmp_path, ANNE) == []
    assert str(ANNE) not in server.log.read_text()
    with Store.open(store_url) as store:
        assert rows_with(store, ANNE) == []
        assert len(store.impressions()) > 0
        write_data(store, predictor.dataset, tmp_path / "out")
    assert files_with(tmp_path, ANNE) == []


def test_who_comes_back_is_served_as_a_new_user(versions: Path, tmp_path: Path) -> None:
    store_url = f"sqlite:///{tmp_path}/nextreel.db"
    with serving(versions, store_url, "--experiment", "b=0.5", "--workers", 2) as server:
        for timestamp in (LATE, LATE + 1):
            row = {**RATING, "user_id": BEN, "timestamp": timestamp}
            assert ask(server, "POST", "/v1/interactions", json=row).status_code == 201
            assert ask(server, "GET", f"/v1/users/{BEN}/recommendations").json()["history_length"] == 1
            if timestamp == LATE:
                assert ask(server, "DELETE", f"/v1/users/{BEN}").json()["removed"] == 1
    with Store.open(store_url) as store:
        assert store.histories([BEN])["Timestamp"].to_list() == [LATE + 1]
        assert [impression.user_id for impression in store.impressions()] == [BEN]
