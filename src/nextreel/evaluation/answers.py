"""One model's answers to all questions of a test part, and what they cost: the raw material of a leaderboard.

Each model is fitted and asked in a process of its own, so that its seconds and its memory owe nothing to the models
before it. Nothing of the test part is shown to the fit, not even as validation data.
"""

import resource
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nextreel.data.splits import Rule
from nextreel.errors import ConfigError, NextreelError
from nextreel.evaluation.parts import Parts, read_parts
from nextreel.evaluation.protocol import History, Questions
from nextreel.models.base import Recommender
from nextreel.models.registry import create_model, model_name
from nextreel.models.training import Training


@dataclass(frozen=True)
class Contestant:
    """A model with its options, under the name that it has in the leaderboard."""

    name: str
    model: str
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Lists:
    """The answers under one history."""

    movies: npt.NDArray[np.int32]
    """int32[n_queries, k]: movie indices, best first."""
    personal: int
    """Queries that the model answered itself; popularity answered the others."""
    seconds: float


@dataclass(frozen=True)
class Answers:
    """What one model said and what it cost."""

    contestant: Contestant
    model: str
    """The registered name, where the contestant's is a preset's."""
    config: dict[str, Any]
    """All options, the defaults too."""
    fit_seconds: float
    peak_memory_gib: float
    """Of the process that read the data, fitted and answered."""
    lists: dict[History, Lists]


def name_contestants(models: Sequence[str], options: Mapping[str, object]) -> list[Contestant]:
    """Contestants of "ease" or "wide=ease", with options by "ease.regularization" or "wide.regularization".

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
        _create(contestant)
    return found


def answer_apart(
    contestant: Contestant,
    directory: Path,
    rule: Rule | None,
    histories: Sequence[History],
    k: int,
    exclude_seen: bool,
) -> Answers:
    """As `answer`, in a process of its own that reads the directory itself."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(
                _read_and_answer, contestant, directory, rule, histories, k, exclude_seen
            ).result()
        except BrokenProcessPool:
            raise NextreelError(
                f"{contestant.name}: its process was ended from outside, as a system does that runs out of memory"
            ) from None


def answer(
    contestant: Contestant,
    parts: Parts,
    histories: Sequence[History],
    k: int,
    exclude_seen: bool = True,
    training: Training | None = None,
) -> Answers:
    """Fit a model on the train part and ask it about the test part under each history."""
    model = _create(contestant)
    started = time.perf_counter()
    model.fit(parts.train, training)
    fit_seconds = time.perf_counter() - started
    lists: dict[History, Lists] = {}
    for history in histories:
        questions = Questions.pose(parts.train, parts.test, history, parts.threshold)
        started = time.perf_counter()
        ranking = questions.ask(model, k, exclude_seen)
        lists[history] = Lists(ranking.movies, int(ranking.personal.sum()), time.perf_counter() - started)
    config = model.config.model_dump(mode="json")
    return Answers(contestant, model_name(model), config, fit_seconds, measure_peak_memory(), lists)


def measure_peak_memory() -> float:
    """GiB that this process has held at most so far."""
    status = Path("/proc/self/status")
    if status.is_file():
        # Linux hands ru_maxrss on to a child; this figure is the process's own.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 2**20
    unit = 2**30 if sys.platform == "darwin" else 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _create(contestant: Contestant) -> Recommender:
    return create_model(contestant.model, dict(contestant.options))


def _read_and_answer(
    contestant: Contestant,
    directory: Path,
    rule: Rule | None,
    histories: Sequence[History],
    k: int,
    exclude_seen: bool,
) -> Answers:
    return answer(contestant, read_parts(directory, rule), histories, k, exclude_seen)
