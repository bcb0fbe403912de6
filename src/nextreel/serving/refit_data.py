"""The data of the next refit: what the store holds now, as a data directory that `nextreel fit` reads."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from nextreel.artifacts import MANIFEST
from nextreel.atomic_files import atomic_directory
from nextreel.data.dataset import Dataset
from nextreel.data.schema import INTERACTIONS, MOVIES, USER_ID, USERS
from nextreel.data.table_writer import write_table
from nextreel.data.titles import to_file_form
from nextreel.errors import DataError, StoreError
from nextreel.serving.inference.catalog import Catalog
from nextreel.serving.storage.store import Store


@dataclass(frozen=True)
class Written:
    """How much was written."""

    ratings: int
    users: int
    """Who rated something."""
    movies: int


def write_data(store: Store, learned: Dataset, out: Path) -> Written:
    """Write the store's ratings with the movies and users of the model's data set to `out`, all of it or nothing.

    Ratings stand in the order in which they were stored, movies that were added behind the others. Who was erased is
    in no file, also where they are erased while this runs. Raises DataError if `out` is there and not empty,
    StoreError if there are no ratings.
    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise DataError(f"{out} holds something already: choose another name")
    rows, erased = _read_settled(store)
    if rows.is_empty():
        raise StoreError("the store holds no ratings: nothing was written")
    movies = Catalog.of(learned).with_added(store.movies()).movies
    told = pl.any_horizontal(pl.exclude(USER_ID).is_not_null())
    users = learned.users.filter(told & ~pl.col(USER_ID).is_in(erased))
    with atomic_directory(out, MANIFEST) as directory:
        for table, frame in ((INTERACTIONS, rows), (MOVIES, to_file_form(movies)), (USERS, users)):
            if len(frame):
                write_table(frame, directory / f"{table.stems[0]}.csv")
    return Written(len(rows), rows[USER_ID].n_unique(), len(movies))


def _read_settled(store: Store) -> tuple[pl.DataFrame, list[int]]:
    """All ratings and who was erased, as of one moment: read again if somebody was erased meanwhile."""
    while True:
        before = store.last_erasure
        _, rows = store.everything()
        erased = store.erased_users()
        if store.last_erasure == before:
            return rows, erased
