"""The server in operation: log, metrics, shutdown, workers, changes of the version, failures of the database."""

import asyncio
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from benchmarks.postgres import NoPostgresError, Postgres
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import save
from nextreel.serving.http.prometheus_metrics import Metrics
from nextreel.serving.http.request_log import RequestLog
from nextreel.serving.storage.model_versions import VersionDirectory
from tests.cli.commands import succeed
from tests.serving.servers import BODY, HEAD, LATE, Server, connect, eventually, read_all, serving


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/nextreel.db"


def test_a_request_has_one_line_of_json_in_the_log(server: Server) -> None:
    server.ok("GET", "/v1/model", headers={"X-Request-ID": "mine-1"})
    eventually(lambda: any(line.get("request_id") == "mine-1" for line in server.lines()))
    (line,) = [line for line in server.lines() if line.get("request_id") == "mine-1"]
    assert (line["method"], line["path"], line["status"]) == ("GET", "/v1/model", 200)
    assert set(line) == {"time", "level", "message", "request_id", "method", "path", "status", "ms", "client"}


def test_a_request_id_that_could_forge_a_log_line_is_replaced(server: Server) -> None:
    for proposed, is_kept in (("abc-1.2_3", True), ("a b", False), ("x" * 65, False), ('"}', False)):
        response = server.http.get("/healthz", headers={"X-Request-ID": proposed})
        assert (response.headers["x-request-id"] == proposed) is is_kept


def test_metrics_count_queries_fallbacks_ratings_and_times(model: Path, store_url: str) -> None:
    with serving(model, store_url) as fresh:
        fresh.recommend(1, LATE)
        fresh.ok("POST", "/v1/recommendations/batch", json={"queries": [{"user_id": 90_001}] * 3})
        fresh.rate(90_001, 2, 5, LATE)
        fresh.recommend(1, LATE, k=1_000)
        version = fresh.ok("GET", "/v1/model")["version"]
        eventually(lambda: "nextreel_model_info{" in fresh.http.get("/metrics").text)
        lines = fresh.http.get("/metrics").text.splitlines()
    for line in (
        f'nextreel_queries_total{{version="{version}"}} 5.0',
        'nextreel_fallbacks_total{kind="popularity"} 3.0',
        "nextreel_shortfalls_total 1.0",
        'nextreel_interactions_total{outcome="added"} 1.0',
        'nextreel_request_seconds_count{method="POST",route="/v1/recommendations",status="200"} 2.0',
        f'nextreel_model_info{{name="sequential-ridge",version="{version}"}} 1.0',
        "nextreel_store_lag 0.0",
    ):
        assert line in lines


def test_a_request_that_runs_is_finished_before_the_server_ends(model: Path, store_url: str) -> None:
    with serving(model, store_url) as ending, connect(ending) as connection:
        connection.sendall(HEAD + f"content-length: {len(BODY)}\r\n\r\n".encode() + BODY[:5])
        ending.http.get("/healthz")
        ending.process.send_signal(signal.SIGTERM)

        def refuses() -> bool:
            try:
                connect(ending).close()
            except OSError:
                return True
            return False

        eventually(refuses)
        connection.sendall(BODY[5:])
        assert read_all(connection).startswith(b"HTTP/1.1 200 ")
        ending.process.wait(timeout=60)
        assert "traceback" not in ending.log.read_text()


def test_several_workers_agree_on_what_was_stored(model: Path, store_url: str) -> None:
    with serving(model, store_url, "--workers", 2) as several:

        def length(user: int) -> int:
            with several.new_client() as fresh:
                query = {"user_id": user, "timestamp": LATE}
                response = fresh.post("/v1/recommendations", json=query)
                return int(response.json()["history_length"])

        for number in range(1, 4):
            several.rate(90_001, 1 + number, 4, number)
            with ThreadPoolExecutor(8) as pool:
                assert set(pool.map(length, [90_001] * 16)) == {number}
        several.ok("DELETE", "/v1/users/90001")
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(length, [90_001] * 16)) == {0}
        assert 'nextreel_interactions_total{outcome="added"} 3.0' in several.http.get("/metrics").text


@pytest.fixture
def versions(predictor: Predictor, model: Path, tmp_path: Path) -> VersionDirectory:
    """VersionDirectory a and b of one model, a current; b learned from less."""
    early = predictor.dataset.with_interactions(predictor.dataset.interactions().head(1_000))
    other = type(predictor.model)(predictor.model.config).fit(early)
    save(Predictor(other, predictor.dataset), tmp_path / "other")
    versions = VersionDirectory.create(tmp_path / "models")
    versions.add(model, "a")
    versions.add(tmp_path / "other", "b")
    return versions


