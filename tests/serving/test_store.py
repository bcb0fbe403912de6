import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings

from nextreel.data.dataset import Dataset
from nextreel.data.schema import MOVIE_ID, RATING, TIMESTAMP, USER_ID
from nextreel.errors import IdempotencyError, StoreError
from nextreel.serving.events import REMEMBERED_SECONDS
from nextreel.serving.store import GivenAnswer, NewInteraction, Outcome, Store
from nextreel.serving.tables import facts, replies
from tests.frames import any_interactions, interactions

ADDED, KNOWN, CONFLICT = Outcome.ADDED, Outcome.KNOWN, Outcome.CONFLICT
ANNE, BEN = 1, 2
ALIEN, BRAZIL = 10, 20


def rating(user: int = ANNE, movie: int = ALIEN, stars: float = 4.0, second: int = 100) -> NewInteraction:
    return NewInteraction(user, movie, stars, second)


def ignore_progress(done: int, total: int) -> None:
    pass


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
    with pytest.raises(IdempotencyError, match="came before with other interactions"):
        store.add([rating(BEN)], "key")
    assert store.histories([BEN]).is_empty()


def test_an_idempotency_key_brings_the_first_answer_to_an_empty_batch_too(store: Store) -> None:
    assert store.add([], "key") == []
    assert store.add([], "key") == []


def test_an_idempotency_key_is_forgotten_after_its_time(store: Store) -> None:
    store.add([rating()], "key")
    with store.writing() as connection:
        earlier = replies.c.created - REMEMBERED_SECONDS - 60
        connection.execute(sa.update(replies).values(created=earlier))
    assert store.add([rating()], "key") == [KNOWN]


def test_requests_with_one_key_at_the_same_moment_get_one_answer(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: store.add([rating()], "key"), range(16)))
    assert answers == [[ADDED]] * 16


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


@given(frame=any_interactions())
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_imported_data_set_reads_back_as_its_timeline_with_ties_and_twins(
    frame: pl.DataFrame, store: Store
) -> None:
    with store.writing() as connection:
        connection.execute(sa.text("DELETE FROM interactions"))
        connection.execute(sa.delete(facts).where(facts.c.name == "dataset"))
    dataset = Dataset.from_frames(frame)
    store.import_dataset(dataset, ignore_progress)
    expected = frame.sort(USER_ID, TIMESTAMP, maintain_order=True)
    assert store.histories(dataset.user_ids.tolist()).equals(expected)
    assert store.everything()[1].equals(expected)


