"""A predictor as a directory: the fitted model, its catalog, and the interactions that histories come from."""

import os
import platform
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from pydantic import BaseModel, JsonValue, TypeAdapter

from nextreel.arrays import Arrays, map_arrays, read_arrays, write_arrays
from nextreel.artifacts import MANIFEST, format_manifest, list_files, read_manifest, seal
from nextreel.atomic_files import atomic_directory, replacing
from nextreel.data.data_format import FORMAT_KEY
from nextreel.errors import ArtifactError, ConfigError
from nextreel.models.registry import create_model, model_name, model_names
from nextreel.models.saved_state import restore_checked
from nextreel.prediction.manifest import FittedOn, ModelManifest
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saved_dataset import (
    INTERACTIONS_FILE,
    LINKS_FILE,
    MOVIES_FILE,
    ORDER_FILE,
    USERS_FILE,
    read_dataset_files,
    write_dataset,
)
from nextreel.version import __version__

PACKAGES = ("numpy", "polars", "scipy", "safetensors")
"""Packages whose installed versions are noted in the manifest of a saved model."""
MODEL_FILE = "model.safetensors"
FILES = (MODEL_FILE, INTERACTIONS_FILE, MOVIES_FILE, USERS_FILE)
"""The files that every saved predictor has, beside the manifest."""
MOST_ATTEMPTS = 10
"""Number of times that a directory is read anew because it was replaced meanwhile."""


def save(
    predictor: Predictor,
    path: Path | str,
    facts: Mapping[str, object] | None = None,
    add_files: Callable[[Path], None] = lambda directory: None,
) -> None:
    """Save a predictor to a directory.

    The directory is written completely or not at all; a predictor that was saved there before is replaced.

    Parameters
    ----------
    predictor : Predictor
        A fitted model with its dataset.
    path : Path | str
        Directory to write; an earlier saved model in it is replaced.
    facts : mapping of JSON values, or None
        Further entries of the manifest, such as how the fit went.
    add_files : Callable[[Path], None]
        Called with the directory to write further files into it, such as the loss curve.

    Raises
    ------
    ConfigError
        `predictor` is no Predictor, or the class of its model isn't registered under a name.
    NotFittedError
        The model isn't fitted.
    ArtifactError
        `path` exists and holds anything else than a saved model.
    """
    if not isinstance(predictor, Predictor):
        raise ConfigError(f"expected a Predictor(model, dataset), found a {type(predictor).__name__}")
    dataset = predictor.dataset
    manifest = {
        "nextreel": __version__,
        **_identify(predictor),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **({FORMAT_KEY: format_} if (format_ := dataset.format.to_json()) else {}),
        **(facts or {}),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    }
    with atomic_directory(Path(path), MANIFEST) as directory:
        write_arrays(predictor.model.state, directory / MODEL_FILE)
        write_dataset(dataset, directory)
        add_files(directory)
        seal(directory, manifest)


def load(path: Path | str) -> Predictor:
    """Load a saved predictor.

    Raises
    ------
    ArtifactError
        The directory isn't a saved model, a file of it is missing or changed, or it has a newer format.
    """
    return load_with_manifest(Path(path))[0]


def load_mapped(directory: Path) -> tuple[Predictor, ModelManifest]:
    """Load a saved predictor with its manifest as `load` does, but map its arrays instead of reading them.

    So they take memory only once for all processes that map them (see `map_arrays`). On Windows, where a mapped file
    couldn't be replaced, they are read.
    """
    return load_with_manifest(directory, read_arrays if os.name == "nt" else map_arrays)


def load_with_manifest(
    directory: Path, read: Callable[[Path], Arrays] = read_arrays
) -> tuple[Predictor, ModelManifest]:
    """Load a saved predictor with its manifest, its arrays by `read`; raises ArtifactError as `load` does.

    If the directory is replaced meanwhile, it is read again, so that no part of one model comes with another one.
    """
    for attempt in range(1, MOST_ATTEMPTS + 1):
        before = _identify_directory(directory)
        try:
            loaded = _load(directory, read)
        except ArtifactError:
            if attempt == MOST_ATTEMPTS or _identify_directory(directory) == before:
                raise
            continue
        if _identify_directory(directory) == before:
            return loaded
    raise ArtifactError(f"{directory} is replaced again and again; try again when no fit writes to it")


