"""The store when its database is full, unreachable, busy or killed."""

import re
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from benchmarks import crash
from benchmarks.postgres import Postgres
from nextreel.errors import StoreError
from nextreel.serving.storage.databases import connect, postgresql, sqlite
from nextreel.serving.storage.store import NewInteraction, Outcome, Store
from tests.small_disks import mounted_disk


def batch(second: int, size: int = 50) -> list[NewInteraction]:
    return [NewInteraction(1, movie, 4.0, second) for movie in range(size)]


def add_until_refused(store: Store, message: str) -> int:
    """Add batches of 50 ratings until one is refused; return the number of acknowledged batches."""
    acknowledged, refusal = 0, ""
    while not refusal:
        try:
            store.add(batch(acknowledged))
            acknowledged += 1
        except StoreError as error:
            refusal = str(error)
    assert re.search(message, refusal)
    return acknowledged


def seconds_and_sizes(store: Store) -> list[tuple[int, int]]:
    rows = store.histories([1])
    return sorted(rows.group_by("Timestamp").len().rows())


def test_a_full_database_refuses_and_keeps_nothing_half_written(sqlite_url: str) -> None:
    pages = 100

    def limit(connection: object, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")  # type: ignore[attr-defined]

    database = connect(sqlite_url)
    Store.open(sqlite_url).close()
    sa.event.listen(database.engine, "checkout", limit)
    with Store(database) as store:
        acknowledged = add_until_refused(store, "database or disk is full")
        assert seconds_and_sizes(store) == [(second, 50) for second in range(acknowledged)]
        pages = 10_000
        assert store.add(batch(acknowledged)) == [Outcome.ADDED] * 50


@pytest.fixture
def small_disk() -> Iterator[Path]:
    with mounted_disk("12m") as disk:
        yield disk


def test_a_full_disk_refuses_until_there_is_space_again_in_sqlite(small_disk: Path) -> None:
    with Store.open(f"sqlite:///{small_disk}/nextreel.db") as store:
        check_full_disk(store, small_disk, "database or disk is full|disk I/O error")


def test_a_full_disk_refuses_until_there_is_space_again_in_postgresql(
    small_disk: Path, postgres: Postgres
) -> None:
    name = uuid.uuid4().hex
    space = small_disk / "space"
    space.mkdir()
    shutil.chown(space, "postgres", "postgres")
    with postgres.connect() as connection:
        connection.execute(f"CREATE TABLESPACE \"{name}\" LOCATION '{space}'")
        connection.execute(f'CREATE DATABASE "{name}" TABLESPACE "{name}"')
    try:
        with Store.open(postgres.url(name)) as store:
            check_full_disk(store, small_disk, "could not extend file")
    finally:  # or the server, which other tests share, couldn't recover without the disk
        (small_disk / "ballast").unlink(missing_ok=True)
        with postgres.connect() as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
            connection.execute(f'DROP TABLESPACE "{name}"')


def check_full_disk(store: Store, disk: Path, message: str) -> None:
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        file.write(bytes(max(0, shutil.disk_usage(disk).free - 2**20)))
    acknowledged = add_until_refused(store, message)
    assert acknowledged > 0
    assert seconds_and_sizes(store) == [(second, 50) for second in range(acknowledged)]
    ballast.unlink()
    assert store.add(batch(acknowledged)) == [Outcome.ADDED] * 50


def test_a_read_only_disk_refuses_until_it_can_be_written_again_in_sqlite(small_disk: Path) -> None:
    url = f"sqlite:///{small_disk}/nextreel.db"
    with Store.open(url) as store:
        store.add(batch(1))
    remount(small_disk, "ro")
    with pytest.raises(StoreError, match=r"readonly|unable to open|disk I/O"):
        Store.open(url)
    remount(small_disk, "rw")
    with Store.open(url) as store:
        assert seconds_and_sizes(store) == [(1, 50)]
        assert store.add(batch(2)) == [Outcome.ADDED] * 50


def remount(disk: Path, mode: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{mode}", disk], check=True)


def test_a_read_only_database_refuses_until_it_can_be_written_again_in_postgresql(
    postgres: Postgres, postgres_url: str
) -> None:
    name = sa.make_url(postgres_url).database
    with Store.open(postgres_url) as store:
        store.add(batch(1))
    for setting, refuses in (("on", True), ("off", False)):
        with postgres.connect() as connection:
            connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = {setting}')
        if refuses:
            with Store.open(postgres_url) as store, pytest.raises(StoreError, match="read-only transaction"):
                store.add(batch(2))
    with Store.open(postgres_url) as store:
        assert store.add(batch(2)) == [Outcome.ADDED] * 50
        assert seconds_and_sizes(store) == [(1, 50), (2, 50)]


def test_a_database_that_is_gone_refuses_and_works_when_it_is_back(
    postgres: Postgres, postgres_url: str
) -> None:
    with Store.open(postgres_url) as store:
        store.add(batch(1))
        postgres.stop()
        try:
            with pytest.raises(StoreError, match=r"refused|terminat"):
                store.add(batch(2))
            with pytest.raises(StoreError, match="refused"):
                store.histories([1])
        finally:
            postgres.start()
        assert seconds_and_sizes(store) == [(1, 50)]
        assert store.add(batch(2)) == [Outcome.ADDED] * 50


def test_a_restart_of_the_database_between_two_requests_goes_unnoticed(
    postgres: Postgres, postgres_url: str
) -> None:
    with Store.open(postgres_url) as store:
        store.add(batch(1))
        postgres.stop()
        postgres.start()
        assert store.add(batch(2)) == [Outcome.ADDED] * 50
        assert seconds_and_sizes(store) == [(1, 50), (2, 50)]


def test_a_database_that_goes_away_within_a_transaction_keeps_nothing_of_it(
    postgres: Postgres, postgres_url: str
) -> None:
    with Store.open(postgres_url) as store:
        try:
            with pytest.raises(StoreError):
                write_a_movie_and_then(store, postgres.stop)
        finally:
            if not postgres.is_running:
                postgres.start()
        assert store.movies().is_empty()


def test_a_writer_whose_turn_does_not_come_gives_up(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for database in (sqlite, postgresql):
        monkeypatch.setattr(database, "BUSY_SECONDS", 1)
    with Store.open(store_url) as store, Store.open(store_url) as other:
        with other.writing(), pytest.raises(StoreError, match=r"locked|lock timeout"):
            store.add(batch(1))
        assert store.add(batch(1)) == [Outcome.ADDED] * 50


def test_a_thread_whose_turn_does_not_come_gives_up(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    with Store.open(sqlite_url) as store, store.writing(), pytest.raises(StoreError, match="writer is busy"):
        store.add(batch(1))


def test_reading_goes_on_while_somebody_writes(store: Store) -> None:
    store.add(batch(1))
    with store.writing() as connection:
        connection.execute(sa.text("DELETE FROM interactions"))
        assert seconds_and_sizes(store) == [(1, 50)]


def test_an_error_of_the_caller_within_a_transaction_takes_it_back(store: Store) -> None:
    with pytest.raises(ZeroDivisionError):
        write_a_movie_and_then(store, lambda: 1 // 0)
    assert store.movies().is_empty()


def write_a_movie_and_then(store: Store, go_on: Callable[[], object]) -> None:
    with store.writing() as connection:
        connection.execute(sa.text("INSERT INTO movies VALUES (1, 'Stalker (1979)', 'Drama')"))
        go_on()


def test_a_kill_of_the_writer_loses_nothing_that_was_acknowledged_in_sqlite(sqlite_url: str) -> None:
    assert_nothing_is_lost(crash.crash(sqlite_url, "writer", rounds=3))


@pytest.fixture(scope="module")
def durable_postgres(postgres: Postgres) -> Iterator[Postgres]:
    """A durable server; the one that most tests share doesn't wait for the disk."""
    with Postgres(durable=True) as server:
        yield server


@pytest.mark.parametrize("victim", crash.VICTIMS)
def test_a_kill_loses_nothing_that_was_acknowledged_in_postgresql(
    victim: crash.Victim, durable_postgres: Postgres
) -> None:
    assert_nothing_is_lost(crash.crash_postgresql(durable_postgres, victim, rounds=3))


def assert_nothing_is_lost(tally: crash.Tally) -> None:
    assert tally.acknowledged >= 3 * crash.BATCH
    assert (tally.lost, tally.half_written) == (0, 0)


def test_a_reader_waits_at_most_two_seconds_for_a_lock_in_postgresql(postgres_url: str) -> None:
    with Store.open(postgres_url) as store, Store.open(postgres_url) as other:
        store.add(batch(1))
        with other.writing() as connection:
            connection.execute(sa.text("LOCK TABLE interactions IN ACCESS EXCLUSIVE MODE"))
            with pytest.raises(StoreError, match="lock timeout"):
                store.everything()
        assert seconds_and_sizes(store) == [(1, 50)]
