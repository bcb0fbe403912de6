"""The contestants of a comparison: parsing them, and running one of them on all queries of a test part.

A fit sees nothing of the test part, not even as validation data. A contestant can also be a saved model, which is not
fitted again, or a file with the lists of another recommender.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue

from nextreel.arrays import Int32Array
from nextreel.data.splitting.split_directory import TrainTest
from nextreel.data.timeline import Ties
from nextreel.errors import ConfigError
from nextreel.evaluation.comparison.external_lists import read_external_lists
from nextreel.evaluation.protocol import EvaluationQueries, HistoryMode
from nextreel.models.base import Recommender
from nextreel.models.registry import PRESETS, create_model, model_name, model_names
from nextreel.models.training.epochs import Epoch, Training, read_epochs
from nextreel.prediction.fitting import measure_peak_memory
from nextreel.prediction.saving import load_with_manifest


@dataclass(frozen=True)
class Contestant:
    """A named participant of a comparison: a model to fit, a saved model or a file of recommendation lists."""

    name: str
    """Name of the contestant in the leaderboard."""
    model: str
    """Name of a model or a preset, or the path of a saved model or a file of lists."""
    options: Mapping[str, object] = field(default_factory=dict)
    """Options of the model that differ from its defaults; empty if `model` is a path."""

    @property
    def path(self) -> Path | None:
        """Path of the saved model or of the file of recommendation lists; None for a model that has to be fitted."""
        return None if self.model in (*PRESETS, *model_names()) else Path(self.model)


@dataclass(frozen=True)
class ContestantLists:
    """The recommendation lists of one contestant for all queries under one history mode (frozen or live)."""

    movies: Int32Array
    """int32[n_queries, k]: movie indices, best first."""
    personal: int
    """Number of queries that the contestant ranked itself; the others were ranked by popularity."""
    seconds: float | None
    """Time that ranking all queries took, in seconds; None for a file of lists."""

    @property
    def rate(self) -> float | None:
        """Number of queries ranked per second; None for a file of lists."""
        return None if self.seconds is None else len(self.movies) / self.seconds


@dataclass(frozen=True)
class ContestantRun:
    """The result of running one contestant: its recommendation lists, and the time and memory that they took."""

    contestant: Contestant
    model: str
    """Name under which the model is registered, such as "ease"; the file's name for a file of lists."""
    config: dict[str, JsonValue]
    """All options of the model, including defaults; empty for a file of lists."""
    fit_seconds: float | None
    """Duration of the fit in seconds, read from the manifest of a saved model; None for a file of lists."""
    peak_memory_gib: float | None
    """Peak memory in GiB of the process that fitted the model and ranked with it; None if no model was fitted there."""
    lists: dict[HistoryMode, ContestantLists]
    """Recommendation lists by history mode (frozen or live)."""
    lists_otherwise: dict[HistoryMode, ContestantLists] = field(default_factory=dict)
    """Lists with seen movies included if `lists` excludes them, and the other way round, for history modes in which a
    query asks for a seen movie; empty for a file of lists."""
    epochs: Sequence[Epoch] = ()
    """Records of the model's training epochs; empty for a model that isn't trained in epochs."""


def parse_contestants(models: Sequence[str], options: Mapping[str, object]) -> list[Contestant]:
    """Parse contestants such as "ease", "wide=ease" or "mine=PATH" (NAME=MODEL), and options such as
    "wide.regularization" (NAME.OPTION).

    Raises
    ------
    ConfigError
        A model or an option is unknown, two contestants have the same name, or there is none.
    """
    models_by_name = _parse_names(models)
    options_by_name = _parse_options(options, list(models_by_name))
    contestants = [Contestant(name, model, options_by_name[name]) for name, model in models_by_name.items()]
    for contestant in contestants:
        _check_contestant(contestant)
    return contestants


