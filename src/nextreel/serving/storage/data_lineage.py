"""Whether a model and a store belong together, so that no server answers with the histories of other people.

UserIDs and MovieIDs are small numbers in every data set, so a model of one data set runs over the store of another
without an error, and nothing in its lists is right. A model belongs to a store if

- it was fitted on data that this store wrote (`nextreel models data`): the manifest names the store's identity, or
- the store was filled from its data set, or has served a model of this data set before: the fingerprints are equal, or
- most ratings of one are in the other: the model's file has grown since, or is a part of what the store was filled
  from.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nextreel.arrays import BoolArray, find_sorted
from nextreel.data.data_format import DataFormat
from nextreel.data.dataset import Dataset
from nextreel.data.ids import encode_id
from nextreel.data.rating_scale import STARS
from nextreel.errors import ArtifactError
from nextreel.prediction.manifest import ModelManifest
from nextreel.serving.storage.interaction_rows import NewInteraction, read_ratings, sample_rows
from nextreel.serving.storage.store import Store

SAMPLE = 1_000
"""Ratings of either side that are looked up in the other: enough to tell most from few."""
MOST = 0.5
"""Share of these from which on one data set counts as a version of the other. Unrelated ones share next to nothing."""


class UnrelatedDataError(ArtifactError):
    """A model was fitted on other data than the store holds."""


@dataclass(frozen=True)
class Overlap:
    """How much of a data set is in a store, and how much of the store is in the data set."""

    of_dataset: float
    """Share of the data set's ratings that the store holds, 0 to 1."""
    of_store: float
    """Share of the store's ratings that the data set holds, 0 to 1."""

    @property
    def is_most(self) -> bool:
        """Whether most of one is in the other, so that they are two versions of the same data."""
        return max(self.of_dataset, self.of_store) >= MOST

    @classmethod
    def between(cls, dataset: Dataset, other: Dataset) -> "Overlap":
        """Compare two data sets by a sample of the ratings of each; the second takes the place of the store."""
        return cls(_share(_contains(other, _sample(dataset))), _share(_contains(dataset, _sample(other))))

    @classmethod
    def measure(cls, dataset: Dataset, store: Store) -> "Overlap":
        """Compare a data set with what a store holds, by a sample of the ratings of each."""
        own = _sample(dataset)
        with store.reading() as connection:
            stored = read_ratings(connection, own)
            sampled = sample_rows(connection, SAMPLE)
        is_stored = [stored.get(row.event) == row.rating for row in own]
        return cls(_share(np.array(is_stored, dtype=np.bool_)), _share(_contains(dataset, sampled)))


def require_lineage(store: Store, model: Path, read_learned: Callable[[], Dataset]) -> Overlap | None:
    """Check that a model belongs to a store, and let the store remember that it does.

    Parameters
    ----------
    store : Store
        A store that isn't empty; an empty one belongs to every model.
    model : Path
        Directory of the saved model.
    read_learned : Callable[[], Dataset]
        Returns the data set that the model was fitted on. It is called only if nothing but the ratings can tell.

    Returns
    -------
    How the two overlap, if the ratings had to be compared.

    Raises
    ------
    UnrelatedDataError
        The model was fitted on other data.
    """
    manifest = ModelManifest.read(model)
    known = store.known_data
    if store.is_empty:
        return None
    if difference := find_difference(manifest.data_format, store.data_format):
        raise UnrelatedDataError(
            f"{model} {difference[0]}, but the store {store.url} {difference[1]}: name another store, such as "
            f"--store sqlite:///{model.absolute().name}.db, or serve a model of this store's data"
        )
    if manifest.store == store.identity or manifest.data.sha256 in known:
        return None
    if not known:  # never filled from a data set, but by requests: nothing contradicts the first model
        store.remember_data(manifest.data.sha256)
        return None
    overlap = Overlap.measure(read_learned(), store)
    if not overlap.is_most:
        raise UnrelatedDataError(_refuse(store, model))
    store.remember_data(manifest.data.sha256)
    return overlap


def find_difference(one: DataFormat, other: DataFormat) -> tuple[str, str] | None:
    """Return what tells the data of two formats apart, such as ("has text UserIDs", "has numeric ones"), or None.

    The kinds of ids must be equal, and both must have stars, ratings on another scale, or no ratings. The ends of
    another scale may differ, as they come from the ratings, and so may what counts as liked.
    """
    for name, ids in (("user_ids", "UserIDs"), ("movie_ids", "MovieIDs")):
        kinds = {"number": f"has numeric {ids}", "text": f"has {ids} that are texts"}
        kind, other_kind = (getattr(format_, name) or "number" for format_ in (one, other))
        if kind != other_kind:
            return kinds[kind], kinds[other_kind]
    scale, other_scale = one.scale or STARS, other.scale or STARS
    if scale.rated != other_scale.rated:
        found = {True: "has ratings", False: "has no ratings"}
        return found[scale.rated], found[other_scale.rated]
    if scale.is_stars != other_scale.is_stars:
        return (
            f"has ratings from {scale.lowest:g} to {scale.highest:g}",
            f"has ratings from {other_scale.lowest:g} to {other_scale.highest:g}",
        )
    return None


def _refuse(store: Store, model: Path) -> str:
    was_filled_by_an_option = (
        "" if store.remembers_models else ", or the --data that this store was filled from"
    )
    return (
        f"{model} was fitted on other data than the store {store.url} holds: name another store, such as "
        f"--store sqlite:///{model.absolute().name}.db{was_filled_by_an_option}, or serve a model that was fitted on "
        "this store's data (`nextreel models data` writes them)"
    )


def _sample(dataset: Dataset) -> list[NewInteraction]:
    timeline = dataset.timeline
    rows = np.unique(np.linspace(0, len(timeline) - 1, min(SAMPLE, len(timeline))).astype(np.int64))
    return [
        NewInteraction(
            int(timeline.user_ids[timeline.users[row]]),
            int(dataset.movie_ids[timeline.movies[row]]),
            float(timeline.ratings[row]),
            int(timeline.timestamps[row]),
        )
        for row in rows
    ]


def _contains(dataset: Dataset, rows: list[NewInteraction]) -> BoolArray:
    """Return bool[n_rows]: whether the data set holds each of these ratings."""
    timeline = dataset.timeline
    users = find_sorted(timeline.user_ids, np.array([encode_id(row.user_id) for row in rows], dtype=np.int64))
    movies = dataset.index_of_movies(np.array([encode_id(row.movie_id) for row in rows], dtype=np.int64))

    def holds(user: int, movie: int, row: NewInteraction) -> bool:
        if user < 0 or movie < 0:
            return False
        theirs = slice(timeline.offsets[user], timeline.offsets[user + 1])
        same = (
            (timeline.timestamps[theirs] == row.timestamp)
            & (timeline.movies[theirs] == movie)
            & (timeline.ratings[theirs] == np.float32(row.rating))
        )
        return bool(same.any())

    return np.array([holds(*one) for one in zip(users, movies, rows, strict=True)], dtype=np.bool_)


def _share(is_there: BoolArray) -> float:
    return float(is_there.mean()) if len(is_there) else 0.0
