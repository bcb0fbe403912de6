"""The data for a refit: the ratings in the store, written as files."""

from pathlib import Path

import polars as pl
import pytest

from nextreel.data.reading.table_reader import read_dataset, read_interactions
from nextreel.errors import DataError, StoreError
from nextreel.prediction.predictor import Predictor
from nextreel.serving.refit_data import write_data
from nextreel.serving.storage.store import NewInteraction, Store
from tests.cli.commands import fail, succeed
from tests.serving.servers import LATE, serving

FILES = ("ratings_train.csv", "movies.csv", "users.csv", "store.json")


@pytest.fixture
def filled(store: Store, predictor: Predictor) -> Store:
    store.import_dataset(predictor.dataset, lambda done, total: None)
    return store


def users_of(file: Path) -> set[int]:
    return set(pl.read_csv(file)["UserID"])


def test_a_store_to_which_nothing_happened_gives_the_data_that_was_imported(
    filled: Store, predictor: Predictor, tmp_path: Path
) -> None:
    write_data(filled, predictor.dataset, tmp_path / "out")
    written = read_dataset(tmp_path / "out")
    assert written.fingerprint == predictor.dataset.fingerprint
    assert written.interactions().equals(predictor.dataset.interactions())
    assert written.movies.equals(predictor.dataset.movies)
    assert written.users.equals(predictor.dataset.users)


def test_of_movielens_1m_the_files_hold_what_was_imported(movielens_1m: Path, tmp_path: Path) -> None:
    dataset = read_dataset(movielens_1m)
    with Store.open(f"sqlite:///{tmp_path}/nextreel.db") as store:
        store.import_dataset(dataset, lambda done, total: None)
        write_data(store, dataset, tmp_path / "out")
    written = read_dataset(tmp_path / "out")
    assert written.fingerprint == dataset.fingerprint
    assert written.movies.equals(dataset.movies)
    assert written.users.equals(dataset.users)


def test_a_new_rating_is_the_last_row(filled: Store, predictor: Predictor, tmp_path: Path) -> None:
    filled.add([NewInteraction(90_001, 2, 4.5, 5)])
    write_data(filled, predictor.dataset, tmp_path / "out")
    rows = read_interactions(tmp_path / "out" / "ratings_train.csv")
    assert rows.row(-1) == (90_001, 2, 4.5, 5)
    assert len(rows) == len(predictor.dataset.timeline) + 1


def test_who_was_erased_is_in_no_file(filled: Store, predictor: Predictor, tmp_path: Path) -> None:
    filled.erase_user(1)
    write_data(filled, predictor.dataset, tmp_path / "out")
    for name in ("ratings_train.csv", "users.csv"):
        assert users_of(tmp_path / "out" / name) == set(predictor.dataset.user_ids.tolist()) - {1}


def test_of_who_came_back_after_an_erasure_only_the_new_ratings_are_there(
    filled: Store, predictor: Predictor, tmp_path: Path
) -> None:
    filled.erase_user(1)
    filled.add([NewInteraction(1, 2, 4.0, 5)])
    write_data(filled, predictor.dataset, tmp_path / "out")
    rows = read_interactions(tmp_path / "out" / "ratings_train.csv")
    assert rows.filter(pl.col("UserID") == 1).rows() == [(1, 2, 4.0, 5)]
    assert 1 not in users_of(tmp_path / "out" / "users.csv")


class StoreWithErasure(Store):
    """A store in which a user is erased after their rows were read, but before the reading has ended."""

    waiting = True

    def everything(self) -> tuple[int, pl.DataFrame]:
        read = super().everything()
        if self.waiting:
            self.waiting = False
            self.erase_user(1)
        return read


def test_who_is_erased_while_the_store_is_read_is_in_no_file(
    filled: Store, store_url: str, predictor: Predictor, tmp_path: Path
) -> None:
    with StoreWithErasure.open(store_url) as changing:
        write_data(changing, predictor.dataset, tmp_path / "out")
    for name in ("ratings_train.csv", "users.csv"):
        assert 1 not in users_of(tmp_path / "out" / name)


