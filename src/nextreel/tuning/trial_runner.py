"""The trials of a search, which are drawn from an Optuna study and kept in it.

Drawing is Optuna's `ask` and `tell` wherever trials run. Ray Tune would do the same around the same sampler, but needs
pyarrow and pandas, and keeps trials in a form of its own, which a search on one machine couldn't continue.

Needs Optuna, so import it only where that is certain to be installed.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.exc import SQLAlchemyError

from nextreel.arrays import Float64Array, Int64Array
from nextreel.atomic_files import replacing
from nextreel.data.dataset import Dataset
from nextreel.errors import ArtifactError, NextreelError
from nextreel.evaluation.metrics import ndcg, ranks_of
from nextreel.evaluation.protocol import EvaluationQueries
from nextreel.models.training.epochs import Epoch, Training
from nextreel.tasks import RunTasks
from nextreel.tuning.search_space import Search, draw_value, to_distribution
from nextreel.tuning.tuning_result import DEFAULTS, MAIN, K, Trial

N_SEEDS = 2**32
"""Number of seeds that the sampler takes, from 0 on."""
UNPRUNED_TRIALS = 5
"""Number of first trials that are never ended early (pruned): the median of fewer trials says little."""
FIRST_PRUNED_EPOCH = 2
"""Earliest epoch after which a trial may be ended (pruned): how trials rank after one epoch says little about how they
rank after the last."""
STUDY, RANKS = "study.db", "ranks"


@dataclass(frozen=True)
class TrialData:
    """What all trials of a search share."""

    train: Dataset
    queries: EvaluationQueries
    search: Search


@dataclass(frozen=True)
class TrialTask:
    """One trial."""

    number: int
    options: dict[str, float]
    """Drawn options; none in the trial of the defaults."""
    earlier: list[FrozenTrial]
    """The trials that were complete when this one was drawn, by whose median it is pruned."""


@dataclass(frozen=True)
class TrialOutcome:
    """How a trial went: it has ranks, or a failure, or was pruned."""

    validation_ndcgs: dict[int, float]
    """Validation NDCG@10 by epoch, of a model that learns in epochs and computes it."""
    ranks: Int64Array | None = None
    """int64[n_queries]: rank of each query's relevant movie, 0 if it isn't in the list."""
    failure: str | None = None

    @property
    def ndcg(self) -> float | None:
        """Mean NDCG@10 of the queries; None without ranks."""
        return None if self.ranks is None else float(ndcg(self.ranks, K).mean())


def run_trial(data: TrialData, task: TrialTask) -> TrialOutcome:
    """Fit the model with the options of a trial, and rank the queries.

    Raises what the fit raises in the trial of the defaults; in others, that is a failure.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pruner = optuna.pruners.MedianPruner(UNPRUNED_TRIALS, FIRST_PRUNED_EPOCH)
    study = optuna.create_study(direction="maximize", pruner=pruner)
    study.add_trials(task.earlier)
    trial = study.ask()
    validation_ndcgs: dict[int, float] = {}

    def on_epoch(epoch: Epoch) -> None:
        if epoch.validation_ndcg is None:
            return
        validation_ndcgs[epoch.number] = epoch.validation_ndcg
        trial.report(epoch.validation_ndcg, epoch.number)
        # Pruning after the last epoch would save nothing.
        if epoch.number != last_epoch and trial.should_prune():
            raise optuna.TrialPruned

    try:
        model = data.search.create_model(task.options)
        last_epoch = getattr(model.config, "epochs", None)
        model.require_memory(data.train).fit(data.train, Training(on_epoch=on_epoch))
        ranks = ranks_of(data.queries.rank_with(model, K).movies, data.queries.relevant)
    except optuna.TrialPruned:
        return TrialOutcome(validation_ndcgs)
    except (NextreelError, ArithmeticError, np.linalg.LinAlgError) as error:
        if task.number == DEFAULTS:
            raise
        return TrialOutcome(validation_ndcgs, failure=f"{type(error).__name__}: {error}")
    return TrialOutcome(validation_ndcgs, ranks)


