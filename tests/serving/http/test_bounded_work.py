"""The server under costly requests: they are refused or stopped, and keep neither quick ones nor health checks waiting."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from nextreel.data.dataset import Dataset
from nextreel.data.sources.synthetic_data import make_sample
from nextreel.models.popularity import Popularity
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import save
from nextreel.serving.storage.administration.api_keys import Scope, create_key
from nextreel.serving.storage.store import Store
from tests.serving.servers import HEAD, LATE, Server, connect, eventually, serving

COSTLY = {"user_id": 1, "timestamp": LATE, "k": 1_000, "diversity": 0.3}
SLOW = {
    "queries": [{"user_id": user, "timestamp": LATE, "k": 1_000, "calibration": 0.3} for user in range(1, 46)]
}
"""What takes some seconds with a large catalog, and is just allowed."""


def test_queries_that_cost_too_much_together_are_refused_with_the_field_and_the_bound(server: Server) -> None:
    body = {"queries": [COSTLY] * 1_000}
    problem = server.problem(422, "POST", "/v1/recommendations/batch", json=body)
    assert [error["field"] for error in problem["errors"]] == ["queries"]
    assert problem["detail"].startswith("queries: these 1,000 cost 71,000, and one request may cost 10,000")


def test_a_thousand_usual_queries_are_answered(server: Server) -> None:
    queries = [{"user_id": user, "timestamp": LATE, "k": 100} for user in range(1_000)]
    assert len(server.ok("POST", "/v1/recommendations/batch", json={"queries": queries})["answers"]) == 1_000


@pytest.fixture(scope="module")
def large_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with a catalog of 3,000 movies."""
    sample = make_sample(users=60, movies=3_000, ratings=9_000, seed=3)
    dataset = Dataset.from_frames(sample.interactions, sample.movies, sample.users)
    path = tmp_path_factory.mktemp("large") / "model"
    save(Predictor(Popularity().fit(dataset), dataset), path)
    return path


@pytest.fixture(scope="module")
def impatient(large_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    limits = {"answer_seconds": 1.0, "at_once": 8}
    url = f"sqlite:///{tmp_path_factory.mktemp('s')}/s.db"
    with serving(large_model, url, limits=limits) as started:
        yield started


def post_batch(server: Server, body: object) -> httpx.Response:
    return httpx.post(f"{server.url}/v1/recommendations/batch", json=body, timeout=60)


def test_work_that_has_run_out_of_time_is_stopped_and_leaves_room_for_other_batches(
    impatient: Server,
) -> None:
    with ThreadPoolExecutor(6) as pool:
        responses = list(pool.map(post_batch, [impatient] * 6, [SLOW] * 6))
    assert {response.status_code for response in responses} == {503}
    assert responses[0].json()["detail"] == "no response within 1 seconds"
    small = {"queries": [{"user_id": user, "timestamp": LATE} for user in range(1, 61)]}
    assert post_batch(impatient, small).is_success


def test_quick_queries_and_health_checks_do_not_queue_behind_batches(impatient: Server) -> None:
    with ThreadPoolExecutor(4) as pool:
        batches = [pool.submit(post_batch, impatient, SLOW) for _ in range(4)]
        while not all(batch.done() for batch in batches):
            assert impatient.recommend(1, LATE)["movies"]
            assert impatient.http.get("/readyz").is_success
    assert {batch.result().status_code for batch in batches} == {503}


def test_health_checks_are_answered_when_too_many_requests_run(impatient: Server) -> None:
    with ExitStack() as waiting:
        for _ in range(8):
            connection = waiting.enter_context(connect(impatient))
            connection.sendall(HEAD + b"content-length: 100\r\n\r\n{")
        eventually(lambda: impatient.http.get("/v1/model").status_code == 503)
        assert impatient.http.get("/healthz").is_success
        assert impatient.http.get("/readyz").is_success


def test_a_key_pays_for_what_its_requests_cost(model: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/n.db"
    with Store.open(url) as store:
        key = create_key(store, "shop", Scope.READ)
    batch = {"queries": [{"user_id": 1, "k": 100}] * 1_000}
    with serving(model, url, "--host", "0.0.0.0", "--rate", 1, headers={"x-api-key": key}) as asked:
        asked.ok("POST", "/v1/recommendations/batch", json=batch)
        response = asked.http.post("/v1/recommendations", json={"user_id": 1})
    assert response.status_code == 429
    assert (
        response.json()["detail"] == "the key shop may make 1 requests per second; costly ones count for more"
    )
    assert int(response.headers["retry-after"]) > 100
