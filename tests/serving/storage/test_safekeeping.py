"""Backups, restores that replay erasures, and the check of a store."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa

from nextreel.data.dataset import Dataset
from nextreel.errors import StoreError
from nextreel.serving.storage.people.erasure_log import SECRET, LoggedErasure
from nextreel.serving.storage.people.hidden_ids import IdHider
from nextreel.serving.storage.safekeeping.backups import back_up, restore
from nextreel.serving.storage.safekeeping.compaction import compact_store
from nextreel.serving.storage.safekeeping.known_erasures import KnownErasures
from nextreel.serving.storage.safekeeping.sqlite_files import to_url
from nextreel.serving.storage.safekeeping.store_check import CheckedStore, check_store
from nextreel.serving.storage.store import Impression, NewInteraction, Store
from tests.serving.ratings import ignore_progress
from tests.serving.storage.people_bytes import files_with

ANNE, BEN, CARL = 0x1F3B_79D5_2C68_4EA1, 0x2E4C_8A16_93D7_5BF3, 3


def add(url: str, *users: int, second: int = 100) -> None:
    with Store.open(url) as store:
        store.add([NewInteraction(user, movie, 4.0, second) for user in users for movie in (1, 2)])
        store.keep_impressions([Impression(user, second, "v1", [1]) for user in users])


def erase(url: str, user: int) -> None:
    with Store.open(url) as store:
        store.erase_user(user)
        store.remove_remains()


def people(url: str) -> set[int]:
    with Store.open(url) as store:
        shown = {impression.user_id for impression in store.impressions()}
        rated = set(store.everything()[1]["UserID"])
    assert shown == rated
    return rated


def check(file: Path) -> CheckedStore:
    return check_store(to_url(str(file)))


@pytest.fixture
def url(sqlite_url: str, tmp_path: Path) -> str:
    """A store of three people, which was backed up to a.backup before Anne was erased."""
    add(sqlite_url, ANNE, BEN, CARL)
    back_up(sqlite_url, tmp_path / "a.backup")
    erase(sqlite_url, ANNE)
    return sqlite_url


@pytest.fixture
def backup(url: str, tmp_path: Path) -> Path:
    return tmp_path / "a.backup"


def test_a_backup_is_one_sound_file_that_only_its_owner_reads(url: str, backup: Path, tmp_path: Path) -> None:
    assert {path.name for path in tmp_path.iterdir()} == {"nextreel.db", "nextreel.db.erasures", "a.backup"}
    assert backup.stat().st_mode & 0o777 == 0o600
    before = backup.read_bytes()
    assert check(backup) == CheckedStore(6, 3, [])
    assert check_store(url) == CheckedStore(4, 2, [])
    assert backup.read_bytes() == before


def test_a_restore_over_the_store_replays_the_erasures(url: str, backup: Path, tmp_path: Path) -> None:
    add(url, 4)
    restored = restore(backup, url)
    assert (restored.ratings, restored.users, restored.erasures) == (4, 2, 1)
    assert people(url) == {BEN, CARL}
    assert files_with(tmp_path, ANNE) == ["a.backup"]
    assert check_store(url) == CheckedStore(4, 2, [])


def test_who_came_back_after_an_erasure_and_before_the_backup_stays(url: str, tmp_path: Path) -> None:
    add(url, ANNE, second=500)
    back_up(url, tmp_path / "b.backup")
    erase(url, BEN)
    restore(tmp_path / "b.backup", url)
    assert people(url) == {ANNE, CARL}


def test_erasures_are_replayed_at_every_further_restore(url: str, backup: Path) -> None:
    for _ in range(2):
        restore(backup, url)
    erase(url, BEN)
    restore(backup, url)
    assert people(url) == {CARL}
    with Store.open(url) as store:
        assert store.erased_among(np.array([ANNE, BEN, CARL])).tolist() == [ANNE, BEN]


def test_where_the_store_is_lost_its_journal_knows(url: str, backup: Path, tmp_path: Path) -> None:
    (tmp_path / "nextreel.db").unlink()
    restore(backup, url)
    assert people(url) == {BEN, CARL}


def test_the_log_of_a_lost_store_is_not_applied_to_the_restored_one(
    url: str, backup: Path, tmp_path: Path
) -> None:
    with Store.open(url) as store:
        store.add([NewInteraction(BEN, 9, 4.0, 1)])
        log = (tmp_path / "nextreel.db-wal").read_bytes()
    assert log
    (tmp_path / "nextreel.db").unlink()
    (tmp_path / "nextreel.db-wal").write_bytes(log)
    restore(backup, url)
    assert check_store(url) == CheckedStore(4, 2, [])


def test_where_the_store_is_damaged_its_journal_knows(url: str, backup: Path, tmp_path: Path) -> None:
    (tmp_path / "nextreel.db").write_bytes(b"no database " * 1000)
    restore(backup, url)
    assert people(url) == {BEN, CARL}


def test_a_restore_to_another_place_asks_the_store_that_the_backup_is_of(
    backup: Path, tmp_path: Path
) -> None:
    elsewhere = f"sqlite:///{tmp_path}/b.db"
    restore(backup, elsewhere)
    assert people(elsewhere) == {BEN, CARL}


@pytest.mark.parametrize("name", ["a.backup.erasures", "saved"])
def test_a_copy_of_the_journal_knows(url: str, backup: Path, tmp_path: Path, name: str) -> None:
    shutil.move(tmp_path / "nextreel.db.erasures", tmp_path / name)
    (tmp_path / "nextreel.db").unlink()
    restore(backup, url, [tmp_path / name] if name == "saved" else ())
    assert people(url) == {BEN, CARL}


def test_where_nothing_is_known_of_the_erasures_a_restore_must_be_meant(
    url: str, backup: Path, tmp_path: Path
) -> None:
    for name in ("nextreel.db", "nextreel.db.erasures"):
        (tmp_path / name).unlink()
    with pytest.raises(StoreError, match=r"the erasures since .*a\.backup was made are unknown"):
        restore(backup, url)
    assert [path.name for path in tmp_path.iterdir()] == ["a.backup"]
    restore(backup, url, without_erasures=True)
    assert people(url) == {ANNE, BEN, CARL}


def test_a_copy_by_an_earlier_version_is_restored_by_the_secret_of_the_store(url: str, backup: Path) -> None:
    with closing(sqlite3.connect(backup)) as connection, connection:
        connection.execute("DELETE FROM facts WHERE name IN ('erasure_secret', 'backup of')")
        connection.execute("DROP TABLE erased_replies")
    restore(backup, url)
    assert people(url) == {BEN, CARL}


def test_a_store_in_use_is_not_replaced(url: str, backup: Path) -> None:
    with Store.open(url) as server:
        server.histories([BEN])
        with pytest.raises(StoreError, match=r"nextreel\.db is in use: stop the server first"):
            restore(backup, url)
    assert people(url) == {BEN, CARL}


def test_another_store_is_not_replaced(backup: Path, tmp_path: Path) -> None:
    other = f"sqlite:///{tmp_path}/other.db"
    add(other, BEN)
    with pytest.raises(StoreError, match="isn't the store that was backed up"):
        restore(backup, other)
    assert people(other) == {BEN}


def test_a_backup_is_taken_while_others_use_the_store(url: str, tmp_path: Path) -> None:
    with Store.open(url) as store:
        store.add([NewInteraction(BEN, 9, 4.0, 1)])
        with store.reading() as connection:
            connection.exec_driver_sql("SELECT count(*) FROM interactions").all()
            back_up(url, tmp_path / "b.backup")
        store.add([NewInteraction(BEN, 9, 4.0, 2)])
    assert check(tmp_path / "b.backup") == CheckedStore(5, 2, [])


def test_nothing_is_overwritten_by_mistake(url: str, backup: Path, tmp_path: Path) -> None:
    before = backup.read_bytes()
    with pytest.raises(StoreError, match=r"a\.backup exists; nothing was written"):
        back_up(url, backup)
    with pytest.raises(StoreError, match=r"nextreel\.db exists; nothing was written"):
        back_up(url, tmp_path / "nextreel.db", force=True)
    assert backup.read_bytes() == before
    back_up(url, backup, force=True)
    assert check(backup) == CheckedStore(4, 2, [])


def damage(url: str, statement: str) -> None:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute(statement)


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE interactions SET rating = 9 WHERE movie_id = 1", "2 ratings have an id, a rating or a"),
        ("UPDATE interactions SET user_id = -1 WHERE movie_id = 2", "2 ratings have an id"),
        ("UPDATE answers SET movie_ids = '[1,'", "2 lists of experiments can't be read"),
        ("UPDATE facts SET value = 'x' WHERE name = 'format'", "its format is x, expected a number"),
        ("UPDATE facts SET value = '9' WHERE name = 'format'", "written by a newer nextreel"),
        ("DELETE FROM facts WHERE name = 'identity'", "it has no identity"),
        ("DROP TABLE replies", "it has no table replies"),
        (f"DELETE FROM facts WHERE name = '{SECRET}'", "an earlier nextreel wrote it"),
        ("INSERT INTO erasures (user_id, erased_at) VALUES (5, 5)", "1 erasures aren't in"),
        ("INSERT INTO reply_users VALUES ('none', 5)", "1 rows refer to rows that are missing"),
    ],
)
def test_a_store_that_is_not_sound_is_described(url: str, statement: str, problem: str) -> None:
    damage(url, statement)
    assert any(problem in described for described in check_store(url).problems)


def test_damaged_bytes_are_found(url: str, backup: Path) -> None:
    content = bytearray(backup.read_bytes())
    content[4096 * 3 : 4096 * 4] = b"\xff" * 4096
    backup.write_bytes(content)
    assert check(backup).problems
    with pytest.raises(StoreError, match="is damaged"):
        restore(backup, url)
    assert people(url) == {BEN, CARL}
    backup.write_text("UserID,MovieID\n" * 500)
    assert check(backup).problems == ["file is not a database"]


def test_a_large_store_is_compacted_by_hand(url: str, backup: Path, tmp_path: Path) -> None:
    with Store.open(url) as store:
        store.erase_user(BEN)
    assert "the last erasure isn't complete" in check_store(url).problems[0]
    assert compact_store(url)
    assert files_with(tmp_path, BEN) == ["a.backup"]
    assert check_store(url) == CheckedStore(2, 1, [])


def test_postgresql_is_checked_here_and_backed_up_by_its_own_tools(postgres_url: str, tmp_path: Path) -> None:
    add(postgres_url, ANNE, BEN)
    assert check_store(postgres_url) == CheckedStore(4, 2, [])
    with pytest.raises(StoreError, match="with pg_dump"):
        back_up(postgres_url, tmp_path / "x")
    with pytest.raises(StoreError, match="with pg_restore"):
        restore(tmp_path / "x", postgres_url)


def test_a_rating_of_a_user_whose_text_is_missing_is_found(sqlite_url: str) -> None:
    rows = pl.DataFrame({"UserID": ["anne", "ben"], "MovieID": ["heat", "big"], "Timestamp": [1, 2]})
    with Store.open(sqlite_url) as store:
        store.import_dataset(Dataset.from_frames(rows), ignore_progress)
    assert check_store(sqlite_url) == CheckedStore(2, 2, [])
    damage(sqlite_url, "DELETE FROM id_texts WHERE text = 'anne'")
    assert check_store(sqlite_url).problems == ["1 ratings are of a user whose text id is missing"]


def test_a_store_in_postgresql_is_compacted_by_hand(postgres_url: str) -> None:
    add(postgres_url, ANNE, BEN)
    with Store.open(postgres_url) as store:
        store.erase_user(BEN)
    assert compact_store(postgres_url)
    assert people(postgres_url) == {ANNE}


def test_another_database_is_no_backup(url: str, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE notes (text)")
    with pytest.raises(StoreError, match="no store of nextreel's"):
        restore(other, url)
    assert people(url) == {BEN, CARL}


def test_what_an_earlier_nextreel_logged_in_clear_is_hidden_as_in_the_store() -> None:
    hider = IdHider(b"secret")
    in_clear, hidden = LoggedErasure(1, ANNE, 100), LoggedErasure(1, hider.hide(ANNE), 100)
    assert KnownErasures("identity", None, [in_clear]).hidden_by(hider) == [hidden]
    assert KnownErasures("identity", hider, [hidden]).hidden_by(hider) == [hidden]


def test_another_database_knows_of_no_erasures() -> None:
    with (
        sa.create_engine("sqlite://").connect() as connection,
        pytest.raises(StoreError, match="no store of nextreel's"),
    ):
        KnownErasures.read(connection)
