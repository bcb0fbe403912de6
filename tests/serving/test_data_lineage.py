"""A server never answers with the histories of another data set, and every model of its own data keeps serving."""

import shutil
from pathlib import Path

import httpx
import polars as pl
import pytest
import sqlalchemy as sa

from nextreel.data.dataset import Dataset
from nextreel.data.sources.synthetic_data import Sample, make_sample, write_sample
from nextreel.data.table_writer import write_table
from nextreel.errors import ArtifactError, DataError
from nextreel.models.popularity import Popularity
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import save
from nextreel.serving.app import Settings
from nextreel.serving.inference.ab_assignment import Experiment
from nextreel.serving.server import PreparedStore, prepare_store
from nextreel.serving.storage.administration.api_keys import Scope, create_key
from nextreel.serving.storage.sql_tables import facts
from nextreel.serving.storage.store import Store
from tests.cli.commands import fail, succeed
from tests.serving.servers import LATE, Server, eventually, serving

FILMS, OTHERS = (make_sample(users=40, movies=60, ratings=1_200, seed=seed) for seed in (5, 6))


def fit(sample: Sample, path: Path, rows: slice = slice(None)) -> Path:
    """Save a model that was fitted on some rows of a sample."""
    interactions = sample.interactions.sort("Timestamp")[rows]
    dataset = Dataset.from_frames(interactions, sample.movies, sample.users)
    save(Predictor(Popularity().fit(dataset), dataset), path)
    return path


@pytest.fixture
def films(tmp_path: Path) -> Path:
    return fit(FILMS, tmp_path / "films")


@pytest.fixture
def others(tmp_path: Path) -> Path:
    return fit(OTHERS, tmp_path / "others")


@pytest.fixture
def filled(films: Path, store_url: str) -> str:
    """The URL of a store that a model of the films filled."""
    assert start(films, store_url).imported == len(FILMS.interactions)
    return store_url


@pytest.fixture
def own_store(films: Path, sqlite_url: str) -> str:
    """The URL of such a store in SQLite, for the tests that start programs."""
    start(films, sqlite_url)
    return sqlite_url


def start(
    model: Path, store_url: str, data: Path | None = None, challenger: str | None = None
) -> PreparedStore:
    """Do what `nextreel serve` does before it listens."""
    experiment = None if challenger is None else Experiment(challenger, 0.5)
    settings = Settings(model, store_url, keys_required=False, experiment=experiment)
    return prepare_store(settings, data, lambda done, total: None)


def serves(model: Path, store_url: str, data: Path | None = None) -> bool:
    """Whether a server starts with the model, and nothing needs to be said of it."""
    return start(model, store_url, data).notes == ()


def refuses(model: Path, store_url: str, data: Path | None = None, challenger: str | None = None) -> str:
    """The message with which a server refuses to start."""
    with pytest.raises((ArtifactError, DataError)) as refusal:
        start(model, store_url, data, challenger)
    return str(refusal.value)


def forget(store_url: str) -> None:
    """Make a store as an earlier nextreel left it: without what is noted about identity and models."""
    with Store.open(store_url) as store, store.writing() as connection:
        connection.execute(sa.delete(facts).where(~facts.c.name.in_(("format", "dataset"))))


def test_a_store_of_other_data_is_refused_in_one_sentence_that_says_what_to_do(
    others: Path, filled: str
) -> None:
    message = fail("serve", others, "--store", filled)
    assert message == f"nextreel: {refuses(others, filled)}\n"
    assert len(message.splitlines()) == 1
    assert message.startswith(f"nextreel: {others} was fitted on other data than the store ")
    assert (
        "name another store, such as --store sqlite:///others.db, or serve a model that was fitted" in message
    )
    assert "--data" not in message


def test_the_refusal_never_shows_the_password_of_the_database(others: Path, filled: str) -> None:
    password = sa.make_url(filled).password
    assert password is None or password not in refuses(others, filled)


def test_after_a_refusal_the_store_serves_its_own_model(films: Path, others: Path, filled: str) -> None:
    refuses(others, filled)
    assert serves(films, filled)
    refuses(others, filled)


def test_a_second_model_of_the_same_data_serves_too(filled: str, tmp_path: Path) -> None:
    assert serves(fit(FILMS, tmp_path / "second"), filled)


def test_a_model_of_the_train_part_serves_over_the_whole_data(filled: str, tmp_path: Path) -> None:
    assert serves(fit(FILMS, tmp_path / "train", slice(0, 900)), filled)


