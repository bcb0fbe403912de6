"""One model's answers to all questions of a test part, and what they cost: the raw material of a leaderboard.

Each model is fitted and asked in a process of its own, so that its seconds and its memory owe nothing to the models
before it. Nothing of the test part is shown to the fit, not even as validation data. A model that was fitted and saved
before is asked without a fit, and the answers of another recommender are read from a file.
"""

import signal
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from nextreel.arrays import Int32Array
from nextreel.data.splitting.split_directory import TrainTest, read_train_test
from nextreel.data.splitting.split_rules import Rule
from nextreel.errors import ConfigError, NextreelError
from nextreel.evaluation.comparison.answer_files import read_lists
from nextreel.evaluation.protocol import EvaluationQueries, HistoryMode
from nextreel.models.base import Recommender
from nextreel.models.registry import PRESETS, create_model, model_name, model_names
from nextreel.models.training.epochs import Epoch, Training, read_epochs
from nextreel.prediction.fitting import measure_peak_memory
from nextreel.prediction.saving import load_with_manifest


@dataclass(frozen=True)
class Contestant:
    """A model with its options, a saved model or a file of answers, under the name that it has in the leaderboard."""

    name: str
    model: str
    """A registered name or a preset's, or the path of the saved model or the file."""
    options: Mapping[str, object] = field(default_factory=dict)

    @property
    def path(self) -> Path | None:
        """Where the saved model or the file of answers lies; None for a model that is to be fitted."""
        return None if self.model in (*PRESETS, *model_names()) else Path(self.model)


@dataclass(frozen=True)
class Lists:
    """The answers under one history."""

    movies: Int32Array
    """int32[n_queries, k]: movie indices, best first."""
    personal: int
    """Queries that the model answered itself; popularity answered the others."""
    seconds: float | None
    """None for a file of answers."""

    @property
    def rate(self) -> float | None:
        """Queries answered in a second."""
        return None if self.seconds is None else len(self.movies) / self.seconds


@dataclass(frozen=True)
class ContestantRun:
    """What one model said and what it cost."""

    contestant: Contestant
    model: str
    """The registered name, where the contestant's is a preset's or a path; the file's name for a file of answers."""
    config: dict[str, Any]
    """All options, the defaults too."""
    fit_seconds: float | None
    """As its manifest has it for a saved model; None for a file of answers."""
    peak_memory_gib: float | None
    """Of the process that read the data, fitted and answered; None where it didn't fit."""
    lists: dict[HistoryMode, Lists]
    epochs: Sequence[Epoch] = ()
    """Of the fit, for a model that learns in epochs."""


def name_contestants(models: Sequence[str], options: Mapping[str, object]) -> list[Contestant]:
    """Contestants of "ease", "wide=ease" or "mine=PATH", with options by "ease.regularization".

    Raises ConfigError for a model, an option or a name that doesn't fit.
    """
    named = [text.rpartition("=") for text in models]
    names = [name or model for name, _, model in named]
    if not names:
        raise ConfigError("no model is named")
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ConfigError(
            f"{sorted(twice)[0]} is named twice; tell them apart as in one={sorted(twice)[0]},"
            f"other={sorted(twice)[0]}"
        )
    chosen: dict[str, dict[str, object]] = {name: {} for name in names}
    for key, value in options.items():
        name, _, option = key.partition(".")
        if not option or name not in chosen:
            raise ConfigError(
                f"option {key!r} belongs to no model here; expected MODEL.OPTION with one of {', '.join(names)}"
            )
        chosen[name][option] = value
    found = [Contestant(name, model, chosen[name]) for name, (_, _, model) in zip(names, named, strict=True)]
    for contestant in found:
        if contestant.path is None:
            create_model(contestant.model, dict(contestant.options))
        elif not contestant.path.exists():
            raise ConfigError(
                f"model {contestant.model!r} is unknown; expected one of {', '.join((*PRESETS, *model_names()))}, "
                "or the path of a saved model or of a file of answers"
            )
        elif contestant.options:
            raise ConfigError(f"{contestant.model} is fitted already: it takes no options")
    return found


def run_in_subprocess(
    contestant: Contestant,
    directory: Path,
    rule: Rule | None,
    histories: Sequence[HistoryMode],
    k: int,
    exclude_seen: bool,
) -> ContestantRun:
    """As `answer`, in a process of its own that reads the directory itself."""
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=_end_at_once_when_interrupted) as pool:
        # Blocked until then, so that Ctrl-C shows no traceback of the process that is still starting.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            waiting = pool.submit(_read_and_answer, contestant, directory, rule, histories, k, exclude_seen)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        try:
            return waiting.result()
        except BrokenProcessPool:
            raise NextreelError(
                f"{contestant.name}: its process was ended from outside, as a system does that runs out of memory"
            ) from None


def answer(
    contestant: Contestant,
    parts: TrainTest,
    histories: Sequence[HistoryMode],
    k: int,
    exclude_seen: bool = True,
) -> ContestantRun:
    """Fit a model on the train part and ask it about the test part under each history.

    Raises ConfigError for a saved model that was fitted on anything but the train part, and DataError for a file whose
    answers aren't as they should be.
    """

    def pose(history: HistoryMode) -> EvaluationQueries:
        return EvaluationQueries.from_split(parts.train, parts.test, history, parts.threshold)

    if contestant.path is not None and contestant.path.is_file():
        lists = {
            each: Lists(*read_lists(contestant.path, pose(each), k, exclude_seen), seconds=None)
            for each in histories
        }
        return ContestantRun(contestant, contestant.path.name, {}, None, None, lists)
    if contestant.path is not None:
        model, fit_seconds = _load(contestant.path, parts)
        epochs = read_epochs(contestant.path)
    else:
        model, epochs = create_model(contestant.model, dict(contestant.options)), []
        started = time.perf_counter()
        model.fit(parts.train, Training(on_epoch=epochs.append))
        fit_seconds = time.perf_counter() - started
    lists = {each: _ask(model, pose(each), k, exclude_seen) for each in histories}
    peak = measure_peak_memory() if contestant.path is None else None
    config = model.config.model_dump(mode="json")
    return ContestantRun(contestant, model_name(model), config, fit_seconds, peak, lists, epochs)


def _load(path: Path, parts: TrainTest) -> tuple[Recommender, float | None]:
    """A saved model, and the seconds of its fit as its manifest has them."""
    predictor, manifest = load_with_manifest(path)
    if predictor.dataset.fingerprint != parts.train.fingerprint:
        raise ConfigError(
            f"{path} was fitted on other interactions than the train part here, so its figures would say nothing: "
            "fit it on the train part (nextreel split, nextreel fit)"
        )
    return predictor.model, manifest.fit.fit_seconds


def _ask(model: Recommender, questions: EvaluationQueries, k: int, exclude_seen: bool) -> Lists:
    started = time.perf_counter()
    ranking = questions.rank_with(model, k, exclude_seen)
    return Lists(ranking.movies, int(ranking.personal.sum()), time.perf_counter() - started)


def _end_at_once_when_interrupted() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _read_and_answer(
    contestant: Contestant,
    directory: Path,
    rule: Rule | None,
    histories: Sequence[HistoryMode],
    k: int,
    exclude_seen: bool,
) -> ContestantRun:
    return answer(contestant, read_train_test(directory, rule), histories, k, exclude_seen)
