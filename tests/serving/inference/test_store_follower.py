"""Reading the store from where the last read ended: nothing is missed, even during writes."""

import threading
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest
import sqlalchemy as sa

from nextreel.data.schema import TIMESTAMP, USER_ID
from nextreel.serving.storage.store import Store
from tests.serving.ratings import ANNE, BEN, rating


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
    monkeypatch.setattr("nextreel.serving.storage.interaction_rows.BLOCK", 2)
    store.add([rating(second=second) for second in range(5)])
    assert store.everything()[1][TIMESTAMP].to_list() == [0, 1, 2, 3, 4]


def test_an_id_is_not_used_again_after_its_row_was_erased(store: Store) -> None:
    store.add([rating(ANNE)])
    last, _ = store.since(0)
    store.erase_user(ANNE)
    store.add([rating(BEN)])
    assert store.since(last)[1][USER_ID].to_list() == [BEN]


def test_a_writer_waits_for_the_one_before_so_that_no_id_turns_up_late(store_url: str) -> None:
    """The first transaction gets its ids before the second begins, and commits after a reader has read."""
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
