"""Logging to MLflow: options become parameters, metrics stay metrics, data and protocol become tags.

MLflow's own environment variables say where runs are logged: MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME, and
MLFLOW_RUN_ID to add to an existing run. Metric names can't contain "@" in MLflow, so NDCG@10 under live histories is
logged as `live/NDCG_at_10`, with the ends of its interval as `live/NDCG_at_10_low` and `live/NDCG_at_10_high`.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from pydantic import BaseModel, JsonValue

from nextreel.artifacts import MANIFEST
from nextreel.data.splitting.split_rules import describe_rule
from nextreel.errors import NextreelError, require
from nextreel.evaluation.bootstrap import Estimate
from nextreel.evaluation.comparison.contestants import ContestantRun
from nextreel.evaluation.comparison.leaderboard import Leaderboard
from nextreel.models.training.epochs import EPOCHS, read_epochs
from nextreel.prediction.manifest import ModelManifest
from nextreel.version import __version__


@contextmanager
def tracked(name: str, wanted: bool = True) -> Iterator[None]:
    """Start an MLflow run called `name` for everything that is logged within the block; do nothing unless `wanted`.

    The run starts before the block, so an unreachable tracking server is reported before a long fit.

    Raises
    ------
    MissingExtraError
        MLflow isn't installed.
    NextreelError
        MLflow reports an error.
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
    """Log a saved model to the current MLflow run: its options, the records of its training epochs, the loss curve and
    the manifest.

    Raises MissingExtraError if MLflow isn't installed and ArtifactError if the manifest is missing or damaged.
    """
    mlflow = require("mlflow", "mlflow")
    manifest = ModelManifest.read(directory)
    _log_model(manifest.model, manifest.config)
    _log_tags(manifest.data.sha256, split=manifest.split)
    for epoch in read_epochs(directory):
        metrics = {name: value for name, value in asdict(epoch).items() if value is not None}
        mlflow.log_metrics(metrics, step=metrics.pop("number"))
    fit = manifest.fit.model_dump(exclude_none=True)
    mlflow.log_metrics({f"best_{name}" if name == "validation_ndcg" else name: fit[name] for name in fit})
    for file in (directory / MANIFEST, *directory.glob(EPOCHS), *directory.glob("loss.*")):
        mlflow.log_artifact(str(file))


class _DataHash(BaseModel):
    sha256: str


class _EvaluationFacts(BaseModel):
    """The part of an evaluation's JSON that becomes parameters, metrics and tags."""

    model: str
    config: dict[str, JsonValue]
    fitted_on: _DataHash
    split: dict[str, JsonValue]
    protocol: dict[str, JsonValue]
    test: _DataHash
    metrics: dict[str, Estimate]


def log_evaluation(facts: Mapping[str, object]) -> None:
    """Log an evaluation to the current MLflow run; `facts` is the object that `nextreel evaluate --json` writes.

    Raises MissingExtraError if MLflow isn't installed.
    """
    mlflow, evaluation = require("mlflow", "mlflow"), _EvaluationFacts.model_validate(facts)
    history = str(evaluation.protocol["history"])
    _log_model(evaluation.model, evaluation.config)
    _log_tags(
        evaluation.fitted_on.sha256,
        split=evaluation.split,
        protocol=evaluation.protocol,
        test_sha256=evaluation.test.sha256,
    )
    mlflow.log_metrics(_name_metrics(evaluation.metrics, history))
    mlflow.log_dict(facts, f"evaluation_{history}.json")


def log_leaderboard(board: Leaderboard) -> None:
    """Log a comparison to the current MLflow run: the whole leaderboard as an artifact, and each model as a nested run.

    Raises MissingExtraError if MLflow isn't installed.
    """
    mlflow = require("mlflow", "mlflow")
    data_sha256 = board.parts.train.fingerprint
    _log_tags(data_sha256, split=describe_rule(board.parts.rule), protocol=board.protocol)
    mlflow.log_dict(board.facts(), "leaderboard.json")
    for name, run in board.runs.items():
        with mlflow.start_run(run_name=name, nested=True):
            _log_model(run.model, run.config)
            _log_tags(data_sha256, split=describe_rule(board.parts.rule), protocol=board.protocol)
            for history, figures in board.figures.items():
                lists = figures[name].lists
                mlflow.log_metrics(_name_metrics(figures[name].metrics, history))
                mlflow.log_metrics(_name_metrics({**lists.by_query, **lists.overall}, history))
            mlflow.log_metrics(_costs_of(run))


def _costs_of(run: ContestantRun) -> dict[str, float]:
    """Return the known costs of a contestant, such as its fit time, rounded as in the leaderboard's JSON."""
    costs = {"fit_seconds": (run.fit_seconds, 3), "peak_memory_gib": (run.peak_memory_gib, 3)}
    costs |= {f"{history}/queries_per_second": (lists.rate, 1) for history, lists in run.lists.items()}
    return {name: round(cost, digits) for name, (cost, digits) in costs.items() if cost is not None}


def _log_model(name: str, config: Mapping[str, JsonValue]) -> None:
    require("mlflow", "mlflow").log_params({"model": name, **config})


def _log_tags(data_sha256: str, **facts: JsonValue) -> None:
    tags = {name: value if isinstance(value, str) else json.dumps(value) for name, value in facts.items()}
    require("mlflow", "mlflow").set_tags({"nextreel": __version__, "data_sha256": data_sha256, **tags})


def _name_metrics(metrics: Mapping[str, Estimate | float], history: str) -> dict[str, float]:
    """Return the means of the metrics and the ends of their intervals under names that MLflow accepts, such as
    `live/NDCG_at_10`."""
    named: dict[str, float] = {}
    for name, metric in metrics.items():
        key = f"{history}/{name.replace('@', '_at_')}"
        if isinstance(metric, Estimate):
            named |= {key: metric.mean, f"{key}_low": metric.low, f"{key}_high": metric.high}
        else:
            named[key] = metric
    return named