def test_an_import_says_how_far_it_is(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nextreel.serving.events.BLOCK", 2)
    heard: list[tuple[int, int]] = []
    dataset = Dataset.from_frames(interactions(*((1, movie, 3.0, movie) for movie in range(5))))
    store.import_dataset(dataset, lambda done, total: heard.append((done, total)))
    assert heard == [(2, 5), (4, 5), (5, 5)]


def test_an_import_that_fails_half_way_leaves_the_store_empty(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nextreel.serving.events.BLOCK", 2)
    dataset = Dataset.from_frames(interactions(*((1, movie, 3.0, movie) for movie in range(5))))

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.import_dataset(dataset, stop)
    assert store.is_empty
    store.import_dataset(dataset, ignore_progress)
    assert store.everything()[1].height == 5


def test_an_import_killed_half_way_leaves_the_store_empty(store_url: str, store: Store) -> None:
    program = """
import os, signal, sys
import polars as pl
from nextreel.data.dataset import Dataset
from nextreel.serving import events
from nextreel.serving.store import Store
from tests.frames import interactions
events.BLOCK = 1_000
dataset = Dataset.from_frames(interactions(*((1, movie, 3.0, movie) for movie in range(5_000))))
def die(done, total):
    if done == 3_000:
        os.kill(os.getpid(), signal.SIGKILL)
Store.open(sys.argv[1]).import_dataset(dataset, die)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program, store_url], cwd=root, check=False)
    assert done.returncode == -9
    assert store.is_empty
    assert store.add([rating()]) == [ADDED]


def test_a_second_import_is_refused(store: Store) -> None:
    dataset = Dataset.from_frames(interactions((ANNE, ALIEN, 4.0, 1)))
    store.import_dataset(dataset, ignore_progress)
    assert store.imported == dataset.fingerprint
    with pytest.raises(StoreError, match="into an empty store only"):
        store.import_dataset(dataset, ignore_progress)


def test_the_rows_of_an_import_are_known_when_they_are_sent_again(store: Store) -> None:
    store.import_dataset(Dataset.from_frames(interactions((ANNE, ALIEN, 4.0, 100))), ignore_progress)
    assert store.add([rating(ANNE, ALIEN, 4.0, 100)]) == [KNOWN]


def test_of_twins_in_a_file_the_later_stands(store: Store) -> None:
    twins = interactions((ANNE, ALIEN, 2.0, 100), (ANNE, ALIEN, 4.0, 100))
    store.import_dataset(Dataset.from_frames(twins), ignore_progress)
    assert store.add([rating(ANNE, ALIEN, 4.0, 100), rating(ANNE, ALIEN, 2.0, 100)]) == [KNOWN, CONFLICT]


def test_since_goes_on_where_it_ended(store: Store) -> None:
    store.add([rating(ANNE)])
    last, rows = store.since(0)
    assert rows[USER_ID].to_list() == [ANNE]
    store.add([rating(BEN)])
    last, rows = store.since(last)
    assert rows[USER_ID].to_list() == [BEN]
    assert store.since(last)[0] == last
    assert store.since(last)[1].is_empty()


def test_since_reads_more_than_a_block(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nextreel.serving.events.BLOCK", 2)
    store.add([rating(second=second) for second in range(5)])
    assert store.everything()[1][TIMESTAMP].to_list() == [0, 1, 2, 3, 4]


def test_an_id_is_not_used_again_after_its_row_was_erased(store: Store) -> None:
    store.add([rating(ANNE)])
    last, _ = store.since(0)
    store.erase_user(ANNE)
    store.add([rating(BEN)])
    assert store.since(last)[1][USER_ID].to_list() == [BEN]


def test_a_writer_waits_for_the_one_before_so_that_no_id_turns_up_late(store_url: str) -> None:
    """The first transaction has its ids before the second begins, and commits after a reader has looked."""
    second_wrote = threading.Event()

    def write_second(store: Store) -> None:
        store.add([rating(BEN)])
        second_wrote.set()

    with Store.open(store_url) as first, Store.open(store_url) as second, Store.open(store_url) as reader:
        with first.writing() as connection:
            connection.execute(
                sa.text(
                    "INSERT INTO interactions (user_id, movie_id, rating, timestamp) VALUES (1, 10, 4, 100)"
                )
            )
            thread = threading.Thread(target=write_second, args=(second,))
            thread.start()
            assert not second_wrote.wait(timeout=0.5)
            last, rows = reader.since(0)
            assert rows.is_empty()
        thread.join()
        _, rows = reader.since(last)
        assert rows[USER_ID].to_list() == [ANNE, BEN]


def test_a_reader_beside_many_writers_misses_nothing(store_url: str) -> None:
    writers, rounds = 4, 25
    with Store.open(store_url) as one, Store.open(store_url) as other, Store.open(store_url) as reader:

        def write(writer: int) -> None:
            for second in range(rounds):
                (one, other)[writer % 2].add([rating(writer, movie, second=second) for movie in range(3)])

        seen, last = [], 0
        with ThreadPoolExecutor(writers) as pool:
            running = [pool.submit(write, writer) for writer in range(writers)]
            while not all(future.done() for future in running):
                last, rows = reader.since(last)
                seen.append(rows)
        for future in running:
            future.result()
        seen.append(reader.since(last)[1])
        assert pl.concat(seen).equals(reader.everything()[1])
        assert pl.concat(seen).height == writers * rounds * 3


def test_a_movie_is_added_once(store: Store) -> None:
    assert store.add_movie(7, "Stalker (1979)", ["Drama", "Sci-Fi"])
    assert not store.add_movie(7, "Another (1980)", [])
    assert store.movies().rows() == [(7, "Stalker (1979)", "Drama|Sci-Fi")]


def test_titles_are_data_and_never_sql(store: Store) -> None:
    title = "'); DROP TABLE interactions; -- %s :x ? \N{SNOWMAN}"
    store.add_movie(1, title, ["|"])
    assert store.movies()["Title"].to_list() == [title]
    assert store.add([rating()], title) == [ADDED]


def test_an_export_holds_all_that_is_known_of_a_person_and_nobody_else(store: Store) -> None:
    store.add([rating(ANNE, ALIEN, 4.5, 100), rating(BEN)])
    store.keep_answers([GivenAnswer(ANNE, 50, "v1", [3, 1]), GivenAnswer(BEN, 51, "v1", [2])])
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
    store.keep_answers([GivenAnswer(ANNE, 1, "v1", [1]), GivenAnswer(BEN, 2, "v1", [2])])
    store.erase_user(ANNE)
    assert [answer.user_id for answer in store.answers()] == [BEN]


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
    assert store.erased_users() == [ANNE, BEN]


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
        store.keep_answers([GivenAnswer(ANNE, 1, "a-version-that-only-anne-saw", [1])])
        store.erase_user(ANNE)
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"kept" in kept
    assert b"only-anne-saw" not in kept


def test_what_was_added_is_there_after_opening_again(store_url: str) -> None:
    with Store.open(store_url) as store:
        store.add([rating()])
    with Store.open(store_url) as store:
        assert store.histories([ANNE]).height == 1


def test_a_store_of_a_newer_format_is_refused(store_url: str) -> None:
    with Store.open(store_url) as store, store.writing() as connection:
        connection.execute(sa.update(facts).where(facts.c.name == "format").values(value="2"))
    with pytest.raises(StoreError, match="newer nextreel"):
        Store.open(store_url)


def test_many_processes_may_open_a_new_store_at_the_same_moment(store_url: str) -> None:
    program = "import sys; from nextreel.serving.store import Store; Store.open(sys.argv[1])"
    running = [subprocess.Popen([sys.executable, "-c", program, store_url]) for _ in range(4)]
    assert [process.wait() for process in running] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nextreel.db", "not a database URL"),
        ("mysql://anne:s3cret@localhost/x", "mysql: not a database that nextreel knows"),
        ("sqlite://", "would forget"),
        ("sqlite:///:memory:", "would forget"),
        ("sqlite:////nowhere/at/all/nextreel.db", "/nowhere/at/all doesn't exist"),
        ("postgresql://anne:s3cret@127.0.0.1:1/x", "127.0.0.1"),
        ("postgresql+psycopg://anne:s3cret@127.0.0.1:1/x", r"anne:\*\*\*@127.0.0.1:1/x: .*refused"),
    ],
)
def test_a_url_that_leads_nowhere_is_named_without_its_password(url: str, message: str) -> None:
    with pytest.raises(StoreError, match=message) as raised:
        Store.open(url)
    assert "s3cret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_wrong_password_is_not_shown(postgres_url: str) -> None:
    url = sa.make_url(postgres_url).set(password="s3cret").render_as_string(hide_password=False)
    with pytest.raises(StoreError, match="password authentication failed") as raised:
        Store.open(url)
    assert "s3cret" not in str(raised.value)


def test_a_file_that_is_no_database_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "nextreel.db").write_text("UserID,MovieID\n" * 500)
    with pytest.raises(StoreError, match="file is not a database"):
        Store.open(sqlite_url)


def test_a_directory_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="unable to open database file"):
        Store.open(f"sqlite:///{tmp_path}")


@pytest.mark.parametrize("ask", [Store.erased_users, Store.movies, Store.everything, Store.answers])
def test_a_new_store_holds_nothing(store: Store, ask: Callable[[Store], object]) -> None:
    assert store.is_empty
    assert store.imported is None
    answer = ask(store)
    rows = answer[1] if isinstance(answer, tuple) else answer
    assert len(rows) == 0  # type: ignore[arg-type]
