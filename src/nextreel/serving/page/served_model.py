"""Facts about each version of the model that is served: its training data, its metrics and its age."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, JsonValue
from starlette.datastructures import QueryParams

from nextreel.data.times import DAY, parse_timestamp
from nextreel.models.training.epochs import losses_by_part, read_epochs
from nextreel.prediction.manifest import FitFacts, FittedOn, ModelManifest
from nextreel.serving.inference.engine import Engine
from nextreel.serving.inference.service import Service
from nextreel.serving.page.learning_curves import Curves, draw_curves
from nextreel.serving.page.rendering import View
from nextreel.serving.storage.stored_versions import StoredVersion


class SavedMetric(BaseModel):
    """A metric of a saved evaluation, with its interval."""

    mean: float
    low: float
    high: float


class SavedProtocol(BaseModel):
    """What the page's sentence needs of the protocol of a saved evaluation."""

    history: str
    k: int


class SavedEvaluation(BaseModel):
    """What the page's sentence needs of an evaluation that `nextreel evaluate --save` added to a model."""

    protocol: SavedProtocol
    queries: int
    metrics: dict[str, SavedMetric]
    popularity: dict[str, SavedMetric] = {}
    """The metrics of recommending what is popular, on the same queries; empty for evaluations from before these."""


@dataclass(frozen=True)
class ServedModel:
    """Facts about one version of the model and about the store that it serves from."""

    version: StoredVersion
    data: FittedOn
    fit: FitFacts
    evaluations: Sequence[Mapping[str, JsonValue]]
    quality: str | None
    """How good the model is, in a sentence without terms of the field; None if no evaluation was saved with it."""
    config: Mapping[str, JsonValue]
    curves: Curves | None
    """Curves of the training and validation loss by epoch; None for a model that doesn't learn in epochs."""
    learned_until: int
    """Time of the latest interaction that the model was fitted on, POSIX seconds."""
    stored: int
    """Number of interactions in the store."""
    latest: int | None
    """Time of the latest interaction in the store, POSIX seconds."""
    days_behind: float
    """Days from `learned_until` to `latest`, at least 0."""
    days_since_fit: float


@dataclass(frozen=True)
class ServedModelsView(View):
    """Facts about each version of the model that is served: the current one and, in an experiment, the challenger."""

    cards: list[ServedModel]
    clock: str | None
    """What is wrong with the clock of the server; None if nothing is."""


def show(service: Service, parameters: QueryParams, is_full_page: bool) -> ServedModelsView:
    """Show facts about each version of the model that is served; the URL parameters have no effect."""
    return ServedModelsView([_describe(engine) for engine in service.engines], service.clock.problem)


def _describe(engine: Engine) -> ServedModel:
    version, snapshot = engine.version, engine.follower.last_snapshot
    manifest = ModelManifest.read(version.path)
    losses = losses_by_part(read_epochs(version.path))
    learned_until = parse_timestamp(version.data_until)
    latest = snapshot.latest_timestamp
    return ServedModel(
        version=version,
        data=manifest.data,
        fit=manifest.fit,
        evaluations=manifest.evaluations,
        quality=tell_quality(manifest.evaluations),
        config=manifest.config,
        curves=draw_curves({part: [loss for _, loss in points] for part, points in losses.items()}),
        learned_until=learned_until,
        stored=len(snapshot),
        latest=latest,
        days_behind=max(0.0, ((latest or learned_until) - learned_until) / DAY),
        days_since_fit=(time.time() - parse_timestamp(version.created_at)) / DAY,
    )


def tell_quality(evaluations: Sequence[Mapping[str, JsonValue]]) -> str | None:
    """Say how often the model's list had the movie that was searched for, beside a list of what is popular.

    An evaluation with live histories, as the server has them, is preferred. Returns None without an evaluation that
    has the recall.
    """
    saved = [SavedEvaluation.model_validate(evaluation) for evaluation in evaluations]
    for evaluation in sorted(saved, key=lambda evaluation: evaluation.protocol.history != "live"):
        k = evaluation.protocol.k
        recall = evaluation.metrics.get(f"Recall@{k}")
        if recall is None:
            continue
        found = (
            f"Asked {evaluation.queries:,} times what somebody would like next, it had that movie among its {k} "
            f"recommendations {recall.mean:.1%} of the time"
        )
        popular = evaluation.popularity.get(f"Recall@{k}")
        if popular is None:
            return f"{found}."
        return f"{found}: {_compare(recall, popular)} a list of what is popular ({popular.mean:.1%})."
    return None


def _compare(recall: SavedMetric, popular: SavedMetric) -> str:
    if recall.high < popular.low:
        return "less often than"
    if recall.low <= popular.high or popular.mean == 0:
        return "more often than" if popular.mean == 0 < recall.low else "about as often as"
    return f"{recall.mean / popular.mean:.1f} times as often as"