def test_a_swap_drops_no_request(versions: VersionDirectory, store_url: str) -> None:
    with serving(versions.directory, store_url) as swapped, ThreadPoolExecutor(4) as pool:
        going = True

        def ask(_: int) -> list[tuple[str, int]]:
            seen = []
            with swapped.new_client() as client:
                while going:
                    response = client.post("/v1/recommendations", json={"user_id": 1, "timestamp": LATE})
                    assert response.status_code == 200
                    seen.append(
                        (response.json()["model"]["version"], response.json()["movies"][0]["movie_id"])
                    )
            return seen

        clients = [pool.submit(ask, client) for client in range(4)]
        for name in ("b", "a", "b"):
            assert swapped.ok("POST", f"/v1/admin/models/{name}/promote")["version"] == name
        assert swapped.ok("POST", "/v1/admin/rollback")["version"] == "a"
        going = False
        seen = {result for client in clients for result in client.result()}
    assert {version for version, _ in seen} == {"a", "b"}
    assert VersionDirectory.open(versions.directory).current.name == "a"


def test_a_damaged_version_is_refused_and_the_old_one_stays(
    versions: VersionDirectory, store_url: str
) -> None:
    with serving(versions.directory, store_url) as standing:
        before = standing.recommend(1, LATE)["movies"]
        file = versions.find("b").path / "model.safetensors"
        file.write_bytes(file.read_bytes()[:-1])
        assert "truncated or changed" in standing.problem(409, "POST", "/v1/admin/models/b/promote")["detail"]
        assert standing.ok("GET", "/v1/model")["version"] == "a"
        shutil.rmtree(versions.find("a").path)
        assert standing.recommend(1, LATE)["movies"] == before


def test_a_promotion_by_the_command_reaches_the_server(versions: VersionDirectory, store_url: str) -> None:
    with serving(versions.directory, store_url) as watching:
        succeed("models", "promote", versions.directory, "b")
        watching.process.send_signal(signal.SIGHUP)
        eventually(lambda: watching.ok("GET", "/v1/model")["version"] == "b")


def test_an_experiment_divides_the_users_for_good_and_labels_each_answer(
    versions: VersionDirectory, store_url: str
) -> None:
    users = range(1, 61)
    with serving(versions.directory, store_url, "--experiment", "b=0.5") as divided:
        batch = {"queries": [{"user_id": user} for user in users]}
        answers = divided.ok("POST", "/v1/recommendations/batch", json=batch)["answers"]
        labels = [answer["model"]["version"] for answer in answers]
        assert {labels.count("a") > 10, labels.count("b") > 10} == {True}
        assert [divided.recommend(user)["model"]["version"] for user in users] == labels
        eventually(lambda: len(divided.ok("GET", "/v1/users/1")["recommendations"]) == 2)
        given = divided.ok("GET", "/v1/users/1")["recommendations"][0]
        assert given["version"] == labels[0]
        assert given["movie_ids"] == [movie["movie_id"] for movie in answers[0]["movies"]]
        divided.ok("DELETE", "/v1/users/1")
        divided.problem(404, "GET", "/v1/users/1")


def test_while_the_database_is_gone_it_says_so_and_goes_on_once_it_is_back(model: Path) -> None:
    try:
        database = Postgres(durable=False)
    except NoPostgresError as error:
        pytest.skip(str(error))
    with database, serving(model, database.create_database("served")) as patient:
        patient.rate(90_001, 2, 4, 5)
        database.kill()
        for method, path, body in (
            ("GET", "/readyz", None),
            ("POST", "/v1/recommendations", {"user_id": 1}),
            ("POST", "/v1/interactions", {"user_id": 90_001, "movie_id": 3, "rating": 4, "timestamp": 6}),
        ):
            problem = patient.problem(503, method, path, json=body)
            assert problem["detail"] == "the store can't be reached; nothing was written, try again"
        assert patient.http.get("/healthz").is_success
        database.start()
        patient.rate(90_001, 3, 4, 6)
        assert patient.recommend(90_001, LATE)["history_length"] == 2


def test_what_breaks_in_our_code_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("a secret of the code")

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(RequestLog(broken, Metrics()))
        async with httpx.AsyncClient(transport=transport, base_url="http://a") as client:
            return await client.get("/")

    with ThreadPoolExecutor(1) as thread:  # of its own: a browser test may run an event loop in this one
        response = thread.submit(asyncio.run, ask()).result()
    assert (response.status_code, response.headers["content-type"]) == (500, "application/problem+json")
    assert "secret" not in response.text
    assert "a secret of the code" in caplog.text
