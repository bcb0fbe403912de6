"""The leaderboard: several models on the same queries, with intervals, paired tests, slices and costs.

All figures of a run come from the same resamples of users, so intervals of different models can be compared. One of
the cutoffs is the main one: models are sorted and tested by NDCG at this cutoff, and slices, fairness gaps and the
properties of lists refer to it too.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import numpy as np
from pydantic import JsonValue

from nextreel.arrays import Float64Array, Int64Array
from nextreel.data.data_format import DataFormat
from nextreel.data.splitting.split_directory import TrainTest, read_train_test
from nextreel.data.splitting.split_rules import Rule, describe_rule
from nextreel.data.timeline import Ties
from nextreel.errors import QueryError
from nextreel.evaluation.beyond_accuracy import ListFigures, ListMeasurer
from nextreel.evaluation.bootstrap import Estimate, UserBootstrap
from nextreel.evaluation.comparison.contestant_runs import Contest, run_contestants
from nextreel.evaluation.comparison.contestants import Contestant, ContestantRun
from nextreel.evaluation.fairness import FairnessGap, Gaps, adjust_gaps, describe_gaps, find_gaps
from nextreel.evaluation.metrics import ranks_of, score_ranks
from nextreel.evaluation.protocol import EvaluationQueries, HistoryMode, choose_ties, describe_seen
from nextreel.evaluation.significance import PairedTest, compare_pairs, describe_significance
from nextreel.evaluation.slices import Slices, slice_queries
from nextreel.tasks import RunTasks
from nextreel.wording import number_of

USUAL_CUTOFF = 10
"""Cutoff (list length k of NDCG@k) that is the main one of every comparison that includes it."""
FEWEST_QUERIES = 100
"""Number of queries below which a slice isn't listed among a model's weakest: its mean metric is mostly noise."""


@dataclass(frozen=True)
class ModelFigures:
    """Metrics of one model under one history mode (frozen or live), and properties of its recommendation lists."""

    metrics: dict[str, Estimate]
    """Mean of each metric over all queries, by a name such as NDCG@10."""
    lists: ListFigures
    """Properties other than accuracy of the model's recommendation lists, cut to the main cutoff."""
    slices: dict[str, Estimate]
    """Mean of the main metric over the queries of each slice, by the name of the slice."""
    metrics_otherwise: dict[str, Estimate]
    """The metrics with seen movies included if `metrics` excludes them, and the other way round; empty for a file of
    lists, and if no query asks for a seen movie."""


