"""One version of a model: where it is saved, and what its manifest says of it."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from nextreel.artifacts import MANIFEST
from nextreel.errors import ArtifactError
from nextreel.prediction.manifest import ModelManifest


@dataclass(frozen=True)
class StoredVersion:
    """A saved model in a version directory, and what its manifest says."""

    name: str
    path: Path
    """Directory of the saved model."""
    current: bool
    """Whether this is the version to serve."""
    model: str
    """Name of the model, such as "blend"."""
    created_at: str
    """When the model was saved, ISO 8601, UTC."""
    data_until: str
    """Time of the latest interaction that it was fitted on, ISO 8601, UTC."""
    validation_ndcg: float | None
    """NDCG@10 on the users held out of the fit; None if none were."""


@dataclass(frozen=True)
class DamagedVersion:
    """A version whose manifest can't be read."""

    name: str
    path: Path
    """Directory of the saved model."""
    current: bool
    """Whether this is the version to serve."""
    problem: str
    """What is wrong with the manifest."""


def name_by_content(artifact: Path) -> str:
    """Return a name such as 20261125T005100Z-1f0c3a9b: when the model was saved, and a hash of its files."""
    manifest = ModelManifest.read(artifact)
    try:
        saved = datetime.fromisoformat(manifest.created_at).astimezone(UTC)
    except ValueError as error:
        raise ArtifactError(f"{artifact / MANIFEST} is damaged: {error}") from error
    hashes = "\n".join(f"{name} {file.sha256}" for name, file in sorted(manifest.files.items()))
    return f"{saved:%Y%m%dT%H%M%SZ}-{hashlib.sha256(hashes.encode()).hexdigest()[:8]}"


def read_version(name: str, path: Path, current: bool) -> StoredVersion:
    """Read the manifest alone, without the files that it names, which may be large."""
    manifest = ModelManifest.read(path)
    return StoredVersion(
        name,
        path,
        current,
        model=manifest.model,
        created_at=manifest.created_at,
        data_until=manifest.data.until,
        validation_ndcg=manifest.fit.validation_ndcg,
    )


def try_to_read_version(name: str, path: Path, current: bool) -> StoredVersion | DamagedVersion:
    """Return what `read_version` does, or what is wrong with the manifest."""
    try:
        return read_version(name, path, current)
    except ArtifactError as error:
        return DamagedVersion(name, path, current, str(error))


def when_saved(version: StoredVersion | DamagedVersion) -> tuple[str, int]:
    """Return a key that orders versions by when they were saved, those of the same second by their directories."""
    created_at = "" if isinstance(version, DamagedVersion) else version.created_at
    try:
        return created_at, version.path.stat().st_mtime_ns
    except OSError:  # it was deleted meanwhile
        return created_at, 0
