"""What the answers of a backtest say: quality by window, by whose queries they are, and by the age of the model."""

from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from nextreel.arrays import BoolArray, Float64Array
from nextreel.atomic_files import write_json
from nextreel.data.schema import TIMESTAMP, USER_ID
from nextreel.data.table_writer import write_table
from nextreel.data.times import DAY, format_duration, format_timestamp
from nextreel.evaluation.backtesting.backtest_windows import BacktestPlan, Window
from nextreel.evaluation.bootstrap import Estimate, UserBootstrap
from nextreel.evaluation.metrics import score_ranks
from nextreel.evaluation.significance import ALPHA, adjust_by_holm, swap_users

K = 10
MAIN = f"NDCG@{K}"
REFITTED, NEVER_REFITTED, DIFFERENCE = "refitted", "never refitted", "difference"
EVERYONE, NEW_USERS, ACQUAINTED = "everyone", "new in the window", "known before it"
"""Whose queries: `new in the window` had no interaction before the window opened."""
FEWEST_USERS = 10


@dataclass(frozen=True)
class GroupMetrics:
    """Figures of a part of the queries."""

    queries: int
    users: int
    figures: dict[str, dict[str, Estimate]]
    """By `refitted`, `never refitted` and `difference` (the first minus the second, on the same draws), then by
    metric; without refits there is only the second."""

    @property
    def has_interval(self) -> bool:
        """Whether there are users enough; an interval over a handful is itself a matter of chance."""
        return self.users >= FEWEST_USERS

    def facts(self) -> dict[str, Any]:
        """In the form of JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Aging:
    """What an age of the model that was never refitted costs."""

    youngest: int
    oldest: int
    """Seconds since the fit, the latter excluded."""
    part: GroupMetrics
    adjusted_p: float | None
    """Of no difference to the refitted model, by Holm among all ages; None where there is none to compare."""

    def __str__(self) -> str:
        return f"{self.youngest / DAY:g} to {self.oldest / DAY:g} days"

    @property
    def worse(self) -> bool:
        """Whether it is shown to be worse than the refitted model."""
        return self.differs and self.part.figures[DIFFERENCE][MAIN].mean > 0

    @property
    def differs(self) -> bool:
        """Whether it is shown to be worse or better."""
        return self.adjusted_p is not None and self.adjusted_p < ALPHA


@dataclass(frozen=True)
class Backtest:
    """All answers of a backtest and what they say."""

    plan: BacktestPlan
    about: dict[str, Any]
    """The plan with all options and the data's fingerprint, in the form of JSON."""
    windows: list[Window]
    answers: pl.DataFrame
    """A row a query: Window, UserID, MovieID, Timestamp, New (in the window), and the rank of the movie in each
    model's list from 1, 0 if it wasn't there, in columns `refitted` and `never refitted`."""

    @cached_property
    def overall(self) -> dict[str, GroupMetrics]:
        """Figures of all windows together, by whose queries they are."""
        return _estimate_groups(self.answers)

    @cached_property
    def by_window(self) -> list[dict[str, GroupMetrics]]:
        """Figures of each window, by whose queries they are; a group without queries isn't there."""
        return [_estimate_groups(self.answers.filter(Window=window.number)) for window in self.windows]

    @cached_property
    def by_age(self) -> list[Aging]:
        """Figures by the age of the model that was never refitted, in classes of growing width."""
        age = self.answers[TIMESTAMP].to_numpy() - self.plan.start
        edges = [0, self.plan.every]
        while edges[-1] <= age.max():
            edges.append(2 * edges[-1])
        classes = [(low, high, (low <= age) & (age < high)) for low, high in pairwise(edges)]
        classes = [each for each in classes if each[2].any()]
        # In the first window both are one model.
        compared = [inside for low, _, inside in classes if low > 0] if self.plan.refits else []
        chances = iter(adjust_by_holm([self._chance_of_no_difference(inside) for inside in compared]))
        return [
            Aging(
                low,
                high,
                _estimate(self.answers.filter(inside)),
                next(chances) if low > 0 and compared else None,
            )
            for low, high, inside in classes
        ]

    def table(self) -> pl.DataFrame:
        """Figures of all windows, one row a window, group, model and metric."""
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

    def facts(self) -> dict[str, Any]:
        """In the form of JSON."""
        return {
            **self.about,
            "overall": {group: part.facts() for group, part in self.overall.items()},
            "by_age": [
                {"age": str(aging), "adjusted_p": aging.adjusted_p, **aging.part.facts()}
                for aging in self.by_age
            ],
            "windows": [
                {**asdict(window), "users": {group: part.facts() for group, part in groups.items()}}
                for window, groups in zip(self.windows, self.by_window, strict=True)
            ],
        }

    def sentences(self) -> list[str]:
        """What the figures say."""
        overall, said = self.overall, []
        if not self.plan.refits:
            said.append(f"{MAIN} without a refit: {overall[EVERYONE].figures[NEVER_REFITTED][MAIN]}.")
        else:
            said += self._say_what_refits_are_worth()
        if NEW_USERS in overall:
            share = overall[NEW_USERS].queries / overall[EVERYONE].queries
            said.append(f"{share:.0%} of the queries are of users who were new in their window.")
        if self.with_few_users:
            said.append(
                f"Windows with fewer than {FEWEST_USERS} users, too few for an interval: {self.with_few_users}."
            )
        return said

    @cached_property
    def with_few_users(self) -> int:
        """Windows whose users are too few for an interval."""
        return sum(not groups[EVERYONE].has_interval for groups in self.by_window)

    def _say_what_refits_are_worth(self) -> list[str]:
        old = [aging for aging in self.by_age if aging.adjusted_p is not None]
        if not old:
            return ["The model never grew older than a window, so there is no refit to judge."]
        later = self.answers.filter(pl.col(TIMESTAMP) >= self.plan.start + self.plan.every)
        gain = _estimate(later).figures[DIFFERENCE][MAIN]
        interval = f"[{gain.low:+.4f}, {gain.high:+.4f}]"
        days = format_duration(self.plan.every)
        said = f"After the first window, a refit every {days} is worth {gain.mean:+.4f} {interval} {MAIN}."
        worse = [str(aging) for aging in old if aging.worse]
        better = [str(aging) for aging in old if aging.differs and not aging.worse]
        if len(worse) == len(old):
            return [
                said,
                f"The model that was never refitted is worse at every age from {days} on.",
            ]
        start = "The model that was never refitted is shown to be"
        aging = f"{start} worse at an age of {', '.join(worse)}." if worse else f"{start} worse at no age."
        return [
            said,
            aging,
            *([f"It is shown to be better at an age of {', '.join(better)}."] if better else []),
        ]

    def _chance_of_no_difference(self, inside: BoolArray) -> float:
        answers = self.answers.filter(inside)
        gains = _score(answers, REFITTED)[MAIN] - _score(answers, NEVER_REFITTED)[MAIN]
        totals = UserBootstrap(answers[USER_ID].to_numpy()).totals(gains[:, None])
        return float(swap_users(totals)[0])


