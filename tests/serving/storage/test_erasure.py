"""Erasing a user: what may not come back, and what may not be left in the files."""

import random
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from nextreel.data.ids import encode_id
from nextreel.errors import ErasedMeanwhileError, IdempotencyError
from nextreel.serving.storage.databases import sqlite
from nextreel.serving.storage.people.erasure_journal import append_erasures, journal_of, read_journal
from nextreel.serving.storage.people.erasure_log import LoggedErasure, read_log
from nextreel.serving.storage.people.hidden_ids import IdHider
from nextreel.serving.storage.sql_tables import erasures, facts
from nextreel.serving.storage.store import Impression, NewInteraction, Outcome, Store
from tests.serving.ratings import ALIEN, ANNE, BEN, rating
from tests.serving.storage.people_bytes import files_with, rows_with

LARGE = 0x1F3B_79D5_2C68_4EA1
"""Ids from here on take 8 bytes, which are nowhere else by chance."""


def show(user: int, last_erasure: int) -> Impression:
    return Impression(user, 50, "v1", [3, 1], last_erasure)


def test_a_list_that_was_made_before_an_erasure_is_not_stored_after_it(store: Store) -> None:
    made = [show(ANNE, store.last_erasure), show(BEN, store.last_erasure)]
    store.erase_user(ANNE)
    store.keep_impressions(made)
    assert [impression.user_id for impression in store.impressions()] == [BEN]


def test_a_list_that_was_made_after_an_erasure_is_stored(store: Store) -> None:
    store.erase_user(ANNE)
    store.keep_impressions([show(ANNE, store.last_erasure)])
    store.erase_user(BEN)
    assert [impression.user_id for impression in store.impressions()] == [ANNE]


def test_ratings_that_arrived_before_an_erasure_are_not_stored_after_it(store: Store) -> None:
    arrived = store.last_erasure
    store.erase_user(ANNE)
    with pytest.raises(ErasedMeanwhileError, match="was erased while it waited; nothing was written"):
        store.add([rating(BEN), rating(ANNE)], last_erasure=arrived)
    assert store.histories([ANNE, BEN]).is_empty()
    assert store.add([rating(BEN)], last_erasure=arrived) == [Outcome.ADDED]


def test_ratings_that_arrive_after_an_erasure_are_stored(store: Store) -> None:
    store.erase_user(ANNE)
    assert store.add([rating(ANNE)], "again", store.last_erasure) == [Outcome.ADDED]
    assert store.add([rating(ANNE)], "again", store.last_erasure) == [Outcome.ADDED]


def test_a_request_that_is_sent_again_after_an_erasure_brings_nothing_back(store: Store) -> None:
    store.add([rating(ANNE), rating(BEN)], "both")
    store.erase_user(ANNE)
    with pytest.raises(IdempotencyError, match="ratings of that request were erased since"):
        store.add([rating(ANNE), rating(BEN)], "both")
    assert store.histories([ANNE]).is_empty()
    assert store.add([rating(ANNE)], "another") == [Outcome.ADDED]


def test_a_key_is_free_again_after_a_day(store: Store) -> None:
    store.add([rating(ANNE)], "key")
    store.erase_user(ANNE)
    with store.writing() as connection:
        connection.execute(sa.text("UPDATE erased_replies SET created = created - 86401"))
    assert store.add([rating(ANNE)], "key") == [Outcome.ADDED]


def test_no_table_names_who_was_erased(store: Store) -> None:
    user = f"anne.{LARGE}"
    store.add([NewInteraction(user, "heat", 4.0, 5)], f"key of {user}")
    store.keep_impressions([Impression(encode_id(user), 1, f"seen by {user}", [1])])
    assert {"interactions", "id_texts", "answers", "replies"} <= set(rows_with(store, user, encode_id(user)))
    store.erase_user(user)
    assert store.remove_remains()
    assert rows_with(store, user, encode_id(user)) == []


def test_who_was_erased_is_recognised(store: Store) -> None:
    store.erase_user(ANNE)
    store.erase_user("anne")
    codes = np.array([ANNE, BEN, encode_id("anne")])
    assert store.erased_among(codes).tolist() == [ANNE, encode_id("anne")]


def test_two_stores_hide_the_same_user_differently() -> None:
    assert len({IdHider.draw().hide(ANNE) for _ in range(3)}) == 3


def test_ids_that_an_earlier_version_logged_in_clear_are_hidden(store_url: str) -> None:
    with Store.open(store_url) as store, store.writing() as connection:
        connection.execute(sa.delete(facts).where(facts.c.name == "erasure_secret"))
        connection.execute(
            sa.insert(erasures), [{"hidden_id": user, "erased_at": 7} for user in (LARGE, ANNE)]
        )
    with Store.open(store_url) as store:
        assert store.erased_among(np.array([ANNE, BEN, LARGE])).tolist() == [ANNE, LARGE]
        assert store.last_erasure == 2
        assert store.remove_remains()
        assert rows_with(store, LARGE) == []
        with store.reading() as connection:
            assert [entry.erased_at for entry in read_log(connection)] == [7, 7]