@dataclass(frozen=True)
class Leaderboard:
    """The results of one comparison of several models on the same queries."""

    parts: TrainTest
    protocol: dict[str, JsonValue]
    """The settings of the comparison: history modes, ties by mode, cutoffs, main metric, threshold of a positive,
    whether seen movies are excluded, and how the intervals are computed."""
    runs: dict[str, ContestantRun]
    """Each contestant's run, by its name, in the order in which the contestants were given."""
    figures: dict[HistoryMode, dict[str, ModelFigures]]
    """Metrics and list properties by history mode and then by contestant."""
    slices: dict[HistoryMode, Slices]
    """Slices of the queries, such as those of one genre, by history mode."""
    tests: list[PairedTest]
    """Paired tests of all pairs of contestants under every history mode, on the main metric."""
    gaps: dict[str, Gaps]
    """Differences between groups of users in the main metric, by history mode."""
    users: Int64Array
    """int64[n_queries]: UserID of each query."""
    asks_for_seen: dict[HistoryMode, int]
    """Number of queries for a movie that is in the user's history already, by history mode."""

    @property
    def main(self) -> str:
        """Name of the main metric, by which models are sorted and tested, such as NDCG@10."""
        return str(self.protocol["main"])

    @property
    def main_cutoff(self) -> int:
        """List length k in the main metric NDCG@k, such as 10."""
        return int(self.main.partition("@")[2])

    def ties(self, mode: HistoryMode) -> Ties:
        """Return the rule under a history mode for rows of the query's own second."""
        return cast("dict[HistoryMode, Ties]", self.protocol["ties"])[mode]

    def ranked(self, mode: HistoryMode) -> list[str]:
        """Return the names of the contestants, those with the highest main metric under a history mode first."""
        figures = self.figures[mode]
        return sorted(figures, key=lambda name: -figures[name].metrics[self.main].mean)

    def findings(self) -> list[str]:
        """Return sentences on which differences between models in the main metric are significant."""
        return describe_significance(self.tests, self.main)

    def seen_findings(self) -> list[str]:
        """Return sentences on queries for movies that were seen before, with the main metric of every model with seen
        movies excluded and included; none if there are no such queries."""
        return [
            f"{mode} history: {describe_seen(count, *self._figures_of_seen(mode))}"
            for mode, count in self.asks_for_seen.items()
            if count
        ]

    def _figures_of_seen(self, mode: HistoryMode) -> tuple[str, str]:
        """Return the main metric of all models as a text, with seen movies excluded and included."""
        pairs = [
            (name, figures.metrics[self.main], figures.metrics_otherwise.get(self.main))
            for name, figures in self.figures[mode].items()
        ]
        shown = ", ".join(f"{name} {metric.mean:.4f}" for name, metric, _ in pairs)
        otherwise = ", ".join(f"{name} {metric.mean:.4f}" for name, _, metric in pairs if metric is not None)
        shown, otherwise = f"{self.main} {shown}", f"{self.main} {otherwise or 'unknown'}"
        return (shown, otherwise) if self.protocol["exclude_seen"] else (otherwise, shown)

    def gap_findings(self) -> list[str]:
        """Return sentences on which models serve groups of users (by gender, age, occupation) differently."""
        return describe_gaps(self.gaps)

    def weakest(self, mode: HistoryMode, name: str, n: int = 3) -> list[str]:
        """Return the n slices in which a contestant has the lowest main metric, lowest first; slices of fewer than
        FEWEST_QUERIES queries are left out."""
        slices, estimates = self.slices[mode], self.figures[mode][name].slices
        large = [part for part in estimates if slices[part].sum() >= FEWEST_QUERIES]
        return sorted(large, key=lambda part: estimates[part].mean)[:n]

    def significant_gaps(self, mode: HistoryMode, name: str) -> dict[str, FairnessGap]:
        """Return the significant fairness gaps of one contestant, by attribute of the users such as gender."""
        return {
            attribute: by_model[name]
            for attribute, by_model in self.gaps[mode].items()
            if by_model[name].significant
        }

    def facts(self) -> dict[str, JsonValue]:
        """Return the whole leaderboard except results of single queries, in the form that is written as JSON."""
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
            "models": [self._contestant_facts(name) for name in self.runs],
            "tests": [test.facts() for test in self.tests],
            "sentences": [*self.findings(), *self.seen_findings()],
            **self._count_seen(),
        }

    def _count_seen(self) -> dict[str, JsonValue]:
        counts: dict[str, JsonValue] = {str(mode): count for mode, count in self.asks_for_seen.items()}
        return {"asks_for_seen": counts} if any(counts.values()) else {}

    def _contestant_facts(self, name: str) -> dict[str, JsonValue]:
        run = self.runs[name]
        return {
            "name": name,
            "model": run.model,
            "config": run.config,
            "fit_seconds": _round(run.fit_seconds, 3),
            "peak_memory_gib": _round(run.peak_memory_gib, 3),
            "histories": {mode: self._mode_facts(mode, name) for mode in self.figures},
        }

    def _seen_facts(self, figures: ModelFigures) -> dict[str, JsonValue]:
        if not figures.metrics_otherwise:
            return {}
        otherwise = "included" if self.protocol["exclude_seen"] else "excluded"
        metrics: dict[str, JsonValue] = {
            name: asdict(estimate) for name, estimate in figures.metrics_otherwise.items()
        }
        return {f"metrics_with_seen_{otherwise}": metrics}

    def _mode_facts(self, mode: HistoryMode, name: str) -> dict[str, JsonValue]:
        figures, lists = self.figures[mode][name], self.runs[name].lists[mode]
        return {
            "queries_per_second": _round(lists.rate, 1),
            "answered_by_popularity": len(self.users) - lists.personal,
            "metrics": {metric: asdict(estimate) for metric, estimate in figures.metrics.items()},
            **self._seen_facts(figures),
            "lists": {
                **{name: asdict(estimate) for name, estimate in figures.lists.by_query.items()},
                **figures.lists.overall,
            },
            "slices": {
                part: {"queries": int(self.slices[mode][part].sum()), self.main: asdict(estimate)}
                for part, estimate in figures.slices.items()
            },
            "fairness": {
                attribute: by_model[name].facts() for attribute, by_model in self.gaps[mode].items()
            },
        }