def run_contestant(
    contestant: Contestant,
    parts: TrainTest,
    modes: Sequence[HistoryMode],
    k: int,
    exclude_seen: bool = True,
    ties: Ties | None = None,
) -> ContestantRun:
    """Fit a contestant on the train part, or load it, and rank the queries of the test part under each history mode.

    Raises
    ------
    ConfigError
        A saved model was fitted on anything but the train part.
    DataError
        A file of lists is malformed or has a list that isn't allowed.
    """
    path = contestant.path
    if path is not None and path.is_file():
        lists = {
            mode: _read_lists(path, _create_queries(parts, mode, ties), k, exclude_seen) for mode in modes
        }
        return ContestantRun(contestant, path.name, {}, None, None, lists)
    if path is not None:
        model, fit_seconds, epochs = _load_fitted(path, parts)
    else:
        model, fit_seconds, epochs = _fit(contestant, parts)
    queries = {mode: _create_queries(parts, mode, ties) for mode in modes}
    lists = {mode: _rank(model, queries[mode], k, exclude_seen) for mode in modes}
    peak_memory = measure_peak_memory() if path is None else None
    config = model.config.model_dump(mode="json")
    otherwise = {
        mode: _rank(model, queries[mode], k, not exclude_seen)
        for mode in modes
        if queries[mode].asks_for_seen().any()
    }
    return ContestantRun(
        contestant, model_name(model), config, fit_seconds, peak_memory, lists, otherwise, epochs
    )


def _parse_names(models: Sequence[str]) -> dict[str, str]:
    """Return the model or path of each contestant by its name."""
    if not models:
        raise ConfigError("no model is named")
    models_by_name: dict[str, str] = {}
    for name, _, model in (text.rpartition("=") for text in models):
        name = name or model
        if name in models_by_name:
            raise ConfigError(f"{name} is named twice; tell them apart as in one={name},other={name}")
        models_by_name[name] = model
    return models_by_name


def _parse_options(options: Mapping[str, object], names: Sequence[str]) -> dict[str, dict[str, object]]:
    """Return the options of each contestant by its name, from keys such as "ease.regularization"."""
    options_by_name: dict[str, dict[str, object]] = {name: {} for name in names}
    for key, value in options.items():
        name, _, option = key.partition(".")
        if not option or name not in options_by_name:
            raise ConfigError(
                f"option {key!r} belongs to no model here; expected MODEL.OPTION with one of {', '.join(names)}"
            )
        options_by_name[name][option] = value
    return options_by_name


def _check_contestant(contestant: Contestant) -> None:
    """Raise ConfigError for an unknown model, an unknown option or a path that doesn't exist."""
    if contestant.path is None:
        create_model(contestant.model, dict(contestant.options))
    elif not contestant.path.exists():
        names = ", ".join((*PRESETS, *model_names()))
        raise ConfigError(
            f"model {contestant.model!r} is unknown; expected one of {names}, or the path of a saved model or of a "
            "file of recommendation lists"
        )
    elif contestant.options:
        raise ConfigError(f"{contestant.model} is fitted already: it takes no options")


def _fit(contestant: Contestant, parts: TrainTest) -> tuple[Recommender, float, list[Epoch]]:
    """Fit a contestant on the train part; return the model, the seconds that took, and the records of its epochs."""
    epochs: list[Epoch] = []
    model = create_model(contestant.model, dict(contestant.options))
    started = time.perf_counter()
    model.require_memory(parts.train).fit(parts.train, Training(on_epoch=epochs.append))
    return model, time.perf_counter() - started, epochs


def _load_fitted(path: Path, parts: TrainTest) -> tuple[Recommender, float | None, list[Epoch]]:
    """Return a saved model, the seconds of its fit and the records of its training epochs; ConfigError unless it was
    fitted on the train part of `parts`."""
    predictor, manifest = load_with_manifest(path)
    if predictor.dataset.fingerprint != parts.train.fingerprint:
        raise ConfigError(
            f"{path} was fitted on other interactions than the train part, so its figures would be meaningless: "
            "fit it on the train part (nextreel split, nextreel fit)"
        )
    return predictor.model, manifest.fit.fit_seconds, read_epochs(path)


def _create_queries(parts: TrainTest, mode: HistoryMode, ties: Ties | None) -> EvaluationQueries:
    return EvaluationQueries.from_checked_split(parts.train, parts.test, mode, parts.threshold, ties)


def _read_lists(path: Path, queries: EvaluationQueries, k: int, exclude_seen: bool) -> ContestantLists:
    movies, in_file = read_external_lists(path, queries, k, exclude_seen)
    return ContestantLists(movies, in_file, seconds=None)


def _rank(model: Recommender, queries: EvaluationQueries, k: int, exclude_seen: bool) -> ContestantLists:
    started = time.perf_counter()
    ranking = queries.rank_with(model, k, exclude_seen)
    return ContestantLists(ranking.movies, int(ranking.personal.sum()), time.perf_counter() - started)
