"""Text ids in the store: other tables hold codes, and one table tells their texts."""

import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa

from nextreel.data.data_format import ANY_FORMAT
from nextreel.data.dataset import Dataset
from nextreel.data.ids import encode_id
from nextreel.errors import StoreError
from nextreel.serving.storage.sql_tables import facts, id_texts, interactions
from nextreel.serving.storage.store import Impression, NewInteraction, Store
from tests.serving.ratings import ignore_progress, rating

ROW = NewInteraction("anne", "heat", 5.0, 100)


def make_dataset() -> Dataset:
    rows = [("anne", "heat", 100), ("用户", "big", 200)]
    interactions = pl.DataFrame(rows, schema=["UserID", "MovieID", "Timestamp"], orient="row")
    users = pl.DataFrame({"UserID": ["anne", "用户", "silent"]})
    return Dataset.from_frames(interactions, users=users)


def test_an_import_notes_the_format_and_the_texts_of_who_has_rows(store: Store) -> None:
    store.import_dataset(make_dataset(), ignore_progress)
    assert store.data_format == make_dataset().format
    assert set(store.texts("user").values()) == {"anne", "用户"}
    assert store.texts("movie") == {encode_id("heat"): "heat", encode_id("big"): "big"}


def test_a_text_is_written_with_its_first_row_and_erased_with_the_user(store: Store) -> None:
    store.add([ROW, NewInteraction("anne", "big", 5.0, 101), NewInteraction("ben", "heat", 5.0, 100)])
    assert store.texts("user") == {encode_id("anne"): "anne", encode_id("ben"): "ben"}
    assert store.erase_user("anne") == 2
    assert store.texts("user") == {encode_id("ben"): "ben"}
    codes = np.array([encode_id("anne"), encode_id("ben")])
    assert store.erased_among(codes).tolist() == [encode_id("anne")]
    assert set(store.texts("movie").values()) == {"heat", "big"}


def test_a_code_stands_for_one_text(store: Store) -> None:
    with store.writing() as connection:
        forged = {"entity": "user", "code": encode_id("anne"), "text": "another"}
        connection.execute(sa.insert(id_texts), forged)
    with pytest.raises(StoreError, match="two user ids have the same 63-bit code: rename one"):
        store.add([ROW])  # names nobody: the message is logged
    with store.reading() as connection:
        assert connection.execute(sa.select(interactions.c.id)).all() == []


def test_an_export_has_texts_and_no_ratings_where_there_are_none(store: Store) -> None:
    store.import_dataset(make_dataset(), ignore_progress)
    store.keep_impressions([Impression(encode_id("anne"), 5, "a", [encode_id("big"), encode_id("heat")])])
    assert store.export_user("anne") == {
        "user_id": "anne",
        "interactions": [{"movie_id": "heat", "timestamp": 100}],
        "recommendations": [{"at": 5, "version": "a", "movie_ids": ["big", "heat"]}],
    }


def test_an_added_movie_has_its_text(store: Store) -> None:
    store.import_dataset(make_dataset(), ignore_progress)
    assert store.add_movie("neu/1", "New (2020)", ["Drama"])
    assert not store.add_movie("neu/1", "New (2020)", ["Drama"])
    assert store.movies().rows() == [("neu/1", "New (2020)", "Drama")]


def test_numbers_need_no_texts_and_stay_readable_for_earlier_versions(store: Store) -> None:
    frame = pl.DataFrame(
        [(1, 10, 4.0, 100)], schema=["UserID", "MovieID", "Rating", "Timestamp"], orient="row"
    )
    store.import_dataset(Dataset.from_frames(frame), ignore_progress)
    store.add([rating(second=200)])
    with store.reading() as connection:
        assert connection.execute(sa.select(id_texts)).all() == []
        assert (
            connection.execute(sa.select(facts.c.value).where(facts.c.name == "format")).scalar_one() == "1"
        )


def test_a_store_that_says_nothing_of_its_data_holds_numbers_and_stars(store: Store) -> None:
    store.add([rating()])
    assert store.data_format == ANY_FORMAT
    assert store.export_user(1)["interactions"] == [{"movie_id": 10, "rating": 4.0, "timestamp": 100}]


def test_the_texts_of_a_models_movies_are_noted_once(store: Store) -> None:
    store.import_dataset(make_dataset(), ignore_progress)
    store.learn_movies(pl.Series([1, 2]))
    store.learn_movies(pl.Series(["heat", "alien"]))
    store.learn_movies(pl.Series(["heat", "alien"]))
    assert set(store.texts("movie").values()) == {"heat", "big", "alien"}
