"""Tuning: a search for a model's options on an inner split of the training part.

The rule of the split is applied once more to the train part, and options are judged by NDCG@10 on what that holds
out. The test part is never read, so a figure of the tuned model on it stays honest. The search is by tree-structured
Parzen estimators (Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NIPS 2011; Optuna: Akiba et al.,
KDD 2019); a trial whose model reports epochs is given up where it falls behind the median of the others.
"""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nextreel.arrays import Float64Array
from nextreel.atomic_files import claim_directory, replacing
from nextreel.data.dataset import Dataset
from nextreel.data.reading.table_reader import read_tables
from nextreel.data.splitting.split_directory import choose_rule, read_split_rule
from nextreel.data.splitting.split_rules import Rule, SplitRule, split_rows
from nextreel.errors import ArtifactError, NextreelError, require
from nextreel.evaluation.metrics import ndcg, ranks_of
from nextreel.evaluation.protocol import EvaluationQueries, HistoryMode
from nextreel.models.base import Recommender
from nextreel.models.registry import model_name
from nextreel.models.training.epochs import Epoch, Training
from nextreel.tuning.search_space import Choice, Range, Search
from nextreel.tuning.tuning_result import DEFAULTS, MAIN, K, Trial, TuningResult
from nextreel.version import __version__

UNPRUNED_TRIALS, FIRST_PRUNED_EPOCH = 5, 2
"""Trials before any is given up, and the epoch after which one may be."""
STUDY, SEARCH, RANKS = "study.db", "search.json", "ranks"


@dataclass(frozen=True)
class InnerSplit:
    """The inner split."""

    train: Dataset
    questions: EvaluationQueries
    rule: SplitRule


def split_inner(directory: Path, rule: Rule | None, history: HistoryMode) -> InnerSplit:
    """The train part of a directory, split once more by its rule; a test.csv there is never read.

    A directory that isn't split yet is split by the rule (clean) first, as `nextreel compare` does, so that its test
    part stays unseen too. Where the rule is the course's, the inner split is clean: a row that stands in both parts
    says nothing about options.
    """
    tables, written = read_tables(directory), read_split_rule(directory)
    rows, chosen = tables.interactions, choose_rule(directory, rule, written)
    if written is None and not (directory / "test.csv").exists():
        rows = split_rows(rows, chosen).train
    if chosen.rule == "course":
        chosen = chosen.model_copy(update={"rule": "clean"})
    split = split_rows(rows, chosen)
    train = Dataset.from_tables(replace(tables, interactions=split.train))
    return InnerSplit(
        train, EvaluationQueries.from_split(train, split.test, history, chosen.threshold), chosen
    )


def tune(
    inner: InnerSplit,
    search: Search,
    directory: Path,
    report: Callable[[int, int, str], None] = lambda *_: None,
) -> TuningResult:
    """Search until so many trials are finished; each is kept in the directory as soon as it is.

    `report` is told of trials done, trials in all, and the best so far. Raises ArtifactError for a directory that
    holds something else, MissingExtraError without Optuna.
    """
    optuna = require("optuna", "tune")
    optuna.logging.set_verbosity(logging.WARNING)
    about, space = _describe(search, inner), search.space
    claim_directory(directory, SEARCH, about)
    study = optuna.create_study(
        study_name="nextreel",
        storage=f"sqlite:///{(directory / STUDY).absolute()}",
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(UNPRUNED_TRIALS, FIRST_PRUNED_EPOCH),
        load_if_exists=True,
    )
    runner = _Runner(optuna, study, inner, search, space, directory / RANKS)
    runner.drop_unfinished()
    while (done := len(runner.finished())) < search.trials:
        report(done, search.trials, runner.say_best())
        if done == DEFAULTS:
            runner.try_defaults()
        else:
            runner.try_next(done)
    trials = list(runner.trials())
    ndcgs = {trial.number: runner.read(trial.number) for trial in trials if trial.ndcg is not None}
    return TuningResult(search, about, trials, inner.questions.users, ndcgs)


