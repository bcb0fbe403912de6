"""A data set is imported into a store as a whole or not at all."""

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings

from nextreel.data.dataset import Dataset
from nextreel.data.schema import TIMESTAMP, USER_ID
from nextreel.errors import StoreError
from nextreel.serving.storage import sql_tables
from nextreel.serving.storage.databases.sqlite import ROWS_OF_STATEMENT
from nextreel.serving.storage.sql_tables import facts
from nextreel.serving.storage.store import Outcome, Store
from tests.frames import any_interactions, interactions
from tests.serving.ratings import ALIEN, ANNE, ignore_progress, rating

ADDED, KNOWN, CONFLICT = Outcome.ADDED, Outcome.KNOWN, Outcome.CONFLICT


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
    monkeypatch.setattr("nextreel.serving.storage.interaction_rows.BLOCK", 2)
    progress: list[tuple[int, int]] = []
    dataset = Dataset.from_frames(interactions(*((1, movie, 3.0, movie) for movie in range(5))))
    store.import_dataset(dataset, lambda done, total: progress.append((done, total)))
    assert progress == [(2, 5), (4, 5), (5, 5)]


def test_an_import_that_fails_half_way_leaves_the_store_empty(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nextreel.serving.storage.interaction_rows.BLOCK", 2)
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
from nextreel.serving.storage import interaction_rows
from nextreel.serving.storage.store import Store
from tests.frames import interactions
interaction_rows.BLOCK = 1_000
dataset = Dataset.from_frames(interactions(*((1, movie, 3.0, movie) for movie in range(5_000))))
def die(done, total):
    if done == 3_000:
        os.kill(os.getpid(), signal.SIGKILL)
Store.open(sys.argv[1]).import_dataset(dataset, die)
"""
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", program, store_url], cwd=root, check=False)
    assert done.returncode == -9
    assert store.is_empty
    assert store.add([rating()]) == [ADDED]


def test_a_second_import_is_refused(store: Store) -> None:
    dataset = Dataset.from_frames(interactions((ANNE, ALIEN, 4.0, 1)))
    store.import_dataset(dataset, ignore_progress)
    assert store.imported == dataset.fingerprint
    with pytest.raises(StoreError, match="can only be imported into an empty store"):
        store.import_dataset(dataset, ignore_progress)


def test_the_rows_of_an_import_are_known_when_they_are_sent_again(store: Store) -> None:
    store.import_dataset(Dataset.from_frames(interactions((ANNE, ALIEN, 4.0, 100))), ignore_progress)
    assert store.add([rating(ANNE, ALIEN, 4.0, 100)]) == [KNOWN]


def test_of_twins_in_a_file_the_later_stands(store: Store) -> None:
    twins = interactions((ANNE, ALIEN, 2.0, 100), (ANNE, ALIEN, 4.0, 100))
    store.import_dataset(Dataset.from_frames(twins), ignore_progress)
    assert store.add([rating(ANNE, ALIEN, 4.0, 100), rating(ANNE, ALIEN, 2.0, 100)]) == [KNOWN, CONFLICT]


def test_an_import_of_more_rows_than_one_statement_takes_keeps_all_in_order(store: Store) -> None:
    n_rows = 2 * ROWS_OF_STATEMENT + 3
    rows = interactions(*((user, user % 7, 0.5 + user % 10 / 2, user) for user in range(n_rows)))
    store.import_dataset(Dataset.from_frames(rows), ignore_progress)
    assert store.everything()[1].equals(rows)


def test_an_import_keeps_the_indexes_of_the_interactions(store: Store) -> None:
    store.import_dataset(Dataset.from_frames(interactions((ANNE, ALIEN, 4.0, 1))), ignore_progress)
    with store.reading() as connection:
        names = {index["name"] for index in sa.inspect(connection).get_indexes("interactions")}
    assert names == {index.name for index in sql_tables.interactions.indexes}