@pytest.mark.parametrize(
    ("title", "genres", "shown"),
    [
        ("The Long Reel (2020)", ["Drama", "War"], ("The Long Reel (2020)", ["Drama", "War"], 2020)),
        ("Reel, The", [], ("The Reel", [], None)),
        ('She said "No, no", twice (2020)', ["A,b"], ('She said "No, no", twice (2020)', ["A,b"], 2020)),
    ],
)
def test_an_added_movie_is_in_the_catalog_of_the_next_model(
    filled: Store,
    predictor: Predictor,
    tmp_path: Path,
    title: str,
    genres: list[str],
    shown: tuple[object, ...],
) -> None:
    filled.add_movie(9_000, title, genres)
    write_data(filled, predictor.dataset, tmp_path / "out")
    movies = read_dataset(tmp_path / "out").movies
    assert movies.row(-1) == (9_000, *shown)
    assert len(movies) == predictor.dataset.n_movies + 1


def test_a_deleted_movie_is_in_the_next_catalog_only_if_it_was_rated(
    filled: Store, predictor: Predictor, tmp_path: Path
) -> None:
    for movie in (9_000, 9_001):
        filled.add_movie(movie, "The Long Reel (2020)", ["Drama"])
    filled.add([NewInteraction(90_001, 9_001, 4.0, 5)])
    for movie in (2, 9_000, 9_001):
        filled.delete_movie(movie)
    write_data(filled, predictor.dataset, tmp_path / "out")
    written = read_dataset(tmp_path / "out").movies["MovieID"].to_list()
    rated = set(predictor.dataset.interactions()["MovieID"])
    assert (2 in written, 9_000 in written, 9_001 in written) == (2 in rated, False, True)


def test_without_anything_known_of_the_people_there_is_no_file_of_them(
    filled: Store, predictor: Predictor, tmp_path: Path
) -> None:
    for user in predictor.dataset.user_ids.tolist():
        filled.erase_user(user)
    filled.add([NewInteraction(90_001, 2, 4.0, 5)])
    write_data(filled, predictor.dataset, tmp_path / "out")
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "ratings_train.csv",
        "movies.csv",
        "store.json",
    }


def test_a_directory_that_holds_something_is_left_as_it_is(
    filled: Store, predictor: Predictor, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.json").write_text("{}")
    with pytest.raises(DataError, match="out exists and isn't empty: choose another name"):
        write_data(filled, predictor.dataset, tmp_path / "out")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["manifest.json"]


def test_a_store_without_ratings_has_nothing_to_fit(
    store: Store, predictor: Predictor, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match="the store holds no ratings"):
        write_data(store, predictor.dataset, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_happened_on_a_server_is_in_the_data_of_the_command(model: Path, tmp_path: Path) -> None:
    store_url = f"sqlite:///{tmp_path}/nextreel.db"
    with serving(model, store_url) as server:
        movie = {"movie_id": 9_000, "title": "The Long Reel", "year": 2020, "genres": ["Drama"]}
        server.ok("POST", "/v1/movies", json=movie)
        server.rate(90_001, 9_000, 5, LATE)
        server.ok("DELETE", "/v1/users/1")
        printed = succeed("models", "data", model, "out", "--store", store_url, cwd=tmp_path)
    assert printed.endswith("151 movies to out. Next: nextreel fit out --out MODEL\n")
    written = read_dataset(tmp_path / "out")
    assert written.interactions().filter(pl.col("UserID") == 90_001).rows() == [(90_001, 9_000, 5.0, LATE)]
    assert written.movies["Title"].to_list()[-1] == "The Long Reel (2020)"
    assert 1 not in written.user_ids
    assert {file.name for file in (tmp_path / "out").iterdir()} == set(FILES)


def test_a_missing_model_is_an_error_of_one_line(tmp_path: Path) -> None:
    message = fail("models", "data", "nothing", "out", "--store", f"sqlite:///{tmp_path}/s.db", cwd=tmp_path)
    assert "nothing holds no saved model" in message
    assert not (tmp_path / "s.db").exists()
