"""Which saved versions of the model still hold a person.

Every version holds the interactions that its histories come from, and some models hold factors of users as well. Saved
models never change, so an erasure can't reach them: it says which ones they are.
"""

import numpy as np

from nextreel.arrays import read_arrays_named
from nextreel.errors import ArtifactError
from nextreel.prediction.saved_dataset import INTERACTIONS_FILE
from nextreel.prediction.saving import MODEL_FILE
from nextreel.serving.storage.model_versions import VersionDirectory
from nextreel.serving.storage.stored_versions import DamagedVersion, StoredVersion

USER_IDS = ("user_ids", "user_ids_")
"""Ends of the names of arrays that hold UserIDs or codes: of the interactions, and of a model's fitted state."""


def find_copies(versions: VersionDirectory, code: int) -> list[str]:
    """Return the names of the versions that hold a user, given by UserID or code, or that can't be read."""
    return [version.name for version in versions.list() if _may_hold(version, code)]


def _may_hold(version: StoredVersion | DamagedVersion, code: int) -> bool:
    try:
        return any(
            bool(np.any(ids == code))
            for file in (INTERACTIONS_FILE, MODEL_FILE)
            for name in USER_IDS
            for ids in read_arrays_named(version.path / file, name).values()
        )
    except ArtifactError:
        return True
