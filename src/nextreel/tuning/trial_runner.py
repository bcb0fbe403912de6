"""The trials of a search, run one after the other and kept in an Optuna study.

Needs Optuna, so import it only where that is certain to be installed.
"""

import json
import sqlite3
from functools import partial
from pathlib import Path

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.exc import SQLAlchemyError

from nextreel.arrays import Float64Array
from nextreel.atomic_files import replacing
from nextreel.data.dataset import Dataset
from nextreel.errors import ArtifactError, NextreelError
from nextreel.evaluation.metrics import ndcg, ranks_of
from nextreel.evaluation.protocol import EvaluationQueries
from nextreel.models.base import Recommender
from nextreel.models.training.epochs import Epoch, Training
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


class TrialRunner:
    """Runs the trials of a search, and keeps their options and results in a directory.

    A trial whose model learns in epochs is ended early (pruned) when its validation NDCG@10 falls behind the median of
    the earlier trials.
    """

    def __init__(self, train: Dataset, queries: EvaluationQueries, search: Search, directory: Path) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._train, self._queries, self._search = train, queries, search
        self._ranks = directory / RANKS
        # Not by a URL, in which some characters of a directory's name would have a meaning.
        connect = partial(sqlite3.connect, directory / STUDY, check_same_thread=False)
        try:
            self._study = optuna.create_study(
                study_name="nextreel",
                storage=optuna.storages.RDBStorage(f"sqlite:///{STUDY}", engine_kwargs={"creator": connect}),
                direction="maximize",
                pruner=optuna.pruners.MedianPruner(UNPRUNED_TRIALS, FIRST_PRUNED_EPOCH),
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

    def try_defaults(self) -> None:
        """Fit and evaluate the model with its default options, as the first trial.

        The sampler that draws options later learns from those default values that lie in their ranges.
        """
        validation_ndcgs: dict[int, float] = {}

        def on_epoch(epoch: Epoch) -> None:
            if epoch.validation_ndcg is not None:
                validation_ndcgs[epoch.number] = epoch.validation_ndcg

        model = self._search.create_model({})
        mean_ndcg = self._measure(model, Training(on_epoch=on_epoch), DEFAULTS)
        config = model.config.model_dump()
        distributions: dict[str, BaseDistribution] = {
            name: to_distribution(values)
            for name, values in self._search.space.items()
            if values.contains(config[name])
        }
        self._study.add_trial(
            create_trial(
                value=mean_ndcg,
                params={name: config[name] for name in distributions},
                distributions=distributions,
                intermediate_values=validation_ndcgs,
            )
        )

    def try_options(self, number: int) -> None:
        """Draw options for the trial `number`, then fit and evaluate the model with them.

        What is drawn depends only on the seed and the earlier trials.
        """
        self._study.sampler = optuna.samplers.TPESampler(seed=(self._search.seed + number) % N_SEEDS)
        trial = self._study.ask()
        options = {name: draw_value(trial, name, values) for name, values in self._search.space.items()}
        trial.set_user_attr("options", json.dumps(options))
        last_epoch = getattr(self._search.create_model({}).config, "epochs", None)

        def on_epoch(epoch: Epoch) -> None:
            if epoch.validation_ndcg is None:
                return
            trial.report(epoch.validation_ndcg, epoch.number)
            # Pruning after the last epoch would save nothing.
            if epoch.number != last_epoch and trial.should_prune():
                raise optuna.TrialPruned

        try:
            model = self._search.create_model(options)
            mean_ndcg = self._measure(model, Training(on_epoch=on_epoch), number)
        except optuna.TrialPruned:
            self._study.tell(trial, state=TrialState.PRUNED)
        except (NextreelError, ArithmeticError, np.linalg.LinAlgError) as error:
            trial.set_user_attr("failure", f"{type(error).__name__}: {error}")
            self._study.tell(trial, state=TrialState.FAIL)
        else:
            self._study.tell(trial, mean_ndcg)

    def read_ndcgs(self, number: int) -> Float64Array:
        """Return NDCG@10 of each query in a finished trial, float64[n_queries]; ArtifactError for a damaged file."""
        file = self._ranks / f"{number:04}.npy"
        try:
            ranks = np.load(file, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise ArtifactError(f"{file} is damaged ({error}): choose another directory with --out") from None
        return ndcg(ranks.astype(np.int64), K)

    def _measure(self, model: Recommender, training: Training, number: int) -> float:
        """Fit the model, write the rank of each query's relevant movie to a file, and return the mean NDCG@10."""
        model.require_memory(self._train).fit(self._train, training)
        ranks = ranks_of(self._queries.rank_with(model, K).movies, self._queries.relevant)
        with replacing(self._ranks / f"{number:04}.npy") as temporary, temporary.open("wb") as file:
            np.save(file, ranks.astype(np.uint8), allow_pickle=False)
        return float(ndcg(ranks, K).mean())

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
