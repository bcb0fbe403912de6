"""A predictor as a directory: the fitted model, its catalog, and the interactions that it answers from."""

import json
import platform
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from nextreel.arrays import read_arrays, write_arrays
from nextreel.artifacts import MANIFEST, read_manifest, seal
from nextreel.atomic_files import atomic_directory, replacing
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Timeline
from nextreel.errors import ArtifactError, ConfigError
from nextreel.models.registry import create_model, model_name, model_names
from nextreel.prediction.predictor import Predictor
from nextreel.version import __version__

PACKAGES = ("numpy", "polars", "scipy", "safetensors")
ARRAYS = ("user_ids", "movies", "ratings", "timestamps", "offsets")


def save(
    predictor: Predictor,
    path: Path | str,
    facts: dict[str, object] | None = None,
    add_files: Callable[[Path], None] = lambda directory: None,
) -> None:
    """Write a predictor to the directory `path`, which is replaced if it held one, in one step.

    `facts` join the manifest (how the fit went); `add_files` may put more files into the directory,
    such as the loss curve.
    """
    if not isinstance(predictor, Predictor):
        raise ConfigError(f"expected a Predictor(model, dataset), found a {type(predictor).__name__}")
    dataset, timeline = predictor.dataset, predictor.dataset.timeline
    manifest = {
        "nextreel": __version__,
        **_identify(predictor),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **(facts or {}),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    }
    with atomic_directory(Path(path), MANIFEST) as directory:
        write_arrays(predictor.model.state, directory / "model.safetensors")
        arrays = {name: getattr(timeline, name) for name in ARRAYS}
        write_arrays({"movie_ids": dataset.movie_ids, **arrays}, directory / "interactions.safetensors")
        dataset.movies.write_parquet(directory / "movies.parquet")
        dataset.users.write_parquet(directory / "users.parquet")
        add_files(directory)
        seal(directory, manifest)


def add_evaluation(predictor: Predictor, path: Path | str, figures: Mapping[str, Any]) -> None:
    """Note in the manifest of a saved predictor, in one step, how good it was found to be.

    `figures` has at least the `protocol` and the `test` part with its `sha256`; it takes the place of an earlier
    evaluation of the same. Raises ArtifactError if the directory is damaged or holds another model by now.
    """
    manifest = read_manifest(Path(path))
    if any(manifest.get(name) != value for name, value in _identify(predictor).items()):
        raise ArtifactError(f"{path} isn't the model that was evaluated any more; nothing was noted")
    others = [
        each
        for each in manifest.get("evaluations", [])
        if (each["protocol"], each["test"]["sha256"]) != (figures["protocol"], figures["test"]["sha256"])
    ]
    with replacing(Path(path) / MANIFEST) as temporary:
        text = json.dumps({**manifest, "evaluations": [*others, figures]}, indent=2)
        temporary.write_text(text + "\n", encoding="utf-8")


def load(path: Path | str) -> Predictor:
    """Read a predictor back; ArtifactError if anything is missing, cut, changed or of a newer format."""
    return load_with_manifest(Path(path))[0]


def load_with_manifest(directory: Path) -> tuple[Predictor, dict[str, Any]]:
    """As `load`, with the manifest, which holds what `save` was told about the fit."""
    manifest = read_manifest(directory)
    arrays: dict[str, Any] = read_arrays(directory / "interactions.safetensors")
    try:
        if manifest["model"] not in model_names():
            raise ArtifactError(
                f"{directory} holds the model {manifest['model']!r}, which isn't registered here: install the package "
                "that provides it, or register its class with nextreel.register_model"
            )
        model = create_model(manifest["model"], manifest["config"])
        dataset = Dataset(
            timeline=Timeline(**{name: arrays[name] for name in ARRAYS}),
            movie_ids=arrays["movie_ids"],
            users=pl.read_parquet(directory / "users.parquet"),
            movies=pl.read_parquet(directory / "movies.parquet"),
        )
        model.restore(read_arrays(directory / "model.safetensors"))
    except (KeyError, ConfigError) as error:
        raise ArtifactError(f"{directory} was saved by another nextreel ({error}): refit it") from error
    return Predictor(model, dataset), manifest


def _identify(predictor: Predictor) -> dict[str, object]:
    """What makes two predictors the same one, since a fit has no chance but its seed."""
    return {
        "model": model_name(predictor.model),
        "config": predictor.model.config.model_dump(mode="json"),
        "data": describe(predictor.dataset),
    }


def describe(dataset: Dataset) -> dict[str, object]:
    """What a model was fitted on: sizes, the time it spans (ISO 8601, UTC) and a fingerprint."""
    first, last = (
        datetime.fromtimestamp(int(reduce(dataset.timeline.timestamps)), UTC).isoformat()
        for reduce in (np.min, np.max)
    )
    return {
        "interactions": len(dataset.timeline),
        "users": dataset.n_users,
        "movies": dataset.n_movies,
        "from": first,
        "until": last,
        "sha256": dataset.fingerprint,
    }