def compare_models(
    directory: Path,
    contestants: Sequence[Contestant],
    rule: Rule | None = None,
    modes: Sequence[HistoryMode] = ("frozen", "live"),
    cutoffs: Sequence[int] = (5, 10, 20),
    exclude_seen: bool = True,
    on_model: Callable[[int, str], None] = lambda done, name: None,
    request: DataFormat | None = None,
    ties: Ties | None = None,
    run_tasks: RunTasks | None = None,
) -> Leaderboard:
    """Fit all contestants on the train part of a directory and compare them on its test part.

    Parameters
    ----------
    directory : Path
        A data directory, or one that `nextreel split` wrote.
    contestants : sequence of Contestant
        What to compare; each runs in a process of its own.
    rule : Rule, optional
        How to split a data directory, by default the rule named `clean`.
    modes : sequence of HistoryMode
        The history modes under which the queries are ranked.
    cutoffs : sequence of int
        Cutoffs of the metrics. 10 is the main one if it is included, otherwise the largest.
    exclude_seen : bool
        Whether movies in the history are left out of the lists.
    on_model : callable
        Called before each contestant with the number of contestants done and the contestant's name.
    request : DataFormat, optional
        What the caller says of the format of the data: names of columns, and from where on a rating counts as liked.
    ties : Ties, optional
        Which rows of a query's own second are in its history, by default those of the history mode's own rule.
    run_tasks : RunTasks, optional
        Where models are fitted, see `run_contestants`; by default on this machine, one after the other.

    Raises
    ------
    QueryError
        A cutoff is less than 1 or exceeds the size of the catalog, or the directory can't be split by the rule.
    ConfigError, DataError, NextreelError
        A contestant can't run: see `run_contestants`.
    """
    parts = read_train_test(directory, rule, request)
    _check_cutoffs(cutoffs, parts.train.n_movies)
    contest = Contest(directory, rule, request, modes, max(cutoffs), exclude_seen, ties)
    runs = run_contestants(contest, contestants, parts, on_model, run_tasks)
    on_model(len(contestants), "figures")
    return build_leaderboard(parts, runs, modes, cutoffs, exclude_seen, ties)