def _load(directory: Path, read: Callable[[Path], Arrays]) -> tuple[Predictor, ModelManifest]:
    manifest = ModelManifest.read_verified(directory)
    for name in FILES:
        if name not in manifest.files:
            raise ArtifactError(f"{directory / MANIFEST} lists no {name}; the saved model is incomplete")
    if manifest.model not in model_names():
        raise ArtifactError(
            f"{directory} holds the model {manifest.model!r}, which isn't registered here: install the package "
            "that provides it, or register its class with nextreel.register_model"
        )
    try:
        model = create_model(manifest.model, {**manifest.config})
    except ConfigError as error:
        raise ArtifactError(f"{directory} was saved by another nextreel ({error}): refit it") from error
    has_order, has_links = ORDER_FILE in manifest.files, LINKS_FILE in manifest.files
    dataset = read_dataset_files(directory, manifest.data_format, has_order, has_links, read)
    arrays = read(directory / MODEL_FILE)
    try:
        return Predictor(restore_checked(model, arrays, dataset.n_movies), dataset), manifest
    except ArtifactError as error:
        raise ArtifactError(
            f"{directory / MODEL_FILE} doesn't hold a {manifest.model} model of these options: {error}"
        ) from error


def _identify_directory(directory: Path) -> tuple[int, ...]:
    """Return what changes if a directory, or a name in it, is replaced."""
    try:
        state = directory.stat()
    except OSError:
        return ()
    return state.st_dev, state.st_ino, state.st_ctime_ns


def copy_model(source: Path, path: Path) -> None:
    """Copy a saved model with the files that its manifest lists; ArtifactError if it is damaged."""
    files = list_files(read_manifest(source))
    with atomic_directory(path, MANIFEST) as copy:
        for file in (*files, MANIFEST):
            shutil.copyfile(source / file, copy / file)
        read_manifest(copy)  # verifies the hashes: the source may have been replaced while it was copied


def add_evaluation(predictor: Predictor, path: Path | str, figures: Mapping[str, object]) -> None:
    """Add the result of an evaluation to the manifest of the saved predictor that was evaluated.

    Parameters
    ----------
    predictor : Predictor
        The predictor as it was loaded from `path`.
    path : Path | str
        Directory of the saved predictor.
    figures : mapping of JSON values
        What to add, with at least the `protocol` and the `sha256` of the `test` part. It replaces an earlier evaluation
        with the same protocol and test part.

    Raises
    ------
    ArtifactError
        The directory is damaged, or another model was saved there since.
    """
    manifest = read_manifest(Path(path))
    if any(manifest.get(name) != value for name, value in _identify(predictor).items()):
        raise ArtifactError(f"{path} isn't the model that was evaluated any more; nothing was added to it")
    key = _EvaluationKey.model_validate(dict(figures))
    evaluations = TypeAdapter(list[JsonValue]).validate_python(manifest.get("evaluations", []))
    kept = [evaluation for evaluation in evaluations if _EvaluationKey.model_validate(evaluation) != key]
    with replacing(Path(path) / MANIFEST) as temporary:
        text = format_manifest({**manifest, "evaluations": [*kept, figures]})
        temporary.write_text(text, encoding="utf-8")


class _TestPart(BaseModel):
    sha256: str


class _EvaluationKey(BaseModel):
    """What distinguishes one evaluation of a model from another: the protocol and the test data."""

    protocol: dict[str, JsonValue]
    test: _TestPart


def _identify(predictor: Predictor) -> dict[str, JsonValue]:
    """Return name, options and training data of a fitted model, which identify it: a fit is deterministic."""
    return {
        "model": model_name(predictor.model),
        "config": predictor.model.config.model_dump(mode="json"),
        "data": FittedOn.of(predictor.dataset).model_dump(by_alias=True),
    }
