"""All data about a user: the export and the erasure."""

from pathlib import Path

import numpy as np
import sqlalchemy as sa

from nextreel.data.dataset import Dataset
from nextreel.data.schema import USER_ID
from nextreel.serving.storage.sql_tables import replies
from nextreel.serving.storage.store import Impression, Store
from tests.frames import interactions
from tests.serving.ratings import ALIEN, ANNE, BEN, ignore_progress, rating


def test_an_export_holds_all_that_is_known_of_a_person_and_nobody_else(store: Store) -> None:
    store.add([rating(ANNE, ALIEN, 4.5, 100), rating(BEN)])
    store.keep_impressions([Impression(ANNE, 50, "v1", [3, 1]), Impression(BEN, 51, "v1", [2])])
    assert store.export_user(ANNE) == {
        "user_id": ANNE,
        "interactions": [{"movie_id": ALIEN, "rating": 4.5, "timestamp": 100}],
        "recommendations": [{"at": 50, "version": "v1", "movie_ids": [3, 1]}],
    }


def test_erasing_removes_a_persons_rows_and_leaves_the_others(store: Store) -> None:
    store.add([rating(ANNE, second=1), rating(ANNE, second=2), rating(BEN)])
    assert store.erase_user(ANNE) == 2
    assert store.everything()[1][USER_ID].to_list() == [BEN]


def test_erasing_removes_the_answers_given_to_a_person(store: Store) -> None:
    store.keep_impressions([Impression(ANNE, 1, "v1", [1]), Impression(BEN, 2, "v1", [2])])
    store.erase_user(ANNE)
    assert [impression.user_id for impression in store.impressions()] == [BEN]


def test_erasing_removes_the_replies_to_requests_that_held_a_person(store: Store) -> None:
    store.add([rating(ANNE), rating(BEN)], "both")
    store.add([rating(BEN, second=200)], "ben")
    store.erase_user(ANNE)
    with store.reading() as connection:
        assert connection.execute(sa.select(replies.c.idempotency_key)).scalars().all() == ["ben"]


def test_an_erasure_is_remembered_even_of_somebody_without_ratings(store: Store) -> None:
    assert store.erase_user(BEN) == 0
    store.erase_user(ANNE)
    store.erase_user(ANNE)
    assert store.erased_among(np.array([ANNE, BEN, 3])).tolist() == [ANNE, BEN]


def test_every_erasure_changes_the_number_that_copies_are_compared_by(store: Store) -> None:
    seen = [store.last_erasure]
    for user in (ANNE, ANNE, BEN):
        store.erase_user(user)
        seen.append(store.last_erasure)
    assert seen == sorted(set(seen))


def test_a_store_whose_people_were_all_erased_is_not_filled_from_the_files_again(store: Store) -> None:
    store.import_dataset(Dataset.from_frames(interactions((ANNE, ALIEN, 4.0, 1))), ignore_progress)
    store.erase_user(ANNE)
    assert not store.is_empty


def test_erased_bytes_are_overwritten_in_the_file(sqlite_url: str, tmp_path: Path) -> None:
    with Store.open(sqlite_url) as store:
        store.add_movie(1, "kept", [])
        store.keep_impressions([Impression(ANNE, 1, "a-version-that-only-anne-saw", [1])])
        store.erase_user(ANNE)
    stored_bytes = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"kept" in stored_bytes
    assert b"only-anne-saw" not in stored_bytes
