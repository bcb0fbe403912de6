"""The manifest of a saved model, typed: what `manifest.json` says of the model, its data and its fit."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from nextreel.artifacts import MANIFEST, read_entries, read_manifest
from nextreel.data.data_format import ANY_FORMAT, DataFormat
from nextreel.data.dataset import Dataset
from nextreel.errors import ArtifactError


class FittedOn(BaseModel):
    """Size, period and fingerprint of the data set that a model was fitted on."""

    interactions: int
    """Number of interactions that the model was fitted on."""
    users: int
    """Number of users in the data set that the model was fitted on."""
    movies: int
    """Number of movies in the catalog, with or without interactions."""
    first: str = Field(alias="from")
    """Time of the first interaction, ISO 8601, UTC."""
    until: str
    """Time of the last interaction, ISO 8601, UTC."""
    sha256: str
    """SHA-256 of the data set, `Dataset.fingerprint`, which identifies it."""

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        """Return size, period and fingerprint of a data set."""
        timestamps = dataset.timeline.timestamps
        return cls.model_validate(
            {
                "interactions": len(dataset.timeline),
                "users": dataset.n_users,
                "movies": dataset.n_movies,
                "from": _to_iso(int(timestamps.min())),
                "until": _to_iso(int(timestamps.max())),
                "sha256": dataset.fingerprint,
            }
        )


class FitFacts(BaseModel):
    """Results of a fit: its duration, and the epoch that was kept."""

    model_config = ConfigDict(extra="allow")

    fit_seconds: float | None = None
    """Duration of the fit in seconds."""
    best_epoch: int | None = None
    """The training epoch whose weights were kept, counted from 1; None for a model that doesn't choose one."""
    validation_ndcg: float | None = None
    """NDCG@10 after `best_epoch`, on users who were held out of the training data; None without `best_epoch`."""


class FileFacts(BaseModel):
    """What the manifest says of a file beside it."""

    sha256: str


class ModelManifest(BaseModel):
    """What the manifest of a saved model says."""

    model_config = ConfigDict(extra="allow")

    model: str
    """Name of the model, under which nextreel's registry finds its class."""
    config: dict[str, JsonValue]
    """All options of the model, defaults included."""
    created_at: str
    """When the model was saved, ISO 8601, UTC."""
    data: FittedOn
    """Size, period and fingerprint of the data set that the model was fitted on."""
    fit: FitFacts = FitFacts()
    """Duration of the fit and the epoch that was kept, as far as they were noted."""
    store: str | None = None
    """Identity of the server's store that wrote the data the model was fitted on; None if no store did."""
    data_format: DataFormat = ANY_FORMAT
    """Names of the columns in the user's files, the kinds of ids, and what the ratings mean."""
    split: dict[str, JsonValue] = {}
    """The rule by which the training data was split from the test data, as JSON; empty if unknown."""
    files: dict[str, FileFacts] = {}
    """The files beside the manifest, by name."""
    evaluations: list[dict[str, JsonValue]] = []
    """Results of the evaluations of this saved model that `nextreel evaluate --save` added."""

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read the manifest of a saved model, without verifying the files that it names.

        Raises
        ------
        ArtifactError
            There is no manifest, or it is damaged.
        """
        return cls._of(read_entries(directory), directory)

    @classmethod
    def read_verified(cls, directory: Path) -> Self:
        """Read the manifest of a saved model, after verifying the size and the hash of every file that it names.

        Raises
        ------
        ArtifactError
            There is no manifest, it is damaged or of a newer format, or a file is missing or changed.
        """
        return cls._of(read_manifest(directory), directory)

    @classmethod
    def _of(cls, entries: dict[str, JsonValue], directory: Path) -> Self:
        try:
            return cls.model_validate(entries)
        except ValidationError as error:
            raise ArtifactError(f"{directory / MANIFEST} is damaged: {_first_problem(error)}") from error


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    place = ".".join(map(str, problem["loc"]))
    return f"{place}: {problem['msg']}" if place else problem["msg"]


def _to_iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
