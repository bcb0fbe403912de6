"""The manifest of a saved model as a typed object: what `manifest.json` says of the model, its data and its fit."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from nextreel.artifacts import MANIFEST
from nextreel.errors import ArtifactError


class FittedOn(BaseModel):
    """The interactions that a model was fitted on."""

    interactions: int
    users: int
    movies: int
    first: str = Field(alias="from")
    """Time of the first interaction, ISO 8601, UTC."""
    until: str
    """Time of the last interaction, ISO 8601, UTC."""
    sha256: str
    """Fingerprint of the data set."""


class FitFacts(BaseModel):
    """How a fit went."""

    model_config = ConfigDict(extra="allow")

    fit_seconds: float | None = None
    best_epoch: int | None = None
    """The epoch that was kept, counted from 1; None for a model that doesn't learn in epochs."""
    validation_ndcg: float | None = None
    """NDCG@10 of that epoch on the users who were held out."""


class ModelManifest(BaseModel):
    """What the manifest of a saved model says, apart from the files and their hashes."""

    model_config = ConfigDict(extra="allow")

    model: str
    """Name of the model, as the registry knows it."""
    config: dict[str, JsonValue]
    """All options."""
    created_at: str
    """When the model was saved, ISO 8601, UTC."""
    data: FittedOn
    fit: FitFacts = FitFacts()
    split: dict[str, JsonValue] = {}
    """The rule of the split that the training data came from; empty if it isn't known."""
    evaluations: list[dict[str, JsonValue]] = []
    """What `nextreel evaluate --save` noted."""

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read the manifest of a saved model, without verifying the files that it names.

        Raises
        ------
        ArtifactError
            There is no manifest, or it is damaged.
        """
        file = directory / MANIFEST
        try:
            return cls.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            raise ArtifactError(
                f"{directory} has no {MANIFEST}; expected a model saved by `nextreel fit`"
            ) from None
        except (OSError, ValidationError) as error:
            raise ArtifactError(f"{file} is damaged: {error}") from error
