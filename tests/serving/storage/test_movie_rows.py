"""The movies of a store: added, deleted, restored, and rows that no program of ours wrote."""

import logging

import pytest
import sqlalchemy as sa

from nextreel.serving.storage.store import Store


def test_a_movie_is_deleted_once_and_restored_once(store: Store) -> None:
    assert store.deleted_movies() == []
    assert store.delete_movie(5)
    assert not store.delete_movie(5)
    assert store.delete_movie(3)
    assert store.deleted_movies() == [3, 5]
    assert store.restore_movie(5)
    assert not store.restore_movie(5)
    assert store.deleted_movies() == [3]


def test_an_added_movie_that_was_deleted_is_replaced(store: Store) -> None:
    assert store.add_movie(9_000, "The Long Reel", ["Drama"])
    assert not store.add_movie(9_000, "The Short Reel", ["War"])
    store.delete_movie(9_000)
    assert store.add_movie(9_000, "The Short Reel", ["War"])
    assert store.movies().rows() == [(9_000, "The Short Reel", "War")]
    assert store.deleted_movies() == []


def test_a_deleted_movie_keeps_its_row_for_its_ratings(store: Store) -> None:
    store.add_movie(9_000, "The Long Reel", ["Drama"])
    store.delete_movie(9_000)
    assert store.movies()["MovieID"].to_list() == [9_000]


def test_a_reopened_store_knows_what_was_deleted(store: Store, store_url: str) -> None:
    store.delete_movie(5)
    with Store.open(store_url) as reopened:
        assert reopened.deleted_movies() == [5]


def test_a_text_in_another_encoding_is_read_as_far_as_it_can_be(sqlite_url: str) -> None:
    with Store.open(sqlite_url) as store:
        with store.writing() as connection:
            connection.execute(sa.text("INSERT INTO movies VALUES (7, CAST(x'e96c' AS TEXT), 'Drama')"))
        assert store.movies().rows() == [(7, "\ufffdl", "Drama")]


@pytest.mark.parametrize("values", ["(-1, 'Heat', 'Drama')", "(7, x'ff', 'Drama')", "(7, 'Heat', x'00')"])
def test_a_row_that_cant_be_a_movie_is_left_out_with_a_warning(
    sqlite_url: str, caplog: pytest.LogCaptureFixture, values: str
) -> None:
    with Store.open(sqlite_url) as store:
        store.add_movie(9_000, "The Long Reel", ["Drama"])
        with store.writing() as connection:
            connection.execute(sa.text(f"INSERT INTO movies VALUES {values}"))
        with caplog.at_level(logging.WARNING, "nextreel"):
            assert store.movies()["MovieID"].to_list() == [9_000]
    assert "an added movie can't be read and is left out" in caplog.text
