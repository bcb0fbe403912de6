"""Two servers over one PostgreSQL and one directory of versions, as behind a balancer: any of them answers."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.postgres import Postgres
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import save
from nextreel.serving.app import Settings
from nextreel.serving.server import prepare_store
from nextreel.serving.storage.administration.api_keys import Scope, create_key, revoke_key
from nextreel.serving.storage.model_versions import VersionDirectory
from nextreel.serving.storage.store import Store
from tests.cli.commands import succeed
from tests.deploy.files import labels_of, list_queries, metrics_of
from tests.serving.servers import LATE, Server, eventually, serving

RATE = 100


@pytest.fixture(scope="module")
def url(postgres: Postgres) -> Iterator[str]:
    name = uuid.uuid4().hex
    yield postgres.create_database(name)
    postgres.drop_database(name)


@pytest.fixture(scope="module")
def versions(predictor: Predictor, model: Path, tmp_path_factory: pytest.TempPathFactory) -> VersionDirectory:
    """Versions a and b; a is current, b learned from less."""
    home = tmp_path_factory.mktemp("replicas")
    early = predictor.dataset.with_interactions(predictor.dataset.interactions().head(1_000))
    save(Predictor(type(predictor.model)(predictor.model.config).fit(early), early), home / "other")
    versions = VersionDirectory.create(home / "versions")
    versions.add(model, "a")
    versions.add(home / "other", "b")
    return versions


@pytest.fixture(scope="module")
def replicas(versions: VersionDirectory, url: str) -> Iterator[tuple[Server, Server]]:
    with Store.open(url) as store:
        headers = {"X-API-Key": create_key(store, "shop", Scope.WRITE)}
    options = ("--require-keys", "--rate", RATE)
    with (
        serving(versions.directory, url, *options, headers=headers) as one,
        serving(versions.directory, url, *options, headers=headers) as other,
    ):
        yield one, other


def test_a_rating_that_one_has_acknowledged_counts_in_the_next_list_of_the_other(
    replicas: tuple[Server, Server],
) -> None:
    one, other = replicas
    for number, (writer, reader) in enumerate([(one, other), (other, one), (one, other)], 1):
        writer.rate(90_001, number + 1, 4, number)
        assert reader.recommend(90_001, LATE)["history_length"] == number


def test_a_request_repeated_to_the_other_replica_stores_nothing_again(
    replicas: tuple[Server, Server],
) -> None:
    one, other = replicas
    row = {"user_id": 90_002, "movie_id": 3, "rating": 4, "timestamp": 7}
    again = {"headers": {"Idempotency-Key": "7d1f"}, "json": row}
    first = one.ok("POST", "/v1/interactions", **again)
    assert other.ok("POST", "/v1/interactions", **again) == first
    changed = {"headers": {"Idempotency-Key": "7d1f"}, "json": {**row, "rating": 1}}
    other.problem(409, "POST", "/v1/interactions", **changed)


def test_who_was_erased_by_one_is_forgotten_by_the_other(replicas: tuple[Server, Server]) -> None:
    one, other = replicas
    row = {"user_id": 90_003, "movie_id": 3, "rating": 4, "timestamp": 7}
    keyed = {"headers": {"Idempotency-Key": "3-and-4"}, "json": row}
    other.ok("POST", "/v1/interactions", **keyed)
    assert other.recommend(90_003, LATE)["history_length"] == 1
    one.ok("DELETE", "/v1/users/90003")
    assert other.recommend(90_003, LATE)["history_length"] == 0
    other.problem(404, "GET", "/v1/users/90003")
    other.problem(409, "POST", "/v1/interactions", **keyed)


def test_a_movie_that_one_adds_or_deletes_is_so_for_the_other(replicas: tuple[Server, Server]) -> None:
    one, other = replicas
    one.ok("POST", "/v1/movies", json={"movie_id": 9_000, "title": "The Last Reel (2024)"})
    assert other.ok("GET", "/v1/movies/9000")["title"] == "The Last Reel (2024)"
    assert other.http.delete("/v1/movies/9000").status_code == 204
    one.problem(404, "GET", "/v1/movies/9000")


def test_a_promotion_reaches_both_and_their_answers_name_the_version(
    replicas: tuple[Server, Server], versions: VersionDirectory
) -> None:
    for name in ("b", "a"):
        succeed("models", "promote", versions.directory, name)
        for replica in replicas:
            eventually(lambda replica=replica, name=name: replica.ok("GET", "/v1/model")["version"] == name)  # type: ignore[misc]
            assert replica.recommend(1, LATE)["model"]["version"] == name


def test_a_key_that_was_revoked_opens_neither(replicas: tuple[Server, Server], url: str) -> None:
    with Store.open(url) as store:
        headers = {"X-API-Key": create_key(store, "guest", Scope.READ)}
        assert [replica.http.get("/v1/model", headers=headers).status_code for replica in replicas] == [
            200
        ] * 2
        revoke_key(store, "guest")
    assert [replica.http.get("/v1/model", headers=headers).status_code for replica in replicas] == [401] * 2


def test_what_a_key_asks_one_is_taken_from_what_it_may_ask_the_other(
    replicas: tuple[Server, Server], url: str
) -> None:
    one, other = replicas
    with Store.open(url) as store:
        headers = {"X-API-Key": create_key(store, "busy", Scope.READ)}
    costly = {"queries": [{"user_id": 1, "k": 1_000, "year_min": 2100}] * 400}  # much allowed for, and quick
    assert one.http.post("/v1/recommendations/batch", json=costly, headers=headers).is_success
    eventually(lambda: other.http.get("/v1/model", headers=headers).status_code == 429)


def test_every_query_of_the_dashboard_and_the_alerts_asks_for_what_a_replica_exports(
    replicas: tuple[Server, Server],
) -> None:
    one, _ = replicas
    one.rate(90_004, 2, 4, 5)
    one.recommend(90_005, LATE, k=1_000)
    eventually(lambda: "nextreel_model_info{" in one.http.get("/metrics").text)
    text = one.http.get("/metrics").text
    families = list(text_string_to_metric_families(text))
    # A counter of what hasn't happened yet, such as a server error, is described and has no series.
    described = {f"{family.name}_total" for family in families if family.type == "counter"}
    exported = {sample.name for family in families for sample in family.samples} | described | {"up"}
    labels = {label for family in families for sample in family.samples for label in sample.labels}
    for name, query in list_queries().items():
        assert metrics_of(query), name
        assert metrics_of(query) <= exported, name
        assert labels_of(query) <= labels | {"instance", "job"}, name


def test_of_two_servers_that_start_over_an_empty_store_at_once_one_imports(
    model: Path, store_url: str, predictor: Predictor
) -> None:
    settings = Settings(model, store_url, keys_required=False)
    with ThreadPoolExecutor(2) as pool:
        prepared = list(pool.map(lambda _: prepare_store(settings, None, lambda done, total: None), range(2)))
    assert sorted(each.imported for each in prepared) == [0, len(predictor.dataset.timeline)]
