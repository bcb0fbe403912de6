"""A process that maps the rows of a model's files has the same snapshot as one that reads them from the store."""

from dataclasses import replace

import numpy as np
import pytest

from nextreel.data.dataset import Dataset
from nextreel.data.reading.table_reader import read_dataset
from nextreel.prediction.manifest import FittedOn, ModelManifest
from nextreel.prediction.predictor import Predictor
from nextreel.serving.inference.catalog import Catalog
from nextreel.serving.inference.known_rows import KnownRows
from nextreel.serving.inference.store_follower import StoreFollower
from nextreel.serving.refit_data import write_data
from nextreel.serving.storage.store import Store
from tests.serving.inference.lists import draw_ratings


def manifest_of(dataset: Dataset) -> ModelManifest:
    return ModelManifest(model="ease", config={}, created_at="2026-01-01", data=FittedOn.of(dataset))


def known_rows(store: Store, dataset: Dataset) -> KnownRows | None:
    return KnownRows.find(store, dataset, manifest_of(dataset))


def change_store(store: Store, dataset: Dataset) -> None:
    """Add ratings, erase two users, and let one of them rate again."""
    ratings = draw_ratings(dataset, 200)
    store.add(ratings)
    for user in dataset.user_ids[:2].tolist():
        store.erase_user(user)
    store.add([replace(ratings[0], user_id=int(dataset.user_ids[0]))])


def assert_same_snapshot(store: Store, dataset: Dataset, known: KnownRows | None) -> None:
    assert known is not None
    catalog = Catalog.of(dataset)
    mapped = StoreFollower(store, catalog, dataset.scale, known).catch_up().merged()
    read = StoreFollower(store, catalog, dataset.scale).catch_up().merged()
    assert mapped.position == read.position
    np.testing.assert_array_equal(mapped.released_at, read.released_at)
    for name in ("user_ids", "offsets", "movies", "ratings", "timestamps", "superseded_by"):
        np.testing.assert_array_equal(
            getattr(mapped.base.timeline, name), getattr(read.base.timeline, name), err_msg=name
        )


def test_the_rows_of_an_import_are_known(filled: Store, predictor: Predictor) -> None:
    assert_same_snapshot(filled, predictor.dataset, known_rows(filled, predictor.dataset))


def test_what_was_added_and_erased_since_is_read(filled: Store, predictor: Predictor) -> None:
    change_store(filled, predictor.dataset)
    assert_same_snapshot(filled, predictor.dataset, known_rows(filled, predictor.dataset))


def test_the_rows_of_the_data_for_a_refit_are_known(
    filled: Store, predictor: Predictor, tmp_path_factory: pytest.TempPathFactory
) -> None:
    change_store(filled, predictor.dataset)
    out = tmp_path_factory.mktemp("refit") / "out"
    write_data(filled, predictor.dataset, out)
    refit = read_dataset(out)
    known = known_rows(filled, refit)
    assert known is not None
    assert known.last_erasure == filled.last_erasure
    change_store(filled, refit)
    assert_same_snapshot(filled, refit, known)


def test_of_data_that_end_before_a_timestamp_the_later_rows_are_read(
    filled: Store, predictor: Predictor, tmp_path_factory: pytest.TempPathFactory
) -> None:
    change_store(filled, predictor.dataset)
    out = tmp_path_factory.mktemp("refit") / "out"
    written = write_data(filled, predictor.dataset, out)
    data = read_dataset(out)
    rows = data.interactions()
    before = int(rows["Timestamp"][len(rows) // 2])
    early = data.with_rows(rows.filter(rows["Timestamp"] < before))
    filled.note_rows(early.fingerprint, written.last_id, written.last_erasure, before)
    known = known_rows(filled, early)
    assert known is not None
    assert known.before == before
    assert_same_snapshot(filled, early, known)
    change_store(filled, data)
    assert_same_snapshot(filled, early, known)


def test_the_rows_of_a_data_set_that_was_changed_since_are_not_known(
    filled: Store, predictor: Predictor
) -> None:
    rows = predictor.dataset.interactions()
    assert known_rows(filled, predictor.dataset.with_interactions(rows.head(-1))) is None


def test_users_without_ratings_are_no_users_of_the_snapshot(
    filled: Store, predictor: Predictor, store_url: str
) -> None:
    known = known_rows(filled, predictor.dataset)
    assert known is not None
    assert (np.diff(known.timeline.offsets) > 0).all()