def fill(store: Store, users: list[int], seed: int) -> None:
    """Add ratings and lists of these users in a random order, as they arrive in a server."""
    draw = random.Random(seed)
    for second in range(30):
        chosen = draw.choices(users, k=40)
        store.add([NewInteraction(user, movie, 4.0, 10**9 + second) for movie, user in enumerate(chosen)])
        store.keep_impressions([Impression(user, second, "v1", [*range(9)]) for user in chosen])


def test_no_byte_of_who_was_erased_is_left_in_the_files(sqlite_url: str, tmp_path: Path) -> None:
    """Also where SQLite moved a row to another page, which it does within the index by user."""
    users = [LARGE + 7919 * number**3 for number in range(60)]
    with Store.open(sqlite_url) as store:
        fill(store, users, seed=1)
        for user in users[:12]:
            assert files_with(tmp_path, user)
            store.erase_user(user)
            assert store.remove_remains()
            assert files_with(tmp_path, user) == []


def test_who_still_reads_keeps_an_erasure_from_being_complete(store: Store) -> None:
    """In both databases a transaction that has read sees that state until it ends."""
    store.add([rating(ANNE)])
    with store.reading() as connection:
        reader = (
            connection.execution_options(isolation_level="REPEATABLE READ")
            if is_server(store)
            else connection
        )
        assert reader.execute(sa.text("SELECT count(*) FROM interactions")).scalar_one() == 1
        store.erase_user(ANNE)
        assert not store.remove_remains(0.05)
        assert reader.execute(sa.text("SELECT count(*) FROM interactions")).scalar_one() == 1
    assert store.remove_remains()
    assert store.remove_remains(0)  # nothing is left to do


def is_server(store: Store) -> bool:
    return store.url.startswith("postgresql")


def test_a_large_file_is_not_rewritten_while_others_wait(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sqlite, "REWRITTEN_BYTES", 1)
    with Store.open(sqlite_url) as store:
        store.add([rating(LARGE)])
        store.erase_user(LARGE)
        assert not store.remove_remains()
        assert files_with(tmp_path, LARGE) == []  # never moved to another page
        monkeypatch.setattr(sqlite, "REWRITTEN_BYTES", 2**30)
        assert store.remove_remains()


def test_the_journal_has_every_erasure_without_the_user(sqlite_url: str, tmp_path: Path) -> None:
    journal = journal_of(tmp_path / "nextreel.db")
    with Store.open(sqlite_url) as store:
        for user in (LARGE, ANNE, LARGE):
            store.erase_user(user)
        entries = read_journal(journal, store.identity)
        assert [entry.id for entry in entries] == [1, 2, 3]
        assert entries[0].hidden_id == entries[2].hidden_id == store.id_hider.hide(LARGE)
    assert files_with(tmp_path, LARGE) == []
    assert journal.stat().st_mode & 0o777 == 0o600


def test_a_journal_that_was_cut_or_lost_is_completed(tmp_path: Path) -> None:
    journal, log = tmp_path / "s.db.erasures", [LoggedErasure(id_, 100 + id_, 5) for id_ in range(1, 200)]
    append_erasures(journal, "store", log[:150])
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-3])
    assert read_journal(journal, "store") == log[:149]
    append_erasures(journal, "store", log)
    assert read_journal(journal, "store") == log
    for cut in (0, 4):
        journal.write_bytes(whole[:cut])
        append_erasures(journal, "store", log)
        assert read_journal(journal, "store") == log


def test_an_erasure_that_failed_after_its_line_was_written_hides_no_later_one(tmp_path: Path) -> None:
    journal = tmp_path / "s.db.erasures"
    append_erasures(journal, "store", [LoggedErasure(1, 11, 5)])
    append_erasures(journal, "store", [LoggedErasure(1, 22, 6)])
    assert [entry.hidden_id for entry in read_journal(journal, "store")] == [11, 22]


def test_the_journal_of_another_store_in_this_place_is_kept(tmp_path: Path) -> None:
    journal = tmp_path / "s.db.erasures"
    for store in ("one-store", "another"):
        append_erasures(journal, store, [LoggedErasure(1, 11, 5)])
    assert len(read_journal(tmp_path / "s.db.erasures.one-stor", "one-store")) == 1
    assert len(read_journal(journal, "another")) == 1


def test_ratings_of_a_user_who_came_back_are_kept(store: Store) -> None:
    store.add([rating(ANNE, ALIEN, 4.0, 100)])
    store.erase_user(ANNE)
    store.add([rating(ANNE, ALIEN, 2.0, 200)])
    store.remove_remains()
    assert store.histories([ANNE]).rows() == [(ANNE, ALIEN, 2.0, 200)]
