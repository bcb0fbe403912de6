"""The data set of a saved predictor: its interactions, users and movies as files, checked when they are read.

Sorting all interactions by time takes longer than reading them, so the result is saved too.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from nextreel.array_specs import ArraySpec, Specs, check_arrays
from nextreel.arrays import Arrays, Int64Array, read_arrays, write_arrays
from nextreel.data.data_format import DataFormat
from nextreel.data.dataset import Dataset
from nextreel.data.ids import IdKind, kind_of
from nextreel.data.links import NO_LINKS
from nextreel.data.rating_scale import RatingScale
from nextreel.data.reading.polars_panics import panics_as_errors
from nextreel.data.schema import IMDB_ID, MOVIE_ID, USER_ID, USERS
from nextreel.data.timeline import InteractionsByTime, Timeline
from nextreel.data.times import LATEST_TIMESTAMP
from nextreel.data.titles import unify_genres
from nextreel.errors import ArtifactError

INTERACTIONS_FILE = "interactions.safetensors"
ORDER_FILE = "order.safetensors"
"""File of what sorting the interactions gives; a model that an earlier nextreel saved doesn't have it."""
MOVIES_FILE, USERS_FILE = "movies.parquet", "users.parquet"
LINKS_FILE = "links.parquet"
"""The IMDb ids of the movies; only there if some are known."""
SPECS: Specs = {
    "movie_ids": ArraySpec("int64", ("n_movies",), least=0, is_filled=True, order="strictly ascending"),
    "user_ids": ArraySpec("int64", ("n_users",), least=0, is_filled=True, order="strictly ascending"),
    "offsets": ArraySpec("int64", ("n_offsets",), least=0, order="ascending"),
    "movies": ArraySpec("int32", ("n_interactions",), least=0, below="n_movies"),
    "ratings": ArraySpec("float32", ("n_interactions",)),
    "timestamps": ArraySpec("int64", ("n_interactions",), least=0, below=LATEST_TIMESTAMP + 1),
}
"""What the arrays of the interactions must be like; the attributes of Timeline and Dataset describe them."""
ORDER_SPECS: Specs = {
    "timestamps": ArraySpec("int64", ("n_interactions",), least=0, order="ascending"),
    "movies": ArraySpec("int32", ("n_interactions",), least=0, below="n_movies"),
    "superseded_by": ArraySpec("int64", ("n_superseded",), least=0),
}
"""What the arrays of the order must be like: those of `Timeline.by_time`, and `Timeline.superseded_by`, which is empty
if no user rated a movie twice."""
MOVIE_TYPES = {"Title": pl.String(), "Genres": pl.List(pl.String()), "Year": pl.Int32()}
USER_TYPES = {name: dtype for name, dtype in USERS.schema.items() if name != USER_ID}


def write_dataset(dataset: Dataset, directory: Path) -> None:
    """Write a data set's interactions, users and movies to a directory."""
    timeline = dataset.timeline
    interactions: Arrays = {
        "movie_ids": dataset.movie_ids,
        "user_ids": timeline.user_ids,
        "movies": timeline.movies,
        "ratings": timeline.ratings,
        "timestamps": timeline.timestamps,
        "offsets": timeline.offsets,
    }
    typed = {name: array.astype(SPECS[name].dtype, copy=False) for name, array in interactions.items()}
    write_arrays(typed, directory / INTERACTIONS_FILE)
    by_time, superseded_by = timeline.by_time, timeline.superseded_by
    order: Arrays = {
        **by_time._asdict(),
        "superseded_by": np.empty(0, dtype=np.int64) if superseded_by is None else superseded_by,
    }
    write_arrays(order, directory / ORDER_FILE)
    dataset.movies.write_parquet(directory / MOVIES_FILE)
    dataset.users.write_parquet(directory / USERS_FILE)
    if len(dataset.links):
        dataset.links.write_parquet(directory / LINKS_FILE)


def read_dataset_files(
    directory: Path,
    format_: DataFormat,
    has_order: bool,
    has_links: bool,
    read: Callable[[Path], Arrays] = read_arrays,
) -> Dataset:
    """Read what `write_dataset` wrote.

    Parameters
    ----------
    directory : Path
        Where it was written to.
    format_ : DataFormat
        The kinds of ids and the scale of the ratings.
    has_order : bool
        Whether the order of the interactions was written, too.
    has_links : bool
        Whether IMDb ids of the movies were written, too.
    read : Callable[[Path], Arrays]
        Reads the arrays of a safetensors file: `read_arrays` or `map_arrays`.

    Raises
    ------
    ArtifactError
        A file can't be read, or holds something else than interactions, users and movies that belong together.
    """
    file = directory / INTERACTIONS_FILE
    arrays = read(file)
    scale = format_.scale or RatingScale()
    try:
        _check_interactions(arrays, scale)
    except ArtifactError as error:
        raise ArtifactError(f"{file} is damaged: {error}") from None
    timeline = Timeline(
        movies=arrays["movies"].astype(np.int32, copy=False),
        ratings=arrays["ratings"].astype(np.float32, copy=False),
        timestamps=arrays["timestamps"].astype(np.int64, copy=False),
        user_ids=arrays["user_ids"].astype(np.int64, copy=False),
        offsets=arrays["offsets"].astype(np.int64, copy=False),
        scale=scale,
    )
    if has_order:
        timeline = _sort_by_file(timeline, directory / ORDER_FILE, len(arrays["movie_ids"]), read)
    movie_ids = arrays["movie_ids"].astype(np.int64, copy=False)
    return Dataset(
        timeline=timeline,
        movie_ids=movie_ids,
        users=_read_frame(
            directory / USERS_FILE, USER_ID, timeline.user_ids, format_.user_ids or "number", USER_TYPES
        ),
        movies=unify_genres(
            _read_frame(
                directory / MOVIES_FILE, MOVIE_ID, movie_ids, format_.movie_ids or "number", MOVIE_TYPES
            )
        ),
        columns=format_.columns,
        links=_read_links(directory / LINKS_FILE, format_.movie_ids or "number") if has_links else NO_LINKS,
    )


