"""Adding ratings and movies to the store, each event once, and reading them back in order of arrival."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import sqlalchemy as sa

from nextreel.data.schema import MOVIE_ID, RATING
from nextreel.errors import IdempotencyError
from nextreel.serving.storage.idempotency import RETENTION_SECONDS
from nextreel.serving.storage.sql_tables import replies
from nextreel.serving.storage.store import Impression, Outcome, Store
from tests.frames import interactions
from tests.serving.ratings import ALIEN, ANNE, BEN, rating

ADDED, KNOWN, CONFLICT = Outcome.ADDED, Outcome.KNOWN, Outcome.CONFLICT


def test_a_rating_is_there_when_add_returns(store: Store) -> None:
    assert store.add([rating(ANNE, ALIEN, 4.5, 100)]) == [ADDED]
    assert store.histories([ANNE]).rows() == [(ANNE, ALIEN, 4.5, 100)]


def test_the_same_rating_again_is_known_and_stands_once(store: Store) -> None:
    store.add([rating()])
    assert store.add([rating()]) == [KNOWN]
    assert len(store.histories([ANNE])) == 1


def test_a_rating_that_no_binary_fraction_equals_is_known_again(store: Store) -> None:
    store.add([rating(stars=3.3)])
    assert store.add([rating(stars=3.3)]) == [KNOWN]
    assert store.histories([ANNE])[RATING].to_list() == [np.float32(3.3)]


def test_another_rating_in_the_same_second_is_a_conflict_and_the_first_stays(store: Store) -> None:
    store.add([rating(stars=4.0)])
    assert store.add([rating(stars=1.0)]) == [CONFLICT]
    assert store.histories([ANNE])[RATING].to_list() == [4.0]


def test_a_rating_of_the_same_movie_at_another_second_is_a_new_event(store: Store) -> None:
    store.add([rating(stars=4.0, second=100)])
    assert store.add([rating(stars=1.0, second=101)]) == [ADDED]
    assert store.histories([ANNE])[RATING].to_list() == [4.0, 1.0]


def test_twins_within_one_batch_are_told_apart_too(store: Store) -> None:
    assert store.add([rating(), rating(), rating(stars=2.0)]) == [ADDED, KNOWN, CONFLICT]


def test_a_conflict_keeps_nothing_else_of_its_batch_out(store: Store) -> None:
    store.add([rating(stars=4.0)])
    assert store.add([rating(stars=1.0), rating(BEN)]) == [CONFLICT, ADDED]
    assert store.histories([BEN]).height == 1


def test_a_batch_of_thousands_of_users_is_known_again(store: Store) -> None:
    batch = [rating(user) for user in range(5_000)]
    assert set(store.add(batch)) == {ADDED}
    assert set(store.add(batch)) == {KNOWN}
    assert store.histories(range(5_000)).height == 5_000


def test_an_empty_batch_changes_nothing(store: Store) -> None:
    assert store.add([]) == []
    assert store.is_empty


def test_the_largest_id_is_kept(store: Store) -> None:
    largest = 2**63 - 1
    store.add([rating(largest, largest)])
    assert store.histories([largest])[MOVIE_ID].to_list() == [largest]


def test_an_idempotency_key_brings_the_first_answer_again(store: Store) -> None:
    assert store.add([rating()], "key") == [ADDED]
    assert store.add([rating()], "key") == [ADDED]
    assert store.histories([ANNE]).height == 1


def test_an_idempotency_key_with_other_ratings_is_refused_and_nothing_is_written(store: Store) -> None:
    store.add([rating(ANNE)], "key")
    with pytest.raises(IdempotencyError, match="was used before with other interactions"):
        store.add([rating(BEN)], "key")
    assert store.histories([BEN]).is_empty()


def test_an_idempotency_key_brings_the_first_answer_to_an_empty_batch_too(store: Store) -> None:
    assert store.add([], "key") == []
    assert store.add([], "key") == []


def test_an_idempotency_key_is_forgotten_after_its_time(store: Store) -> None:
    store.add([rating()], "key")
    with store.writing() as connection:
        earlier = replies.c.created - RETENTION_SECONDS - 60
        connection.execute(sa.update(replies).values(created=earlier))
    assert store.add([rating()], "key") == [KNOWN]


def test_requests_with_one_key_at_the_same_moment_get_one_answer(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: store.add([rating()], "key"), range(16)))
    assert outcomes == [[ADDED]] * 16


def test_a_rating_sent_many_times_at_the_same_moment_is_added_once(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        outcomes = [outcome for [outcome] in pool.map(lambda _: store.add([rating()]), range(16))]
    assert sorted(outcomes) == [ADDED, *[KNOWN] * 15]


def test_histories_are_in_order_of_user_and_time_and_then_of_arrival(store: Store) -> None:
    store.add([rating(BEN, 3, second=7), rating(ANNE, 9, second=8), rating(ANNE, 5, second=8)])
    store.add([rating(ANNE, 7, second=2)])
    assert store.histories([BEN, ANNE])[MOVIE_ID].to_list() == [7, 9, 5, 3]


def test_a_user_asked_for_twice_comes_once_and_a_stranger_not_at_all(store: Store) -> None:
    store.add([rating(ANNE)])
    assert store.histories([ANNE, ANNE, 99]).height == 1


def test_histories_of_nobody_are_an_empty_frame_with_the_columns(store: Store) -> None:
    assert store.histories([99]).schema == interactions((1, 1, 1.0, 1)).schema


def test_a_movie_is_added_once(store: Store) -> None:
    assert store.add_movie(7, "Stalker (1979)", ["Drama", "Sci-Fi"])
    assert not store.add_movie(7, "Another (1980)", [])
    assert store.movies().rows() == [(7, "Stalker (1979)", "Drama|Sci-Fi")]


def test_titles_are_data_and_never_sql(store: Store) -> None:
    title = "'); DROP TABLE interactions; -- %s :x ? \N{SNOWMAN}"
    store.add_movie(1, title, ["|"])
    assert store.movies()["Title"].to_list() == [title]
    assert store.add([rating()], title) == [ADDED]


@pytest.mark.parametrize("read", [Store.movies, Store.everything, Store.impressions])
def test_a_new_store_holds_nothing(store: Store, read: Callable[[Store], object]) -> None:
    assert store.is_empty
    assert store.imported is None
    assert store.last_erasure == 0
    result = read(store)
    rows = result[1] if isinstance(result, tuple) else result
    assert len(rows) == 0  # type: ignore[arg-type]


def test_no_impressions_are_nothing_to_keep(store: Store) -> None:
    store.keep_impressions([])
    assert store.impressions() == []


def test_what_an_erased_user_was_shown_is_not_kept(store: Store) -> None:
    before = store.last_erasure
    store.add([rating(ANNE, ALIEN)])
    store.erase_user(ANNE)
    store.keep_impressions([Impression(ANNE, 100, "v1", [1], before)])
    assert store.impressions() == []