@dataclass(frozen=True)
class _Runner:
    """Tries options one after the other and keeps what came of it."""

    optuna: Any
    study: Any
    inner: InnerSplit
    search: Search
    space: dict[str, Range | Choice]
    ranks: Path

    def finished(self) -> list[Any]:
        """Trials that need no second try, in the order they were finished."""
        state = self.optuna.trial.TrialState
        return [
            trial
            for trial in self.study.get_trials(deepcopy=False)
            if trial.state in (state.COMPLETE, state.PRUNED) or "failure" in trial.user_attrs
        ]

    def trials(self) -> Iterator[Trial]:
        """The finished trials, numbered anew without those that were interrupted."""
        pruned = self.optuna.trial.TrialState.PRUNED
        for number, trial in enumerate(self.finished()):
            yield Trial(
                number,
                json.loads(trial.user_attrs.get("options", "{}")),
                trial.value if trial.state == self.optuna.trial.TrialState.COMPLETE else None,
                len(trial.intermediate_values) if trial.state == pruned else None,
                trial.user_attrs.get("failure"),
            )

    def drop_unfinished(self) -> None:
        """Set aside what a killed process left running."""
        state = self.optuna.trial.TrialState
        for trial in self.study.get_trials(deepcopy=False, states=(state.RUNNING,)):
            self.study.tell(trial.number, state=state.FAIL)

    def say_best(self) -> str:
        """The best so far, for a bar."""
        figures = [trial.ndcg for trial in self.trials() if trial.ndcg is not None]
        return f"best {MAIN} {max(figures):.4f}, defaults {figures[0]:.4f}" if figures else "the defaults"

    def try_defaults(self) -> None:
        """Measure the defaults; the sampler learns from those of them that it could have drawn."""
        epochs: dict[int, float] = {}

        def on_epoch(epoch: Epoch) -> None:
            if epoch.validation_ndcg is not None:
                epochs[epoch.number] = epoch.validation_ndcg

        model = self.search.create_model({})
        value = self._measure(model, Training(on_epoch=on_epoch), DEFAULTS)
        config = model.config.model_dump()
        known = {name: values for name, values in self.space.items() if values.holds(config[name])}
        self.study.add_trial(
            self.optuna.trial.create_trial(
                value=value,
                params={name: config[name] for name in known},
                distributions={name: values.distribution(self.optuna) for name, values in known.items()},
                intermediate_values=epochs,
            )
        )

    def try_next(self, number: int) -> None:
        """Draw options, measure them, and keep what came of it; a draw depends on the finished trials alone."""
        state = self.optuna.trial.TrialState
        self.study.sampler = self.optuna.samplers.TPESampler(seed=self.search.seed + number)
        trial = self.study.ask()
        options = {name: values.draw(trial, name) for name, values in self.space.items()}
        trial.set_user_attr("options", json.dumps(options))
        epochs = getattr(self.search.create_model({}).config, "epochs", None)

        def on_epoch(epoch: Epoch) -> None:
            if epoch.validation_ndcg is None:
                return
            trial.report(epoch.validation_ndcg, epoch.number)
            # After the last epoch nothing is saved by giving up.
            if epoch.number != epochs and trial.should_prune():
                raise self.optuna.TrialPruned

        try:
            value = self._measure(self.search.create_model(options), Training(on_epoch=on_epoch), number)
        except self.optuna.TrialPruned:
            self.study.tell(trial, state=state.PRUNED)
        except (NextreelError, ArithmeticError, np.linalg.LinAlgError) as error:
            trial.set_user_attr("failure", f"{type(error).__name__}: {error}")
            self.study.tell(trial, state=state.FAIL)
        else:
            self.study.tell(trial, value)

    def read(self, number: int) -> Float64Array:
        """NDCG@10 of each query of a finished trial."""
        file = self.ranks / f"{number:04}.npy"
        try:
            ranks = np.load(file, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise ArtifactError(f"{file} is damaged ({error}): name another directory") from None
        return ndcg(ranks.astype(np.int64), K)

    def _measure(self, model: Recommender, training: Training, number: int) -> float:
        model.fit(self.inner.train, training)
        questions = self.inner.questions
        ranks = ranks_of(questions.rank_with(model, K).movies, questions.relevant)
        with replacing(self.ranks / f"{number:04}.npy") as temporary, temporary.open("wb") as file:
            np.save(file, ranks.astype(np.uint8), allow_pickle=False)
        return float(ndcg(ranks, K).mean())


def _describe(search: Search, inner: InnerSplit) -> dict[str, Any]:
    model = search.create_model({})
    return {
        "nextreel": __version__,
        "model": model_name(model),
        "held": dict(search.held),
        "defaults": model.config.model_dump(mode="json"),
        "space": {name: vars(values) for name, values in search.space.items()},
        "history": search.history,
        "seed": search.seed,
        "rule": inner.rule.model_dump(exclude_none=True),
        "data": inner.train.fingerprint,
        "queries": len(inner.questions),
    }