def write_backtest(backtest: Backtest, directory: Path) -> None:
    """Write all figures as `backtest.json` and those of the windows as `backtest.csv`."""
    write_table(backtest.table(), directory / "backtest.csv")
    write_json(backtest.facts(), directory / "backtest.json")


def _estimate_groups(answers: pl.DataFrame) -> dict[str, GroupMetrics]:
    groups = {EVERYONE: answers, NEW_USERS: answers.filter("New"), ACQUAINTED: answers.filter(~pl.col("New"))}
    return {name: _estimate(part) for name, part in groups.items() if len(part)}


def _estimate(answers: pl.DataFrame) -> GroupMetrics:
    values = {name: _score(answers, name) for name in (REFITTED, NEVER_REFITTED) if name in answers.columns}
    if REFITTED in values:
        values[DIFFERENCE] = {
            metric: each - values[NEVER_REFITTED][metric] for metric, each in values[REFITTED].items()
        }
    keys = [(name, metric) for name, metrics in values.items() for metric in metrics]
    bootstrap = UserBootstrap(answers[USER_ID].to_numpy())
    estimates = bootstrap.estimate_all(np.column_stack([values[name][metric] for name, metric in keys]))
    figures: dict[str, dict[str, Estimate]] = {name: {} for name in values}
    for (name, metric), estimate in zip(keys, estimates, strict=True):
        figures[name][metric] = estimate
    return GroupMetrics(len(answers), answers[USER_ID].n_unique(), figures)


def _score(answers: pl.DataFrame, model: str) -> dict[str, Float64Array]:
    return score_ranks(answers[model].to_numpy(), [K])
