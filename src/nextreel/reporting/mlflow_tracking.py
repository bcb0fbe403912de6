"""Runs in MLflow: a model's options as parameters, figures as metrics, what they rest on as tags, files as artifacts.

Where they go is MLflow's business: MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME, and MLFLOW_RUN_ID to add to a run that
is there already. Its names have no "@", so NDCG@10 of live histories is `live/NDCG_at_10`, with `_low` and `_high`.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nextreel.artifacts import MANIFEST
from nextreel.errors import NextreelError, require
from nextreel.evaluation.comparison.leaderboard import Leaderboard
from nextreel.models.training.epochs import EPOCHS, read_epochs
from nextreel.version import __version__


@contextmanager
def tracked(name: str, wanted: bool = True) -> Iterator[None]:
    """A run for what is logged in the block; none where it isn't wanted.

    It starts with the block, so that a store that can't be reached is known before a long fit. Raises
    MissingExtraError without MLflow, and NextreelError for what MLflow objects to.
    """
    if not wanted:
        yield
        return
    mlflow = require("mlflow", "mlflow")
    try:
        with mlflow.start_run(run_name=name):
            yield
    except mlflow.MlflowException as error:
        raise NextreelError(f"MLflow: {error}") from error


def log_fit(directory: Path) -> None:
    """Log a saved model: how its fit went, each epoch as a step, with the curve and the manifest as artifacts."""
    mlflow = require("mlflow", "mlflow")
    manifest = _read_json(directory / MANIFEST)
    _log_model(manifest["model"], manifest["config"])
    _log_tags(manifest["data"]["sha256"], split=manifest["split"])
    for epoch in read_epochs(directory):
        figures = {name: value for name, value in asdict(epoch).items() if value is not None}
        mlflow.log_metrics(figures, step=figures.pop("number"))
    fit = manifest["fit"]
    mlflow.log_metrics({f"best_{name}" if name == "validation_ndcg" else name: fit[name] for name in fit})
    for file in (directory / MANIFEST, *directory.glob(EPOCHS), *directory.glob("loss.*")):
        mlflow.log_artifact(str(file))


def log_evaluation(facts: Mapping[str, Any]) -> None:
    """Log what `nextreel evaluate --json` writes."""
    history = facts["protocol"]["history"]
    _log_model(facts["model"], facts["config"])
    _log_tags(
        facts["fitted_on"]["sha256"],
        split=facts["split"],
        protocol=facts["protocol"],
        test_sha256=facts["test"]["sha256"],
    )
    mlflow = require("mlflow", "mlflow")
    mlflow.log_metrics(_name_figures(facts["metrics"], history))
    mlflow.log_dict(facts, f"evaluation_{history}.json")


def log_leaderboard(board: Leaderboard) -> None:
    """Log a comparison: the whole of it as an artifact, and each model as a run of its own within the run."""
    mlflow, facts = require("mlflow", "mlflow"), board.facts()
    about = {"split": facts["split"], "protocol": facts["protocol"]}
    _log_tags(facts["data"]["sha256"], **about)
    mlflow.log_dict(facts, "leaderboard.json")
    for each in facts["models"]:
        with mlflow.start_run(run_name=each["name"], nested=True):
            _log_model(each["model"], each["config"])
            _log_tags(facts["data"]["sha256"], **about)
            costs = {name: each[name] for name in ("fit_seconds", "peak_memory_gib")}
            for history, found in each["histories"].items():
                costs[f"{history}/queries_per_second"] = found["queries_per_second"]
                mlflow.log_metrics(_name_figures({**found["metrics"], **found["lists"]}, history))
            mlflow.log_metrics({name: cost for name, cost in costs.items() if cost is not None})


def _log_model(name: str, config: Mapping[str, object]) -> None:
    require("mlflow", "mlflow").log_params({"model": name, **config})


def _log_tags(data_sha256: str, **more: object) -> None:
    told = {name: value if isinstance(value, str) else json.dumps(value) for name, value in more.items()}
    require("mlflow", "mlflow").set_tags({"nextreel": __version__, "data_sha256": data_sha256, **told})


def _name_figures(figures: Mapping[str, Any], history: str) -> dict[str, float]:
    """Estimates and plain numbers by MLflow's names."""
    named: dict[str, float] = {}
    for name, figure in figures.items():
        key = f"{history}/{name.replace('@', '_at_')}"
        ends = {"mean": figure} if isinstance(figure, int | float) else figure
        named |= {key if end == "mean" else f"{key}_{end}": value for end, value in ends.items()}
    return named


def _read_json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))
