"""Checkpoints: the epochs done and the arrays of a fit in progress, from which an interrupted fit can continue.

A resumed fit gives the same arrays, bit for bit, as one that was never interrupted.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, JsonValue, ValidationError

from nextreel.arrays import Arrays, read_arrays, write_arrays
from nextreel.artifacts import MANIFEST, read_manifest, seal
from nextreel.atomic_files import atomic_directory
from nextreel.atomic_files.unfinished import recover_directory
from nextreel.data.dataset import Dataset
from nextreel.errors import ArtifactError
from nextreel.models.training.epochs import Epoch
from nextreel.options import Options

ARRAYS = "arrays.safetensors"

FitIdentity = dict[str, str | int | float | None]
"""What two fits must have in common for one to continue the other: the model, its options, and the fingerprints of the
training and validation data."""


def identify_fit(model: str, config: Options, dataset: Dataset, validation: Dataset | None) -> FitIdentity:
    """Return what a checkpoint is compared by before a fit of `model` continues from it.

    `validation` is None for a fit without validation data.
    """
    return {
        "model": model,
        "training data": dataset.fingerprint,
        "validation data": validation.fingerprint if validation is not None else None,
        **{f"option {name}": value for name, value in config.model_dump(mode="json").items()},
    }


def write_checkpoint(
    directory: Path, fit: FitIdentity, history: list[Epoch], arrays: Mapping[str, npt.NDArray[np.generic]]
) -> None:
    """Replace the checkpoint in `directory` atomically: a reader sees the previous checkpoint or this one."""
    with atomic_directory(directory, MANIFEST) as temporary:
        write_arrays(dict(arrays), temporary / ARRAYS)
        seal(temporary, {"fit": fit, "history": [asdict(epoch) for epoch in history]})


def read_checkpoint(directory: Path, fit: FitIdentity) -> tuple[list[Epoch], Arrays]:
    """Read the records of the epochs done and the arrays of a checkpoint.

    Raises
    ------
    ArtifactError
        The checkpoint is missing or damaged, or belongs to a fit other than `fit`; the message lists the differences.
    """
    recover_directory(directory)
    if not (directory / MANIFEST).is_file():
        raise ArtifactError(f"{directory} holds no checkpoint to continue from; fit without resuming")
    manifest = read_manifest(directory)
    try:
        saved = _CheckpointManifest.model_validate(manifest)
    except ValidationError as error:
        raise ArtifactError(f"{directory} isn't a checkpoint; fit without resuming") from error
    if differences := _list_differences(saved.fit, fit):
        raise ArtifactError(f"{directory} is the checkpoint of another fit: {'; '.join(differences)}")
    return saved.history, read_arrays(directory / ARRAYS)


class _CheckpointManifest(BaseModel):
    fit: dict[str, JsonValue]
    history: list[Epoch]


def _list_differences(saved: Mapping[str, JsonValue], current: FitIdentity) -> list[str]:
    return [
        f"{name} was {saved.get(name)}, now is {current.get(name)}"
        for name in sorted(saved.keys() | current.keys())
        if saved.get(name) != current.get(name)
    ]