def build_leaderboard(
    parts: TrainTest,
    runs: Sequence[ContestantRun],
    modes: Sequence[HistoryMode],
    cutoffs: Sequence[int],
    exclude_seen: bool = True,
    ties: Ties | None = None,
) -> Leaderboard:
    """Compute the leaderboard of the contestants' finished runs, whose lists hold max(cutoffs) movies."""
    k = USUAL_CUTOFF if USUAL_CUTOFF in cutoffs else max(cutoffs)
    queries = {
        mode: EvaluationQueries.from_checked_split(parts.train, parts.test, mode, parts.threshold, ties)
        for mode in modes
    }
    # The modes differ in the histories alone: the queries, and so the users to draw, are the same.
    bootstrap = UserBootstrap(queries[modes[0]].users)
    evaluations = {mode: _evaluate_mode(runs, mode, queries[mode], bootstrap, cutoffs, k) for mode in modes}
    return Leaderboard(
        parts,
        protocol={
            "histories": [*modes],
            "ties": {mode: choose_ties(mode, ties) for mode in modes},
            "cutoffs": [*cutoffs],
            "main": f"NDCG@{k}",
            "threshold": parts.threshold,
            "exclude_seen": exclude_seen,
            "intervals": {
                "method": "percentile bootstrap over users",
                "resamples": bootstrap.resamples,
                "level": bootstrap.level,
                "seed": bootstrap.seed,
            },
        },
        runs={run.contestant.name: run for run in runs},
        figures={mode: evaluation.figures for mode, evaluation in evaluations.items()},
        slices={mode: evaluation.slices for mode, evaluation in evaluations.items()},
        tests=compare_pairs({mode: evaluation.values for mode, evaluation in evaluations.items()}, bootstrap),
        gaps=adjust_gaps({mode: evaluation.gaps for mode, evaluation in evaluations.items()}),
        users=bootstrap.users,
        asks_for_seen={mode: int(asked.asks_for_seen().sum()) for mode, asked in queries.items()},
    )


@dataclass(frozen=True)
class _ModeEvaluation:
    """The evaluation of all contestants' runs under one history mode."""

    values: Mapping[str, Float64Array]
    """float64[n_queries] by contestant: the main metric of each query."""
    figures: dict[str, ModelFigures]
    """Metrics and list properties by contestant."""
    slices: Slices
    gaps: Gaps
    """Fairness gaps whose p-values aren't adjusted for the number of tests yet."""


def _evaluate_mode(
    runs: Sequence[ContestantRun],
    mode: HistoryMode,
    queries: EvaluationQueries,
    bootstrap: UserBootstrap,
    cutoffs: Sequence[int],
    k: int,
) -> _ModeEvaluation:
    """Evaluate the recommendation lists of all contestants' runs under one history mode; k is the main cutoff."""
    slices, measurer = slice_queries(queries), ListMeasurer.of(queries)
    scores = {
        run.contestant.name: score_ranks(ranks_of(run.lists[mode].movies, queries.relevant), cutoffs)
        for run in runs
    }
    values = {name: metrics[f"NDCG@{k}"] for name, metrics in scores.items()}
    all_values = np.column_stack(list(values.values()))
    by_slice = {name: bootstrap.estimate_all(all_values, part) for name, part in slices.items()}
    figures = {
        run.contestant.name: ModelFigures(
            metrics=_estimate_metrics(scores[run.contestant.name], bootstrap),
            lists=measurer.describe(run.lists[mode].movies[:, :k], bootstrap),
            slices={name: estimates[column] for name, estimates in by_slice.items()},
            metrics_otherwise=_estimate_otherwise(run, mode, queries, bootstrap, cutoffs),
        )
        for column, run in enumerate(runs)
    }
    return _ModeEvaluation(values, figures, slices, find_gaps(values, slices, bootstrap))


def _estimate_otherwise(
    run: ContestantRun,
    mode: HistoryMode,
    queries: EvaluationQueries,
    bootstrap: UserBootstrap,
    cutoffs: Sequence[int],
) -> dict[str, Estimate]:
    if mode not in run.lists_otherwise:
        return {}
    ranks = ranks_of(run.lists_otherwise[mode].movies, queries.relevant)
    return _estimate_metrics(score_ranks(ranks, cutoffs), bootstrap)


def _estimate_metrics(scores: Mapping[str, Float64Array], bootstrap: UserBootstrap) -> dict[str, Estimate]:
    estimates = bootstrap.estimate_all(np.column_stack(list(scores.values())))
    return dict(zip(scores, estimates, strict=True))


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _check_cutoffs(cutoffs: Sequence[int], n_movies: int) -> None:
    wrong = [k for k in cutoffs if not 1 <= k <= n_movies]
    if wrong or not cutoffs:
        problem = f"k is {wrong[0]}" if wrong else "no k is named"
        raise QueryError(f"{problem}; the catalog has {number_of(n_movies, 'movie')}, so expected 1 to that")