def _sort_by_file(timeline: Timeline, file: Path, n_movies: int, read: Callable[[Path], Arrays]) -> Timeline:
    """Return a timeline with its order from a file. Raises ArtifactError if the file holds none that fits."""
    arrays = read(file)
    try:
        check_arrays(arrays, ORDER_SPECS, {"n_interactions": len(timeline), "n_movies": n_movies})
        superseded_by = arrays["superseded_by"].astype(np.int64, copy=False)
        if len(superseded_by) not in (0, len(timeline)):
            raise ArtifactError(
                f"the array 'superseded_by' has {len(superseded_by)} elements; expected {len(timeline)}"
            )
        if superseded_by.max(initial=0) > len(timeline):
            raise ArtifactError("the array 'superseded_by' names a row that isn't there")
    except ArtifactError as error:
        raise ArtifactError(f"{file} is damaged: {error}") from None
    by_time = InteractionsByTime(
        arrays["timestamps"].astype(np.int64, copy=False), arrays["movies"].astype(np.int32, copy=False)
    )
    return timeline.sorted_already(by_time, superseded_by if len(superseded_by) else None)


def _read_links(file: Path, kind: IdKind) -> pl.DataFrame:
    """Read the IMDb ids of the movies."""
    frame = _read_parquet(file)
    expected = {MOVIE_ID: pl.String() if kind == "text" else pl.Int64(), IMDB_ID.name: pl.Int64()}
    if dict(frame.schema) != expected or any(frame.null_count().row(0)):
        raise ArtifactError(f"{file} is damaged: it doesn't hold the IMDb ids of movies")
    return frame


def _read_parquet(file: Path) -> pl.DataFrame:
    try:
        with panics_as_errors():
            return pl.read_parquet(file.absolute(), glob=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ArtifactError(f"{file} can't be read: it is damaged or isn't a Parquet file") from error


def _check_interactions(arrays: Arrays, scale: RatingScale) -> None:
    """Raise ArtifactError if the arrays aren't a timeline with ratings on the scale."""
    n_users = arrays["user_ids"].size if "user_ids" in arrays else 0
    check_arrays(arrays, SPECS, {"n_offsets": n_users + 1})
    offsets, timestamps, ratings = arrays["offsets"], arrays["timestamps"], arrays["ratings"]
    if offsets[0] != 0 or offsets[-1] != len(timestamps):
        raise ArtifactError(f"the array 'offsets' doesn't divide {len(timestamps)} interactions")
    is_first = np.zeros(len(timestamps) + 1, dtype=np.bool_)
    is_first[offsets] = True
    if (np.less(timestamps[1:], timestamps[:-1]) & ~is_first[1:-1]).any():
        raise ArtifactError("the timestamps of a user aren't in ascending order")
    if (
        scale.is_stars
        and len(ratings)
        and not scale.lowest <= ratings.min() <= ratings.max() <= scale.highest
    ):
        raise ArtifactError(f"a rating isn't one from {scale.lowest:g} to {scale.highest:g}")


def _read_frame(
    file: Path, key: str, codes: Int64Array, kind: IdKind, types: dict[str, pl.DataType]
) -> pl.DataFrame:
    """Read a frame that has a row for each user or movie, and check its types and its ids.

    Texts are not compared with their codes, which would take longer than to read all else.
    """
    frame = _read_parquet(file)
    expected = {key: pl.String() if kind == "text" else pl.Int64(), **types}
    if dict(frame.schema) != expected:
        found = ", ".join(f"{name} {dtype}" for name, dtype in frame.schema.items())
        raise ArtifactError(f"{file} is damaged: it has the columns {found}")
    ids = frame[key]
    if len(ids) != len(codes) or ids.null_count():
        raise ArtifactError(f"{file} is damaged: it has {len(ids)} rows for {len(codes)} values of {key}")
    if kind_of(ids) == "number" and not np.array_equal(ids.to_numpy(), codes):
        raise ArtifactError(f"{file} is damaged: its {key}s aren't those of the interactions")
    if kind_of(ids) == "text" and ids.is_duplicated().any():
        raise ArtifactError(f"{file} is damaged: a {key} is there twice")
    return frame
