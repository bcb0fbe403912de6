"""A leaderboard: models on the same questions, with intervals, paired tests, slices and what each one costs.

Every figure of a run comes from the same draws of users, so intervals of models can be compared. One cutoff is the
main one: slices, tests and the figures of the lists are of NDCG at this cutoff and of lists of this length.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nextreel.arrays import Float64Array, Int64Array
from nextreel.data.splitting.split_directory import TrainTest, read_train_test
from nextreel.data.splitting.split_rules import Rule, describe_rule
from nextreel.errors import QueryError
from nextreel.evaluation.beyond_accuracy import ListFigures, ListMeasurer
from nextreel.evaluation.bootstrap import Estimate, UserBootstrap
from nextreel.evaluation.comparison.contestants import Contestant, ContestantRun, run_in_subprocess
from nextreel.evaluation.fairness import FairnessGap, Gaps, adjust_gaps, find_gaps
from nextreel.evaluation.metrics import ranks_of, score_ranks
from nextreel.evaluation.protocol import EvaluationQueries, HistoryMode
from nextreel.evaluation.significance import PairedTest, compare_pairs, say_what_is_real
from nextreel.evaluation.slices import Slices, slice_questions
from nextreel.wording import number_of

USUAL_CUTOFF = 10
FEWEST_QUERIES = 100
"""Queries that a slice needs to be called one that a model fails in."""


@dataclass(frozen=True)
class Figures:
    """One model's figures under one history."""

    metrics: dict[str, Estimate]
    """By name, such as NDCG@10."""
    lists: ListFigures
    slices: dict[str, Estimate]
    """The main metric in each slice."""


@dataclass(frozen=True)
class Leaderboard:
    """All figures of one run."""

    parts: TrainTest
    protocol: dict[str, Any]
    """histories, cutoffs, main metric, threshold, exclude_seen, and how the intervals are made."""
    answers: dict[str, ContestantRun]
    """By the contestant's name, in the order asked for."""
    figures: dict[HistoryMode, dict[str, Figures]]
    """By history and name."""
    slices: dict[HistoryMode, Slices]
    tests: list[PairedTest]
    gaps: dict[str, Gaps]
    """By history."""
    users: Int64Array
    """int64[n_queries]: whose query each is."""

    @property
    def main(self) -> str:
        """Name of the metric that models are sorted and tested by."""
        return str(self.protocol["main"])

    def ranked(self, history: HistoryMode) -> list[str]:
        """Names, best first."""
        figures = self.figures[history]
        return sorted(figures, key=lambda name: -figures[name].metrics[self.main].mean)

    def sentences(self) -> list[str]:
        """Which differences between models are real."""
        return say_what_is_real(self.tests, self.main)

    def weakest(self, history: HistoryMode, name: str, n: int = 3) -> list[str]:
        """Slices of at least FEWEST_QUERIES queries where a model's main figure is lowest, lowest first."""
        slices, figures = self.slices[history], self.figures[history][name].slices
        large = [part for part in figures if slices[part].sum() >= FEWEST_QUERIES]
        return sorted(large, key=lambda part: figures[part].mean)[:n]

    def significant_gaps(self, history: HistoryMode, name: str) -> dict[str, FairnessGap]:
        """Gaps of a model that may be claimed, by attribute."""
        return {
            attribute: models[name]
            for attribute, models in self.gaps[history].items()
            if models[name].significant
        }

    def facts(self) -> dict[str, Any]:
        """Everything but the single queries, in the form of JSON."""
        return {
            "data": {
                "sha256": self.parts.train.fingerprint,
                "train_rows": len(self.parts.train.timeline),
                "test_rows": len(self.parts.test),
                "movies": self.parts.train.n_movies,
            },
            "split": describe_rule(self.parts.rule),
            "protocol": self.protocol,
            "queries": len(self.users),
            "users": len(np.unique(self.users)),
            "models": [self._describe(name) for name in self.answers],
            "tests": [test.facts() for test in self.tests],
            "sentences": self.sentences(),
        }

    def _describe(self, name: str) -> dict[str, Any]:
        answers = self.answers[name]
        return {
            "name": name,
            "model": answers.model,
            "config": answers.config,
            "fit_seconds": _round(answers.fit_seconds, 3),
            "peak_memory_gib": _round(answers.peak_memory_gib, 3),
            "histories": {history: self._describe_under(history, name) for history in self.figures},
        }

    def _describe_under(self, history: HistoryMode, name: str) -> dict[str, Any]:
        figures, lists = self.figures[history][name], self.answers[name].lists[history]
        return {
            "queries_per_second": _round(lists.rate, 1),
            "answered_by_popularity": len(self.users) - lists.personal,
            "metrics": {metric: asdict(estimate) for metric, estimate in figures.metrics.items()},
            "lists": {
                **{figure: asdict(estimate) for figure, estimate in figures.lists.by_query.items()},
                **figures.lists.overall,
            },
            "slices": {
                part: {"queries": int(self.slices[history][part].sum()), self.main: asdict(estimate)}
                for part, estimate in figures.slices.items()
            },
            "fairness": {attribute: models[name].facts() for attribute, models in self.gaps[history].items()},
        }


