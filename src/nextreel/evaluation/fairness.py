"""Where a model fails, and for whom: parts of the queries by the user and by the movie, and gaps between groups.

Beside the slices by gap and length of the history (`slices`), queries are divided by

activity    days on which the user had rated something by then
popularity  share of the users known by then who had rated the relevant movie
movie age   years from the relevant movie's to the query's
genre       of the relevant movie; one with several genres is in several slices
gender, age, occupation  of the user, as users.csv has them; the age in MovieLens' bands

A fairness gap is the figure of the group that a model serves best minus that of the one it serves worst. The largest
of several noisy figures is above the smallest even if all groups are served alike, so the gap stands beside a
permutation test: how often do the groups differ as much when they are shuffled among the users? How much they differ
is measured as in an analysis of variance, by the squared deviations of their means, weighted by their queries.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from nextreel.arrays import BoolArray, Float64Array
from nextreel.evaluation.bootstrap import Estimate, UserBootstrap
from nextreel.evaluation.significance import ALPHA, adjust_by_holm
from nextreel.evaluation.slices import Slices

ATTRIBUTES = ("gender", "age", "occupation")
"""Families of slices that are groups of users."""
FEWEST_USERS = 30
"""Users that a group needs to count in a fairness gap."""
SHUFFLES = 5000


@dataclass(frozen=True)
class FairnessGap:
    """The groups of users that a model serves best and worst."""

    best: str
    worst: str
    gap: Estimate
    """Best minus worst; the interval is that of these two groups."""
    p: float
    """Share of random shufflings of the groups among the users after which they differ as much."""
    adjusted_p: float = 1.0
    """By Holm, among all gaps that are looked at together; 1 until `adjust_gaps`."""

    @property
    def significant(self) -> bool:
        """Whether the gap may be claimed."""
        return self.adjusted_p < ALPHA

    def facts(self) -> dict[str, Any]:
        """In the form of JSON."""
        return {**asdict(self), "real": self.significant}


Gaps = dict[str, dict[str, FairnessGap]]
"""By attribute and model."""


def find_gaps(
    values: Mapping[str, Float64Array], slices: Slices, bootstrap: UserBootstrap, shuffles: int = SHUFFLES
) -> Gaps:
    """The gaps of every attribute that has two groups of FEWEST_USERS users."""
    columns = np.column_stack([*values.values(), np.ones(len(bootstrap.users))])
    totals = bootstrap.totals(columns)
    found = {}
    for attribute in ATTRIBUTES:
        parts = {name: part for name, part in slices.items() if name.startswith(f"{attribute}: ")}
        members = {
            name: bootstrap.totals(part[:, None].astype(float))[:, 0] > 0 for name, part in parts.items()
        }
        members = {name: users for name, users in members.items() if users.sum() >= FEWEST_USERS}
        if len(members) < 2:
            continue
        names = list(members)
        sums = bootstrap.sums(np.column_stack([columns * parts[name][:, None] for name in names]))
        drawn = sums.reshape(len(sums), len(names), -1)
        means = np.array([_means(totals[users].sum(axis=0)) for users in members.values()])
        chances = _shuffle(totals, list(members.values()), shuffles, bootstrap.seed)
        found[attribute] = {
            model: _gap(names, means[:, n], drawn[:, :, n] / drawn[:, :, -1], float(chances[n]), bootstrap)
            for n, model in enumerate(values)
        }
    return found


def adjust_gaps(gaps: Mapping[str, Gaps]) -> dict[str, Gaps]:
    """The same, by history, with p adjusted by Holm as one family."""
    keys = [
        (history, attribute, model)
        for history, found in gaps.items()
        for attribute, models in found.items()
        for model in models
    ]
    adjusted = adjust_by_holm([gaps[history][attribute][model].p for history, attribute, model in keys])
    made: dict[str, Gaps] = {history: {} for history in gaps}
    for (history, attribute, model), p in zip(keys, adjusted, strict=True):
        gap = gaps[history][attribute][model]
        made[history].setdefault(attribute, {})[model] = replace(gap, adjusted_p=p)
    return made


def _gap(
    names: list[str], means: Float64Array, drawn: Float64Array, p: float, bootstrap: UserBootstrap
) -> FairnessGap:
    best, worst = int(means.argmax()), int(means.argmin())
    gap = bootstrap.interval(means[best] - means[worst], drawn[:, best] - drawn[:, worst])
    return FairnessGap(names[best].partition(": ")[2], names[worst].partition(": ")[2], gap, p)


def _shuffle(totals: Float64Array, members: list[BoolArray], shuffles: int, seed: int) -> Float64Array:
    """Share of shufflings after which the groups differ at least as much: float64[n_models]."""
    random = np.random.default_rng(seed)
    pooled = totals[np.concatenate([np.flatnonzero(users) for users in members])]
    starts = np.cumsum([0, *(users.sum() for users in members[:-1])])
    seen = _deviate(np.add.reduceat(pooled, starts)) * (1 - 1e-9)
    as_much = np.zeros(len(seen))
    for _ in range(shuffles):
        as_much += _deviate(np.add.reduceat(random.permutation(pooled), starts)) >= seen
    chances: Float64Array = (1 + as_much) / (1 + shuffles)
    return chances


def _deviate(sums: Float64Array) -> Float64Array:
    """Squared deviations of the groups' means from the mean of all, weighted by queries: float64[n_models]."""
    weighted: Float64Array = (sums[:, -1:] * (_means(sums) - _means(sums.sum(axis=0))) ** 2).sum(axis=0)
    return weighted


def _means(sums: Float64Array) -> Float64Array:
    """Sums by model along the last axis, whose last entry is the number of queries."""
    means: Float64Array = sums[..., :-1] / sums[..., -1:]
    return means