def test_a_model_of_the_grown_file_serves_and_the_start_says_what_the_store_lacks(
    store_url: str, tmp_path: Path
) -> None:
    assert serves(fit(FILMS, tmp_path / "earlier", slice(0, 500)), store_url)
    grown = fit(FILMS, tmp_path / "grown")
    (note,) = start(grown, store_url).notes
    assert f"of the ratings that {grown} was fitted on aren't in" in note
    assert serves(grown, store_url)  # known now: it is said once


def test_a_model_refitted_from_the_stores_own_data_serves(
    films: Path, own_store: str, tmp_path: Path
) -> None:
    with serving(films, own_store) as server:
        for user in FILMS.users["UserID"]:  # nothing is left of what was imported
            server.ok("DELETE", f"/v1/users/{user}")
        for movie in range(1, 9):
            server.rate(90_001, movie, 4, LATE + movie)
        succeed("models", "data", films, "data", "--store", own_store, cwd=tmp_path)
    succeed("fit", "data", "--model", "popularity", "--out", "refitted", cwd=tmp_path)
    with serving(tmp_path / "refitted", own_store) as server:
        assert server.ok("GET", "/v1/users/90001/history")["length"] == 8
        server.ok("DELETE", "/v1/users/90001")
    assert serves(tmp_path / "refitted", own_store)
    refuses(fit(OTHERS, tmp_path / "others"), own_store)


def test_the_exported_data_names_the_store_and_the_model_does_too(
    films: Path, own_store: str, tmp_path: Path
) -> None:
    succeed("models", "data", films, "data", "--store", own_store, cwd=tmp_path)
    succeed("fit", "data", "--model", "popularity", "--out", "refitted", cwd=tmp_path)
    with Store.open(own_store) as store:
        identity = store.identity
    for file in ("data/store.json", "refitted/manifest.json"):
        assert f'"store": "{identity}"' in (tmp_path / file).read_text()


def test_a_damaged_store_json_is_an_error_in_one_line(films: Path, own_store: str, tmp_path: Path) -> None:
    succeed("models", "data", films, "data", "--store", own_store, cwd=tmp_path)
    (tmp_path / "data" / "store.json").write_text("{")
    message = fail("fit", "data", "--model", "popularity", "--out", "refitted", cwd=tmp_path)
    assert message.startswith("nextreel: data/store.json: can't be read (")
    assert len(message.splitlines()) == 1


def test_each_store_has_an_identity_of_its_own_and_keeps_it(store_url: str, tmp_path: Path) -> None:
    with Store.open(store_url) as store, Store.open(f"sqlite:///{tmp_path}/second.db") as second:
        identity = store.identity
        assert len(identity) == 32
        assert identity != second.identity
    with Store.open(store_url) as store:
        assert store.identity == identity


def test_data_given_at_the_first_start_may_be_other_data_than_the_models(
    films: Path, others: Path, store_url: str, tmp_path: Path
) -> None:
    write_sample(OTHERS, tmp_path / "data")
    assert serves(films, store_url, tmp_path / "data")
    assert serves(films, store_url, tmp_path / "data")
    assert serves(films, store_url)
    assert serves(others, store_url)
    shutil.rmtree(tmp_path / "data")
    assert len(start(films, store_url, tmp_path / "data").notes) == 1


def test_data_that_a_filled_store_was_not_filled_from_is_refused(
    films: Path, filled: str, tmp_path: Path
) -> None:
    write_sample(OTHERS, tmp_path / "data")
    message = refuses(films, filled, tmp_path / "data")
    assert f"--data {tmp_path}/data holds other data than " in message
    assert "name another store, such as --store sqlite:///data.db, or leave out --data" in message


def test_data_that_has_grown_since_is_not_imported_again_and_the_start_says_so(
    films: Path, store_url: str, tmp_path: Path
) -> None:
    for rows in (slice(0, 900), slice(None)):
        write_table(FILMS.interactions.sort("Timestamp")[rows], tmp_path / "data" / "ratings_train.csv")
        notes = start(films, store_url, tmp_path / "data").notes
    assert [f"--data {tmp_path}/data was not imported again" in note for note in notes] == [True]


def test_a_store_of_an_earlier_nextreel_keeps_serving_its_model(
    films: Path, others: Path, filled: str
) -> None:
    forget(filled)
    assert serves(films, filled)
    forget(filled)
    message = refuses(others, filled)
    assert "or the --data that this store was filled from" in message


