"""The rows of a store that needn't be read from it, because a saved model holds them, sorted already.

A model's data set is a state of the store if the store was filled from it, or wrote it for a refit. The store notes
that under the fingerprint of the data set (`Store.note_rows`), so that a data set that was changed since isn't mistaken
for it. Reading tens of millions of rows from a database takes minutes, and every process would have a copy of its own;
the files of a model are mapped within seconds, and all processes share them.
"""

from dataclasses import dataclass
from typing import Self

from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Timeline
from nextreel.prediction.manifest import ModelManifest
from nextreel.serving.storage.store import Store


@dataclass(frozen=True)
class KnownRows:
    """The rows of a store as of a position. Whoever was erased later is still among them."""

    timeline: Timeline
    """The rows, whose movies are numbered as in the catalog of the model."""
    last_id: int
    """Id of the last of the rows in the store."""
    last_erasure: int
    """Id of the last erasure that the rows take into account, 0 for none."""
    before: int | None = None
    """Timestamp, POSIX seconds: what the store holds from it on isn't among the rows; None if nothing is left out."""

    @classmethod
    def find(cls, store: Store, dataset: Dataset, manifest: ModelManifest) -> Self | None:
        """Return the rows of a saved model's data set if they are a state of the store, otherwise None.

        Raises StoreError if the store can't be read.
        """
        noted = store.rows_of(manifest.data.sha256)
        if noted is None:
            return None
        return cls(dataset.timeline.only_users_with_rows(), *noted)
