"""The results of a backtest: quality by window, by group of users, and by the age of the model."""

from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
from pydantic import JsonValue

from nextreel.arrays import BoolArray, Float64Array
from nextreel.atomic_files import write_json
from nextreel.data.ids import encode_ids
from nextreel.data.schema import TIMESTAMP, USER_ID
from nextreel.data.table_writer import write_table
from nextreel.data.times import DAY, format_duration, format_timestamp
from nextreel.evaluation.backtesting.backtest_windows import BacktestPlan, Window
from nextreel.evaluation.bootstrap import Estimate, UserBootstrap
from nextreel.evaluation.metrics import score_ranks
from nextreel.evaluation.significance import ALPHA, adjust_by_holm, permute_users

K = 10
"""Length of the recommendation lists of a backtest and cutoff of its metrics."""
MAIN = f"NDCG@{K}"
"""The main metric of a backtest, on which its tables, its findings and its chart are based."""
REFITTED, NEVER_REFITTED, DIFFERENCE = "refitted", "never refitted", "difference"
"""Names of the model refitted before each window, of the model fitted once before the start, and of the metric of the
first minus that of the second."""
EVERYONE, NEW_USERS, ACQUAINTED = "everyone", "new in the window", "known before it"
"""Names of the groups of users in a backtest; a user is new in a window if they had no interaction before it opened."""
FEWEST_USERS = 10
"""Number of users below which no confidence interval is shown: with so few, the interval itself is mostly noise."""


@dataclass(frozen=True)
class GroupMetrics:
    """Metrics of the refitted and the never-refitted model for a group of queries."""

    queries: int
    """Number of queries in the group."""
    users: int
    """Number of users with at least one query in the group."""
    figures: dict[str, dict[str, Estimate]]
    """Estimates by model and then by metric. The models are `refitted`, `never refitted` and their `difference`, all
    on the same resamples of users; without refits, only `never refitted`."""

    @property
    def has_interval(self) -> bool:
        """Whether the group has enough users (FEWEST_USERS) for confidence intervals to be shown."""
        return self.users >= FEWEST_USERS

    def facts(self) -> dict[str, JsonValue]:
        """Return the metrics in the form that is written as JSON."""
        return asdict(self)


@dataclass(frozen=True)
class AgeClass:
    """Queries for which the never-refitted model's age, the time since its fit, is within one range."""

    youngest: int
    """Lowest age of the never-refitted model in this class, in seconds since its fit."""
    oldest: int
    """Age of the never-refitted model, in seconds since its fit, at which the class ends; itself excluded."""
    part: GroupMetrics
    """Metrics of the refitted and the never-refitted model for the queries in this class."""
    adjusted_p: float | None
    """p-value of the difference between the refitted and the never-refitted model, adjusted by Holm for all ages; None
    without refits, or where both are the same model."""

    def __str__(self) -> str:
        return f"{self.youngest / DAY:g} to {self.oldest / DAY:g} days"

    @property
    def worse(self) -> bool:
        """Whether the never-refitted model has a significantly lower NDCG@10 at this age than the refitted one."""
        return self.differs and self.part.figures[DIFFERENCE][MAIN].mean > 0

    @property
    def differs(self) -> bool:
        """Whether the refitted and the never-refitted model differ significantly in NDCG@10 for queries of this age."""
        return self.adjusted_p is not None and self.adjusted_p < ALPHA


