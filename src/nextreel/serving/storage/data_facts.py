"""What a store notes of data sets: which ones it belongs with, up to which row each holds it, and their format.

Each note is a fact of the store. A data set is named by its fingerprint.
"""

import json
import time

import numpy as np
import sqlalchemy as sa

from nextreel.data.data_format import DataFormat
from nextreel.data.dataset import Dataset
from nextreel.data.ids import kind_of
from nextreel.data.schema import MOVIE_ID, USER_ID
from nextreel.serving.storage.facts import list_facts, read_fact, write_fact
from nextreel.serving.storage.sql_tables import FORMAT
from nextreel.serving.storage.text_ids import write_texts

SERVED = "data "
"""What the name of a fact begins with that notes the fingerprint of a data set."""
ROWS = "rows "
"""What the name of a fact begins with that notes up to which row a data set holds the store."""


def read_imported(connection: sa.Connection) -> str | None:
    """Return the fingerprint of the data set that was imported; None if there was no import."""
    return read_fact(connection, "dataset")


def note_import(connection: sa.Connection, dataset: Dataset, learned: str, last_id: int) -> None:
    """Note that a data set fills the store up to the row `last_id`, for a model of the data set `learned`."""
    _note_format(connection, dataset)
    write_fact(connection, "dataset", dataset.fingerprint)
    note_served(connection, learned)
    note_rows(connection, dataset.fingerprint, last_id, last_erasure=0)


def list_served(connection: sa.Connection) -> set[str]:
    """Return the fingerprints of the data sets whose models the store has served."""
    return {name.removeprefix(SERVED) for name in list_facts(connection, SERVED)}


def note_served(connection: sa.Connection, fingerprint: str) -> None:
    """Note that models of a data set belong to the store."""
    if read_fact(connection, f"{SERVED}{fingerprint}") is None:
        write_fact(connection, f"{SERVED}{fingerprint}", str(int(time.time())))


def note_rows(
    connection: sa.Connection, fingerprint: str, last_id: int, last_erasure: int, before: int | None = None
) -> None:
    """Note up to which row a data set holds the store, see `Store.note_rows`."""
    before_it = "" if before is None else f" {before}"
    write_fact(connection, f"{ROWS}{fingerprint}", f"{last_id} {last_erasure}{before_it}")


def read_rows(connection: sa.Connection, fingerprint: str) -> tuple[int, int, int | None] | None:
    """Return what `note_rows` noted of a data set; None if nothing was, or it can't be read."""
    numbers = (read_fact(connection, f"{ROWS}{fingerprint}") or "").split()
    if len(numbers) not in (2, 3) or not all(map(str.isdecimal, numbers)):
        return None
    return int(numbers[0]), int(numbers[1]), int(numbers[2]) if len(numbers) == 3 else None


def read_format(connection: sa.Connection) -> DataFormat | None:
    """Return the kinds of ids and the scale of the ratings; None if nothing was imported."""
    text = read_fact(connection, "data_format")
    return None if text is None else DataFormat.model_validate_json(text)


def _note_format(connection: sa.Connection, dataset: Dataset) -> None:
    """Note of what kind the ids and the ratings are, and the texts of text ids."""
    format_ = dataset.format.model_copy(update={"columns": {}}).to_json()
    write_fact(connection, "data_format", json.dumps(format_))
    if format_:
        write_fact(connection, "format", str(FORMAT))
    if kind_of(dataset.movies[MOVIE_ID]) == "text":
        write_texts(connection, "movie", dataset.movies[MOVIE_ID])
    if kind_of(dataset.users[USER_ID]) == "text":
        has_rows = np.diff(dataset.timeline.offsets) > 0
        write_texts(connection, "user", dataset.users[USER_ID].filter(has_rows))
