"""Tests of `nextreel serve` as a user at a terminal sees it."""

import socket
from pathlib import Path

import pytest

from nextreel.data.sources.synthetic_data import make_sample, write_sample
from nextreel.serving.storage.store import NewInteraction, Store
from tests.cli.commands import fail
from tests.serving.servers import LATE, serving


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/nextreel.db"


def test_the_first_start_imports_and_later_starts_use_what_was_stored(model: Path, store_url: str) -> None:
    with serving(model, store_url) as first:
        length = first.recommend(1, LATE)["history_length"]
        first.rate(1, 2, 5, LATE - 1)
    with serving(model, store_url) as second:
        assert second.recommend(1, LATE)["history_length"] == length + 1


def test_a_larger_data_set_adds_its_users_and_its_movies(
    model: Path,
    store_url: str,
    tmp_path: Path,
) -> None:
    larger = make_sample(users=80, movies=200, ratings=4_000, seed=4)
    write_sample(larger, tmp_path / "data")
    with serving(model, store_url, "--data", tmp_path / "data") as started:
        user = int(larger.interactions["UserID"].max())  # type: ignore[arg-type]
        interactions = larger.interactions.filter(larger.interactions["UserID"] == user)
        assert len(started.ok("GET", f"/v1/users/{user}")["interactions"]) == len(interactions)
        for movie in larger.movies["MovieID"].tail(3):
            assert started.ok("GET", f"/v1/movies/{movie}")["movie_id"] == movie


def test_a_store_that_has_ratings_is_served_as_it_is(model: Path, store_url: str) -> None:
    with Store.open(store_url) as store:
        store.add([NewInteraction(7, 2, 4.0, 5)])
    with serving(model, store_url) as started:
        assert started.recommend(7, LATE)["history_length"] == 1
        assert started.recommend(1, LATE)["history_length"] == 0


def test_a_missing_model_is_an_error_in_one_line(tmp_path: Path, store_url: str) -> None:
    assert "holds no saved model" in fail("serve", tmp_path / "nothing", "--store", store_url)


def test_an_unsupported_store_is_an_error_in_one_line(model: Path) -> None:
    assert "not a supported database" in fail("serve", model, "--store", "mysql://a/b")


def test_an_experiment_with_a_missing_version_is_an_error_in_one_line(model: Path, store_url: str) -> None:
    assert "has no version 'b'" in fail("serve", model, "--store", store_url, "--experiment", "b=0.1")


def test_a_port_in_use_is_an_error_in_one_line(model: Path, store_url: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert f"can't listen on 127.0.0.1, port {port}" in fail(
            "serve", model, "--store", store_url, "--port", port
        )
