"""The movies of the store: those that were added to the model's catalog, and which movies are deleted.

A deletion hides a movie, whether the model has learned it or it was added, and keeps its ratings. Deletions and
restorations are a log of their own, whose last id tells every server process whether it has to read it again.
"""

import logging
from collections.abc import Sequence

import polars as pl
import sqlalchemy as sa

from nextreel.data.ids import Id, IdKind, encode_id
from nextreel.data.schema import LARGEST_INTEGER, MOVIE_ID, MOVIES
from nextreel.serving.storage.sql_tables import movie_changes, movies
from nextreel.serving.storage.text_ids import decode_ids, read_texts, write_texts

logger = logging.getLogger("nextreel")


def put_movie(connection: sa.Connection, outside_id: Id, title: str, genres: Sequence[str]) -> bool:
    """Add a movie, or replace a deleted one; return False, and change nothing, if the movie is there already."""
    movie_id = encode_id(outside_id)
    write_texts(connection, "movie", [outside_id])
    was_deleted = is_deleted(connection, movie_id)
    values = {"movie_id": movie_id, "title": title, "genres": "|".join(genres)}
    if connection.execute(sa.select(movies.c.movie_id).where(movies.c.movie_id == movie_id)).first() is None:
        connection.execute(sa.insert(movies), values)
    elif was_deleted:
        connection.execute(sa.update(movies).where(movies.c.movie_id == movie_id), values)
    else:
        return False
    if was_deleted:
        mark_deleted(connection, movie_id, False)
    return True


def mark_deleted(connection: sa.Connection, movie_id: int, deleted: bool) -> bool:
    """Delete or restore a movie; return False, and change nothing, if it is deleted or there already."""
    if is_deleted(connection, movie_id) == deleted:
        return False
    connection.execute(sa.insert(movie_changes), {"movie_id": movie_id, "deleted": deleted})
    return True


def is_deleted(connection: sa.Connection, movie_id: int) -> bool:
    """Return whether a movie is deleted: the last entry of the log decides."""
    query = (
        sa.select(movie_changes.c.deleted)
        .where(movie_changes.c.movie_id == movie_id)
        .order_by(movie_changes.c.id.desc())
        .limit(1)
    )
    return bool(connection.execute(query).scalar_one_or_none())


def read_deleted(connection: sa.Connection) -> list[int]:
    """Return the MovieIDs of all deleted movies, ascending."""
    last_changes = sa.select(sa.func.max(movie_changes.c.id)).group_by(movie_changes.c.movie_id)
    query = sa.select(movie_changes.c.movie_id).where(
        movie_changes.c.id.in_(last_changes), movie_changes.c.deleted
    )
    found = list(connection.execute(query).scalars())
    good = [movie_id for movie_id in found if isinstance(movie_id, int)]
    if len(good) < len(found):
        logger.warning("a deletion of a movie can't be read and is left out")
    return sorted(good)


def read_movies(connection: sa.Connection, kind: IdKind = "number") -> pl.DataFrame:
    """Return the added movies as in movies.csv, ordered by MovieID or its code, deleted ones too.

    A row that can't be a movie, which only another program can have written, is left out with a warning in the log:
    the other movies are still served.
    """
    rows = [tuple(row) for row in connection.execute(sa.select(movies).order_by(movies.c.movie_id))]
    good = [row for row in rows if _is_movie(row)]
    for row in rows if len(good) < len(rows) else ():
        if not _is_movie(row):
            logger.warning("an added movie can't be read and is left out", extra={"row": repr(row)[:200]})
    frame = pl.DataFrame(good, schema=MOVIES.schema, orient="row")
    if kind == "number":
        return frame
    texts = read_texts(connection, "movie", frame[MOVIE_ID].to_list())
    return frame.with_columns(decode_ids(frame[MOVIE_ID], texts)).drop_nulls(MOVIE_ID)


def _is_movie(row: tuple[object, ...]) -> bool:
    movie_id, title, genres = row
    is_id = isinstance(movie_id, int) and 0 <= movie_id <= LARGEST_INTEGER
    return is_id and isinstance(title, str) and isinstance(genres, str)
