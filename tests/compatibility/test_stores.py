"""A store of every form that there was before 1.0 opens with all that it held, and takes new rows.

`stores` holds dumps of SQLite files, named for the commit that changed the form. Each was filled by that commit's code:
four ratings under three users, one of them with an idempotency key; a movie added, another deleted (where that could be
done already); user 2 erased; an API key created.
"""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nextreel.serving.storage.administration.api_keys import list_keys
from nextreel.serving.storage.interaction_rows import NewInteraction, Outcome
from nextreel.serving.storage.store import Store

DUMPS = sorted((Path(__file__).parent / "stores").glob("*.sql"))
BEFORE_MOVIES_WERE_DELETED = "3ef7bf7"
FIRST_ROWS = [NewInteraction(1, 10, 4.5, 1_600_000_000), NewInteraction(1, 11, 2.0, 1_600_000_100)]


@pytest.fixture(params=DUMPS, ids=lambda dump: dump.stem)
def form(request: pytest.FixtureRequest) -> str:
    dump: Path = request.param
    return dump.stem


@pytest.fixture
def store(form: str, tmp_path: Path) -> Iterator[Store]:
    file = tmp_path / "nextreel.db"
    connection = sqlite3.connect(file)
    connection.executescript((Path(__file__).parent / "stores" / f"{form}.sql").read_text(encoding="utf-8"))
    # As if it was filled just now: outcomes under an idempotency key are kept for a day.
    connection.execute("UPDATE replies SET created = ?", [int(time.time())])
    connection.commit()
    connection.close()
    with Store.open(f"sqlite:///{file}") as opened:
        yield opened


def test_a_store_of_every_form_opens_with_all_that_it_held(form: str, store: Store) -> None:
    histories = store.histories([1, 2, 3]).select("UserID", "MovieID", "Rating", "Timestamp").rows()
    assert sorted(histories) == [
        (1, 10, 4.5, 1_600_000_000),
        (1, 11, 2.0, 1_600_000_100),
        (3, 11, 1.0, 1_600_000_300),
    ]
    assert store.movies()["Title"].to_list() == ["The Long Reel (2001)"]
    assert store.deleted_movies() == ([] if form == BEFORE_MOVIES_WERE_DELETED else [11])
    assert [(key.name, key.expires) for key in list_keys(store)] == [("reader", None)]


def test_a_store_of_every_form_takes_new_rows_and_knows_an_old_request_again(store: Store) -> None:
    assert store.add(FIRST_ROWS, "once") == [Outcome.ADDED, Outcome.ADDED]
    assert store.add([NewInteraction(3, 10, 3.0, 1_600_000_400)]) == [Outcome.ADDED]
    assert store.histories([1]).height == 2
    assert store.histories([3]).height == 2


def test_a_store_of_every_form_erases_a_user(store: Store) -> None:
    store.erase_user(1)
    assert store.histories([1]).is_empty()
    assert store.histories([3]).height == 1
