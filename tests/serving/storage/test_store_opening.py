"""Opening a store: its URL, its format, and what prevents it."""

import subprocess
from pathlib import Path

import pytest
import sqlalchemy as sa

from nextreel.errors import StoreError, UnusableStoreError
from nextreel.serving.storage.sql_tables import FORMAT, facts
from nextreel.serving.storage.store import Store
from tests import warm_python
from tests.serving.ratings import ANNE, rating


def test_what_was_added_is_there_after_opening_again(store_url: str) -> None:
    with Store.open(store_url) as store:
        store.add([rating()])
    with Store.open(store_url) as store:
        assert store.histories([ANNE]).height == 1


def test_a_store_of_a_newer_format_is_refused(store_url: str) -> None:
    with Store.open(store_url) as store, store.writing() as connection:
        connection.execute(sa.update(facts).where(facts.c.name == "format").values(value=str(FORMAT + 1)))
    with pytest.raises(StoreError, match="newer nextreel"):
        Store.open(store_url)


def test_many_processes_may_open_a_new_store_at_the_same_moment(store_url: str) -> None:
    program = "import sys; from nextreel.serving.storage.store import Store; Store.open(sys.argv[1])"
    running = [subprocess.Popen([*warm_python.python(), "-c", program, store_url]) for _ in range(4)]
    assert [process.wait() for process in running] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nextreel.db", "not a database URL"),
        ("mysql://anne:s3cret@localhost/x", "mysql: not a supported database"),
        ("sqlite://", "would be lost"),
        ("sqlite:///:memory:", "would be lost"),
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


@pytest.mark.parametrize(
    ("fact", "value"), [("format", "x"), ("data_format", "x"), ("data_format", '{"x": 1}')]
)
def test_a_fact_of_a_store_that_is_damaged_is_told(sqlite_url: str, fact: str, value: str) -> None:
    with Store.open(sqlite_url) as store, store.writing() as connection:
        connection.exec_driver_sql("DELETE FROM facts WHERE name = ?", (fact,))
        connection.exec_driver_sql("INSERT INTO facts VALUES (?, ?)", (fact, value))
    with pytest.raises(UnusableStoreError), Store.open(sqlite_url) as damaged:
        _ = damaged.data_format


def test_an_erroneous_message_of_the_database_itself_is_told(sqlite_url: str, tmp_path: Path) -> None:
    Store.open(sqlite_url).close()
    file = tmp_path / "nextreel.db"
    file.write_bytes(file.read_bytes().replace(b"CREATE TABLE erasures", b"CREATE TA\xc7LE erasures"))
    with pytest.raises(UnusableStoreError):
        Store.open(sqlite_url)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO movie_changes (movie_id, deleted) VALUES ('x', 1)",
        "INSERT INTO answers (user_id, at, version, movie_ids) VALUES (1, 5, 'v', 'x')",
    ],
)
def test_one_bad_row_of_another_program_leaves_the_others(sqlite_url: str, statement: str) -> None:
    with Store.open(sqlite_url) as store:
        store.delete_movie(7)
        with store.writing() as connection:
            connection.exec_driver_sql(statement)
        assert store.deleted_movies() == [7]
        if "answers" in statement:
            with pytest.raises(UnusableStoreError):
                store.impressions()