def compare_models(
    directory: Path,
    contestants: Sequence[Contestant],
    rule: Rule | None = None,
    histories: Sequence[HistoryMode] = ("frozen", "live"),
    cutoffs: Sequence[int] = (5, 10, 20),
    exclude_seen: bool = True,
    on_model: Callable[[int, str], None] = lambda done, name: None,
) -> Leaderboard:
    """Fit every contestant on a directory's train part, ask it about the test part, and judge the answers.

    `on_model` is called before each model with (models done, name).
    """
    parts = read_train_test(directory, rule)
    _check_cutoffs(cutoffs, parts.train.n_movies)
    answers = []
    for done, contestant in enumerate(contestants):
        on_model(done, contestant.name)
        answers.append(run_in_subprocess(contestant, directory, rule, histories, max(cutoffs), exclude_seen))
    on_model(len(contestants), "figures")
    return judge(parts, answers, histories, cutoffs, exclude_seen)


def judge(
    parts: TrainTest,
    answers: Sequence[ContestantRun],
    histories: Sequence[HistoryMode],
    cutoffs: Sequence[int],
    exclude_seen: bool = True,
) -> Leaderboard:
    """The leaderboard of answers that were given already, each with lists of max(cutoffs) movies."""
    k = USUAL_CUTOFF if USUAL_CUTOFF in cutoffs else max(cutoffs)
    main = f"NDCG@{k}"
    figures: dict[HistoryMode, dict[str, Figures]] = {}
    slices: dict[HistoryMode, Slices] = {}
    values: dict[str, dict[str, Float64Array]] = {}
    gaps: dict[str, Gaps] = {}
    for history in histories:
        questions = EvaluationQueries.from_split(parts.train, parts.test, history, parts.threshold)
        bootstrap = UserBootstrap(questions.users)
        background, parts_of = ListMeasurer.of(questions), slice_questions(questions)
        scores = {
            each.contestant.name: score_ranks(
                ranks_of(each.lists[history].movies, questions.relevant), cutoffs
            )
            for each in answers
        }
        values[history] = {name: metrics[main] for name, metrics in scores.items()}
        together = np.column_stack(list(values[history].values()))
        by_slice = {part: bootstrap.estimate_all(together, inside) for part, inside in parts_of.items()}
        slices[history], gaps[history] = parts_of, find_gaps(values[history], parts_of, bootstrap)
        figures[history] = {
            name: Figures(
                metrics=dict(
                    zip(metrics, bootstrap.estimate_all(np.column_stack(list(metrics.values()))), strict=True)
                ),
                lists=background.describe(each.lists[history].movies[:, :k], bootstrap),
                slices={part: estimates[n] for part, estimates in by_slice.items()},
            )
            for n, (each, (name, metrics)) in enumerate(zip(answers, scores.items(), strict=True))
        }
    return Leaderboard(
        parts,
        protocol={
            "histories": list(histories),
            "cutoffs": list(cutoffs),
            "main": main,
            "threshold": parts.threshold,
            "exclude_seen": exclude_seen,
            "intervals": {
                "method": "percentile bootstrap over users",
                "resamples": bootstrap.resamples,
                "level": bootstrap.level,
                "seed": bootstrap.seed,
            },
        },
        answers={each.contestant.name: each for each in answers},
        figures=figures,
        slices=slices,
        tests=compare_pairs(values, bootstrap),
        gaps=adjust_gaps(gaps),
        users=questions.users,
    )


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _check_cutoffs(cutoffs: Sequence[int], n_movies: int) -> None:
    wrong = [k for k in cutoffs if not 1 <= k <= n_movies]
    if wrong or not cutoffs:
        found = f"k is {wrong[0]}" if wrong else "no k is named"
        raise QueryError(f"{found}; the catalog has {number_of(n_movies, 'movie')}, so expected 1 to that")
