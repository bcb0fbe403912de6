"""The data for a refit: the ratings in the store, written as a data directory that `nextreel fit` reads."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from nextreel.arrays import Int64Array
from nextreel.artifacts import MANIFEST
from nextreel.atomic_files import atomic_directory
from nextreel.data.data_format import write_format
from nextreel.data.dataset import Dataset
from nextreel.data.ids import IdKind
from nextreel.data.reading.table_reader import read_dataset
from nextreel.data.schema import INTERACTIONS, MOVIE_ID, MOVIES, RATING, USER_ID, USERS
from nextreel.data.table_writer import write_table
from nextreel.data.titles import to_file_form
from nextreel.errors import DataError, StoreError
from nextreel.prediction.data_origin import write_origin
from nextreel.serving.inference.catalog import Catalog
from nextreel.serving.storage.store import Store
from nextreel.serving.storage.text_ids import Entity, decode_ids


@dataclass(frozen=True)
class WrittenRows:
    """How much data was written."""

    ratings: int
    """Number of ratings written."""
    users: int
    """Number of users with at least one rating."""
    movies: int
    """Number of movies in the catalog."""
    last_id: int
    """Id of the last row of the store that was written."""
    last_erasure: int
    """Id of the last erasure of the store that was taken into account."""


def write_data(store: Store, learned: Dataset, out: Path) -> WrittenRows:
    """Write the ratings in the store, with the movies and users of the model's data set, to the directory `out`.

    All files are written, or none. Beside the tables, a file names the store, so that a model fitted on them is known
    to belong to it. Ratings are in the order in which they were stored, and added movies come after the others. No file
    holds a user who was erased, even while this function runs. Of the deleted movies, only those with ratings are
    written, since a model can't learn from the ratings of a movie that it doesn't have.

    Raises
    ------
    DataError
        The directory exists and isn't empty.
    StoreError
        The store holds no ratings, or can't be read.
    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise DataError(f"{out} exists and isn't empty: choose another name")
    rows, position, erased = _read_consistently(store, learned)
    if rows.is_empty():
        raise StoreError("the store holds no ratings: nothing was written")
    catalog = Catalog.of(learned).with_added(store.movies(), store.deleted_movies())
    is_rated = pl.col(MOVIE_ID).is_in(rows[MOVIE_ID].unique().implode())
    movies = catalog.movies.filter(is_rated | ~pl.Series(catalog.is_deleted))
    has_attributes = pl.any_horizontal(pl.exclude(USER_ID).is_not_null())
    users = learned.users.filter(has_attributes & ~pl.Series(np.isin(learned.user_ids, erased)))
    if not learned.scale.rated:
        rows = rows.drop(RATING)
    with atomic_directory(out, MANIFEST) as directory:
        for table, frame in ((INTERACTIONS, rows), (MOVIES, to_file_form(movies)), (USERS, users)):
            if len(frame):
                write_table(frame, directory / f"{table.stems[0]}.csv")
        if len(learned.links):
            write_table(learned.links, directory / "links.csv")
        write_origin(directory, store.identity)
        write_format(directory, learned.format)
        store.note_rows(read_dataset(directory).fingerprint, *position)
    return WrittenRows(len(rows), rows[USER_ID].n_unique(), len(movies), *position)


def _read_consistently(store: Store, learned: Dataset) -> tuple[pl.DataFrame, tuple[int, int], Int64Array]:
    """Return all ratings, the ids of the last one and of the last erasure, and who of the model's users was erased.

    If somebody is erased meanwhile, everything is read again.
    """
    while True:
        last_erasure = store.last_erasure
        last_id, rows = store.everything()
        rows = _decode_rows(rows, store)
        erased = store.erased_among(learned.user_ids)
        if store.last_erasure == last_erasure:
            return rows, (last_id, last_erasure), erased


def _decode_rows(rows: pl.DataFrame, store: Store) -> pl.DataFrame:
    """Return the rows with text ids in place of their codes; a row of a user erased meanwhile is left out."""
    format_ = store.data_format
    columns: tuple[tuple[str, Entity, IdKind | None], ...] = (
        (USER_ID, "user", format_.user_ids),
        (MOVIE_ID, "movie", format_.movie_ids),
    )
    for column, entity, kind in columns:
        if kind == "text":
            rows = rows.with_columns(decode_ids(rows[column], store.texts(entity))).drop_nulls(column)
    return rows