@dataclass(frozen=True)
class Backtest:
    """The results of a finished backtest: the rank of every relevant movie, and the metrics of these ranks."""

    plan: BacktestPlan
    about: dict[str, JsonValue]
    """Plan of the backtest with all options of the model, and fingerprint of the data, in the form of JSON."""
    windows: list[Window]
    """Time windows of the backtest that hold queries, in order of time."""
    ranks: pl.DataFrame
    """One row per query: Window (its number), UserID, MovieID, Timestamp, New (whether the user is new in the window),
    and the rank of the movie in each model's list, from 1, 0 if it isn't there: `refitted`, `never refitted`."""

    @cached_property
    def overall(self) -> dict[str, GroupMetrics]:
        """Metrics over the queries of all windows together, by group of users."""
        return _estimate_groups(self.ranks)

    @cached_property
    def by_window(self) -> list[dict[str, GroupMetrics]]:
        """Metrics of each window by group of users; groups without queries are left out."""
        return [_estimate_groups(self.ranks.filter(Window=window.number)) for window in self.windows]

    @cached_property
    def by_age(self) -> list[AgeClass]:
        """Metrics by the age of the never-refitted model, in classes that end after 1, 2, 4, ... window lengths."""
        classes = self._cut_ages()
        # In the first window both models are the same one.
        compared = [inside for low, _, inside in classes if low > 0] if self.plan.refits else []
        adjusted_ps = iter(adjust_by_holm([self._test_difference(inside) for inside in compared]))
        return [
            AgeClass(
                low,
                high,
                _estimate(self.ranks.filter(inside)),
                next(adjusted_ps) if low > 0 and compared else None,
            )
            for low, high, inside in classes
        ]

    @cached_property
    def n_windows_without_interval(self) -> int:
        """Number of windows with too few users for a confidence interval."""
        return sum(not groups[EVERYONE].has_interval for groups in self.by_window)

    def table(self) -> pl.DataFrame:
        """Return all estimates of the windows, one row per window, group of users, model and metric."""
        return pl.DataFrame(
            [
                {
                    "Window": window.number,
                    "Opens": format_timestamp(window.opens),
                    "Closes": format_timestamp(window.closes),
                    "Users": group,
                    "NumberOfUsers": part.users,
                    "NumberOfQueries": part.queries,
                    "Model": model,
                    "Metric": metric,
                    "Mean": estimate.mean,
                    "Low": estimate.low,
                    "High": estimate.high,
                }
                for window, groups in zip(self.windows, self.by_window, strict=True)
                for group, part in groups.items()
                for model, metrics in part.figures.items()
                for metric, estimate in metrics.items()
            ]
        )

    def facts(self) -> dict[str, JsonValue]:
        """Return all estimates of the backtest, with its settings, in the form that is written as JSON."""
        return {
            **self.about,
            "overall": {group: part.facts() for group, part in self.overall.items()},
            "by_age": [
                {"age": str(age_class), "adjusted_p": age_class.adjusted_p, **age_class.part.facts()}
                for age_class in self.by_age
            ],
            "windows": [
                {**asdict(window), "users": {group: part.facts() for group, part in groups.items()}}
                for window, groups in zip(self.windows, self.by_window, strict=True)
            ],
        }

    def findings(self) -> list[str]:
        """Return sentences on what the backtest shows: the quality of the model, and the effect of refitting it."""
        sentences = self._describe_refits() if self.plan.refits else [self._describe_quality()]
        if NEW_USERS in self.overall:
            share = self.overall[NEW_USERS].queries / self.overall[EVERYONE].queries
            sentences.append(f"{share:.0%} of the queries are of users who were new in their window.")
        if self.n_windows_without_interval:
            sentences.append(
                f"Windows with fewer than {FEWEST_USERS} users, too few for an interval: "
                f"{self.n_windows_without_interval}."
            )
        return sentences

    def _describe_quality(self) -> str:
        return f"{MAIN} without a refit: {self.overall[EVERYONE].figures[NEVER_REFITTED][MAIN]}."

    def _describe_refits(self) -> list[str]:
        """Return sentences on how much the refits improve NDCG@10, and at which ages of the never-refitted model the
        difference is significant."""
        compared = [age_class for age_class in self.by_age if age_class.adjusted_p is not None]
        if not compared:
            return ["The model never grew older than one window, so the effect of refits is unknown."]
        later = self.ranks.filter(pl.col(TIMESTAMP) >= self.plan.start + self.plan.every)
        gain = _estimate(later).figures[DIFFERENCE][MAIN]
        every, interval = format_duration(self.plan.every), f"[{gain.low:+.4f}, {gain.high:+.4f}]"
        effect = f"After the first window, a refit every {every} is worth {gain.mean:+.4f} {interval} {MAIN}."
        worse = [str(age_class) for age_class in compared if age_class.worse]
        better = [str(age_class) for age_class in compared if age_class.differs and not age_class.worse]
        if len(worse) == len(compared):
            return [effect, f"The model that was never refitted is worse at every age from {every} on."]
        sentences = [
            effect,
            f"The model that was never refitted is significantly worse at {_list_ages(worse)}.",
        ]
        if better:
            sentences.append(f"It is significantly better at {_list_ages(better)}.")
        return sentences

    def _cut_ages(self) -> list[tuple[int, int, BoolArray]]:
        """Return the classes of ages that have queries: lowest age, age at which the class ends, and bool[n_queries]
        that marks its queries."""
        age = self.ranks[TIMESTAMP].to_numpy() - self.plan.start
        edges = [0, self.plan.every]
        while edges[-1] <= age.max():
            edges.append(2 * edges[-1])
        classes = [(low, high, (low <= age) & (age < high)) for low, high in pairwise(edges)]
        return [(low, high, inside) for low, high, inside in classes if inside.any()]

    def _test_difference(self, inside: BoolArray) -> float:
        """Return the p-value of the difference in NDCG@10 between the refitted and the never-refitted model on the
        queries marked in `inside`."""
        ranks = self.ranks.filter(inside)
        gains = _score(ranks, REFITTED)[MAIN] - _score(ranks, NEVER_REFITTED)[MAIN]
        totals = UserBootstrap(encode_ids(ranks[USER_ID])).totals(gains[:, None])
        return float(permute_users(totals)[0])


def write_backtest(backtest: Backtest, directory: Path) -> None:
    """Write all estimates of a backtest to `backtest.json`, and those of the single windows to `backtest.csv`."""
    write_table(backtest.table(), directory / "backtest.csv")
    write_json(backtest.facts(), directory / "backtest.json")


def _estimate_groups(ranks: pl.DataFrame) -> dict[str, GroupMetrics]:
    groups = {EVERYONE: ranks, NEW_USERS: ranks.filter("New"), ACQUAINTED: ranks.filter(~pl.col("New"))}
    return {name: _estimate(rows) for name, rows in groups.items() if len(rows)}


def _estimate(ranks: pl.DataFrame) -> GroupMetrics:
    values = {name: _score(ranks, name) for name in (REFITTED, NEVER_REFITTED) if name in ranks.columns}
    if REFITTED in values:
        values[DIFFERENCE] = {
            metric: refitted - values[NEVER_REFITTED][metric] for metric, refitted in values[REFITTED].items()
        }
    keys = [(name, metric) for name, metrics in values.items() for metric in metrics]
    bootstrap = UserBootstrap(encode_ids(ranks[USER_ID]))
    estimates = bootstrap.estimate_all(np.column_stack([values[name][metric] for name, metric in keys]))
    figures: dict[str, dict[str, Estimate]] = {name: {} for name in values}
    for (name, metric), estimate in zip(keys, estimates, strict=True):
        figures[name][metric] = estimate
    return GroupMetrics(len(ranks), ranks[USER_ID].n_unique(), figures)


def _score(ranks: pl.DataFrame, model: str) -> dict[str, Float64Array]:
    """Return every metric of a model by name, such as NDCG@10, each float64[n_queries]."""
    return score_ranks(ranks[model].to_numpy(), [K])


def _list_ages(ages: list[str]) -> str:
    return f"an age of {', '.join(ages)}" if ages else "no age"