class TrialRunner:
    """Runs the trials of a search, and keeps their options and results in a directory.

    A trial whose model learns in epochs is ended early (pruned) when its validation NDCG@10 falls behind the median of
    the earlier trials.
    """

    def __init__(self, train: Dataset, queries: EvaluationQueries, search: Search, directory: Path) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._running: dict[int, optuna.Trial] = {}
        self._train, self._queries, self._search = train, queries, search
        self._ranks = directory / RANKS
        # Not by a URL, in which some characters of a directory's name would have a meaning.
        connect = partial(sqlite3.connect, directory / STUDY, check_same_thread=False)
        try:
            self._study = optuna.create_study(
                study_name="nextreel",
                storage=optuna.storages.RDBStorage(f"sqlite:///{STUDY}", engine_kwargs={"creator": connect}),
                direction="maximize",
                load_if_exists=True,
            )
            self._drop_unfinished()
        except (optuna.exceptions.StorageInternalError, SQLAlchemyError, sqlite3.Error) as error:
            reason = str(error).partition("\n")[0]
            raise ArtifactError(
                f"{directory / STUDY} can't be read ({reason}): choose another name"
            ) from error

    def trials(self) -> list[Trial]:
        """Return the finished trials in order of time, numbered without those that were interrupted."""
        finished = [
            trial
            for trial in self._study.get_trials(deepcopy=False)
            if trial.state in (TrialState.COMPLETE, TrialState.PRUNED) or "failure" in trial.user_attrs
        ]
        return [_read_trial(number, trial) for number, trial in enumerate(finished)]

    def describe_best(self) -> str:
        """Return the best mean NDCG@10 so far and that of the defaults, as a note for a progress bar."""
        ndcgs = [trial.ndcg for trial in self.trials() if trial.ndcg is not None]
        return f"best {MAIN} {max(ndcgs):.4f}, defaults {ndcgs[0]:.4f}" if ndcgs else "the defaults"

    def run(self, run_tasks: RunTasks, on_trial: Callable[[], None]) -> None:
        """Run the trials that are missing, and keep each that is finished; `on_trial` is called before each.

        `run_tasks` yields results in the order of the trials. What is drawn for a trial depends only on the seed and
        on the trials that were finished by then, so the search is the same for the same number of trials at a time.
        """
        data = TrialData(self._train, self._queries, self._search)
        n_finished = len(self.trials())
        # The defaults run alone: where they fail, the search ends before others have begun.
        for numbers in (
            range(n_finished, DEFAULTS + 1),
            range(max(n_finished, DEFAULTS + 1), self._search.trials),
        ):
            if numbers:
                for task, outcome in run_tasks(run_trial, data, self._draw_tasks(numbers, on_trial)):
                    self._keep(task, outcome)

    def _draw_tasks(self, numbers: range, on_trial: Callable[[], None]) -> Iterator[TrialTask]:
        for number in numbers:
            on_trial()
            options = {} if number == DEFAULTS else self._draw_options(number)
            yield TrialTask(number, options, self._study.get_trials(states=(TrialState.COMPLETE,)))

    def _draw_options(self, number: int) -> dict[str, float]:
        """Draw options for a trial, which depend only on the seed and the earlier trials."""
        self._study.sampler = optuna.samplers.TPESampler(seed=(self._search.seed + number) % N_SEEDS)
        trial = self._study.ask()
        options = {name: draw_value(trial, name, values) for name, values in self._search.space.items()}
        trial.set_user_attr("options", json.dumps(options))
        self._running[number] = trial
        return options

    def _keep(self, task: TrialTask, outcome: TrialOutcome) -> None:
        """Keep a finished trial: the ranks of its queries in a file, then its result in the study."""
        if outcome.ranks is not None:
            with replacing(self._ranks / f"{task.number:04}.npy") as temporary, temporary.open("wb") as file:
                np.save(file, outcome.ranks.astype(np.uint8), allow_pickle=False)
        if task.number == DEFAULTS:
            self._keep_defaults(outcome)
            return
        trial = self._running.pop(task.number)
        for epoch, validation_ndcg in outcome.validation_ndcgs.items():
            trial.report(validation_ndcg, epoch)
        if outcome.failure is not None:
            trial.set_user_attr("failure", outcome.failure)
            self._study.tell(trial, state=TrialState.FAIL)
        elif outcome.ranks is None:
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, outcome.ndcg)

    def _keep_defaults(self, outcome: TrialOutcome) -> None:
        """Keep the trial of the defaults; the sampler that draws options later learns from those in their ranges."""
        config = self._search.create_model({}).config.model_dump()
        distributions: dict[str, BaseDistribution] = {
            name: to_distribution(values)
            for name, values in self._search.space.items()
            if values.contains(config[name])
        }
        self._study.add_trial(
            create_trial(
                value=outcome.ndcg,
                params={name: config[name] for name in distributions},
                distributions=distributions,
                intermediate_values=outcome.validation_ndcgs,
            )
        )

    def read_ndcgs(self, number: int) -> Float64Array:
        """Return NDCG@10 of each query in a finished trial, float64[n_queries]; ArtifactError for a damaged file."""
        file = self._ranks / f"{number:04}.npy"
        try:
            ranks = np.load(file, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise ArtifactError(f"{file} is damaged ({error}): choose another directory with --out") from None
        return ndcg(ranks.astype(np.int64), K)

    def _drop_unfinished(self) -> None:
        """Mark trials as failed that are still running in the study because their process was killed."""
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self._study.tell(trial.number, state=TrialState.FAIL)


def _read_trial(number: int, trial: FrozenTrial) -> Trial:
    return Trial(
        number,
        json.loads(trial.user_attrs.get("options", "{}")),
        trial.value if trial.state == TrialState.COMPLETE else None,
        len(trial.intermediate_values) if trial.state == TrialState.PRUNED else None,
        trial.user_attrs.get("failure"),
    )
