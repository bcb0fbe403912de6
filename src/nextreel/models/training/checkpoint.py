"""A checkpoint: where a long fit stands after an epoch, so that it can go on as if nothing had happened."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nextreel.arrays import read_arrays, write_arrays
from nextreel.artifacts import MANIFEST, read_manifest, seal
from nextreel.atomic_files import atomic_directory
from nextreel.data.dataset import Dataset
from nextreel.errors import ArtifactError
from nextreel.models.training.epochs import Epoch
from nextreel.options import Options

ARRAYS = "arrays.safetensors"

Identity = dict[str, str | int | float | None]
"""What makes two fits the same one: the model, its options, fingerprints of its data."""


def identify_fit(model: str, config: Options, dataset: Dataset, validation: Dataset | None) -> Identity:
    """What tells this fit from others."""
    return {
        "model": model,
        "training data": dataset.fingerprint,
        "validation data": validation.fingerprint if validation is not None else None,
        **{f"option {name}": value for name, value in config.model_dump(mode="json").items()},
    }


def write_checkpoint(
    directory: Path, identity: Identity, history: list[Epoch], arrays: Mapping[str, npt.NDArray[np.generic]]
) -> None:
    """Put a checkpoint in the place of the one before, in one step."""
    with atomic_directory(directory, MANIFEST) as aside:
        write_arrays(dict(arrays), aside / ARRAYS)
        seal(aside, {"fit": identity, "history": [asdict(epoch) for epoch in history]})


def read_checkpoint(directory: Path, identity: Identity) -> tuple[list[Epoch], dict[str, npt.NDArray[Any]]]:
    """The epochs done and the arrays; ArtifactError if it is missing, damaged, or of another fit."""
    if not (directory / MANIFEST).is_file():
        raise ArtifactError(f"{directory} holds no checkpoint to go on from; fit without resuming")
    manifest = read_manifest(directory)
    try:
        there, history = dict(manifest["fit"]), [Epoch(**epoch) for epoch in manifest["history"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{directory} isn't a checkpoint; fit without resuming") from error
    if differences := _find_differences(there, identity):
        raise ArtifactError(f"{directory} is the checkpoint of another fit: {'; '.join(differences)}")
    return history, read_arrays(directory / ARRAYS)


def _find_differences(there: Mapping[str, object], here: Mapping[str, object]) -> list[str]:
    return [
        f"{name} was {there.get(name)}, now is {here.get(name)}"
        for name in sorted(there.keys() | here.keys())
        if there.get(name) != here.get(name)
    ]