def test_a_store_that_an_earlier_nextreel_filled_from_other_data_serves_once_that_is_named(
    films: Path, store_url: str, tmp_path: Path
) -> None:
    write_sample(OTHERS, tmp_path / "data")
    assert serves(films, store_url, tmp_path / "data")
    forget(store_url)
    refuses(films, store_url)
    assert serves(films, store_url, tmp_path / "data")
    assert serves(films, store_url)


def test_keys_that_were_created_first_dont_make_a_store_foreign(films: Path, store_url: str) -> None:
    with Store.open(store_url) as store:
        create_key(store, "shop", Scope.READ)
    assert serves(films, store_url)


def test_several_workers_agree(films: Path, others: Path, filled: str) -> None:
    with serving(films, filled, "--workers", 2) as server:
        assert all(server.ok("GET", "/v1/users/1/history")["length"] for _ in range(8))
    refuses(others, filled)


def test_an_experiment_with_a_model_of_other_data_is_refused(
    films: Path, others: Path, own_store: str, tmp_path: Path
) -> None:
    for model, name in ((films, "a"), (others, "b")):
        succeed("models", "add", "versions", model, "--name", name, cwd=tmp_path)
    message = refuses(tmp_path / "versions", own_store, challenger="b")
    assert "versions/versions/b was fitted on other data" in message


def served_name(server: Server) -> str:
    name: str = server.ok("GET", "/v1/model")["version"]
    return name


def test_a_running_server_does_not_promote_a_model_of_other_data(
    films: Path, others: Path, own_store: str, tmp_path: Path
) -> None:
    versions = tmp_path / "versions"
    for model, name in ((films, "a"), (others, "b"), (fit(FILMS, tmp_path / "second"), "c")):
        succeed("models", "add", versions, model, "--name", name)
    with serving(versions, own_store) as server:
        problem = server.problem(409, "POST", "/v1/admin/models/b/promote")
        assert "was fitted on other data" in problem["detail"]
        assert served_name(server) == "a"
        (versions / "current").write_text("b\na\n")  # as an earlier nextreel promoted it
        eventually(lambda: "was fitted on other data" in server.log.read_text())
        assert served_name(server) == "a"
        succeed("models", "promote", versions, "c")
        eventually(lambda: served_name(server) == "c")


def test_the_command_does_not_promote_a_model_of_other_data(
    films: Path, others: Path, tmp_path: Path
) -> None:
    versions = tmp_path / "versions"
    train = fit(FILMS, tmp_path / "train", slice(0, 900))
    for model, name in ((films, "a"), (others, "b"), (train, "c")):
        succeed("models", "add", versions, model, "--name", name)
    message = fail("models", "promote", versions, "b")
    assert message == (
        "nextreel: b was fitted on other data than a, which stays current: keep the versions of each data set in a "
        f"directory of its own (`nextreel models add DIR {versions}/versions/b`)\n"
    )
    assert succeed("models", "promote", versions, "c").startswith("c (popularity")
    assert succeed("models", "rollback", versions).startswith("a (popularity")


def test_data_of_a_store_is_not_written_with_the_movies_of_another_model(
    others: Path, own_store: str, tmp_path: Path
) -> None:
    assert "was fitted on other data" in fail(
        "models", "data", others, "out", "--store", own_store, cwd=tmp_path
    )
    assert not (tmp_path / "out").exists()


def test_the_order_of_the_readme_meets_the_default_store_of_the_sample(films: Path, tmp_path: Path) -> None:
    """Fit the sample, serve it, then serve one's own data, both without naming a store."""
    write_sample(OTHERS, tmp_path / "own")
    succeed("fit", "own", "--model", "popularity", "--out", "own-model", cwd=tmp_path)
    with serving(films, f"sqlite:///{tmp_path}/nextreel.db"):
        pass
    message = fail("serve", "own-model", cwd=tmp_path)
    assert "such as --store sqlite:///own-model.db" in message
    with serving(tmp_path / "own-model", f"sqlite:///{tmp_path}/own-model.db") as server:
        user = int(OTHERS.interactions["UserID"][0])
        theirs = OTHERS.interactions.filter(pl.col("UserID") == user)["MovieID"].to_list()
        assert {row["movie_id"] for row in server.ok("GET", f"/v1/users/{user}/history")["history"]} == set(
            theirs
        )
        assert httpx.get(f"{server.url}/").is_success
