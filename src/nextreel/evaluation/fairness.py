"""Fairness gaps: how differently a model serves groups of users, by gender, age and occupation.

A gap is the figure of the group that a model serves best minus the figure of the group that it serves worst. The
largest of several noisy figures exceeds the smallest even if all groups are served alike, so every gap comes with a
permutation test: how often do the groups differ at least as much after the users have been shuffled among them? The
test statistic is that of an analysis of variance: the squared deviations of the groups' means from the overall mean,
weighted by their number of queries.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np
from pydantic import JsonValue

from nextreel.arrays import BoolArray, Float64Array
from nextreel.evaluation.bootstrap import Estimate, UserBootstrap
from nextreel.evaluation.significance import ALPHA, ROUNDING, adjust_by_holm
from nextreel.evaluation.slices import Slices

ATTRIBUTES = ("gender", "age", "occupation")
"""Attributes of users whose values divide them into the groups that are compared; also the names of their slices."""
FEWEST_USERS = 30
"""Number of users below which a group is left out of the comparison: its mean metric is mostly noise."""
SHUFFLES = 5000
"""Number of permutations in a test of one attribute; its p-value is therefore at least 1 / 5,001."""


@dataclass(frozen=True)
class FairnessGap:
    """The difference in a metric between the groups of users that a model serves best and worst, for one attribute."""

    best: str
    """Name of the group of users with the highest mean metric."""
    worst: str
    """Name of the group of users with the lowest mean metric."""
    gap: Estimate
    """Mean metric of the best group minus that of the worst."""
    p: float
    """p-value of the permutation test of all groups of the attribute, not adjusted for the number of tests."""
    adjusted_p: float = 1.0
    """p-value adjusted by Holm for all fairness gaps of the comparison; 1 until `adjust_gaps` has set it."""

    @property
    def significant(self) -> bool:
        """Whether the groups of users differ significantly by the p-value adjusted by Holm."""
        return self.adjusted_p < ALPHA

    def facts(self) -> dict[str, JsonValue]:
        """Return the fairness gap in the form that is written as JSON."""
        return {**asdict(self), "real": self.significant}


Gaps = dict[str, dict[str, FairnessGap]]
"""Fairness gaps by attribute of the users, such as gender, and then by model."""


def find_gaps(
    values: Mapping[str, Float64Array], slices: Slices, bootstrap: UserBootstrap, shuffles: int = SHUFFLES
) -> Gaps:
    """Return the fairness gap of every model for every attribute with two groups of at least FEWEST_USERS users.

    Parameters
    ----------
    values : mapping of float64[n_queries]
        One metric of each query, by model.
    slices : dict of bool[n_queries]
        The slices of the same queries; those of ATTRIBUTES are the groups.
    bootstrap : UserBootstrap
        The resamples of users that the intervals come from.
    shuffles : int
        Number of permutations of each test.
    """
    columns = np.column_stack([*values.values(), np.ones(len(bootstrap.users))])
    gaps: Gaps = {}
    for attribute in ATTRIBUTES:
        groups = _find_groups(attribute, slices, bootstrap)
        if len(groups) >= 2:
            model_gaps = _compare_groups(columns, groups, bootstrap, shuffles)
            gaps[attribute] = dict(zip(values, model_gaps, strict=True))
    return gaps


def adjust_gaps(gaps: Mapping[str, Gaps]) -> dict[str, Gaps]:
    """Return fairness gaps by history mode with p-values adjusted by Holm for all modes, attributes and models."""
    keys = [
        (mode, attribute, model)
        for mode, by_attribute in gaps.items()
        for attribute, by_model in by_attribute.items()
        for model in by_model
    ]
    adjusted_ps = adjust_by_holm([gaps[mode][attribute][model].p for mode, attribute, model in keys])
    adjusted: dict[str, Gaps] = {mode: {} for mode in gaps}
    for (mode, attribute, model), p in zip(keys, adjusted_ps, strict=True):
        gap = replace(gaps[mode][attribute][model], adjusted_p=p)
        adjusted[mode].setdefault(attribute, {})[model] = gap
    return adjusted


def describe_gaps(gaps: Mapping[str, Gaps]) -> list[str]:
    """Return sentences on which models serve groups of users differently, from adjusted gaps by history mode."""
    sentences = []
    for mode, by_attribute in gaps.items():
        for attribute, by_model in by_attribute.items():
            unequal = [name for name, gap in by_model.items() if gap.significant]
            if unequal:
                sentences.append(
                    f"By {attribute}, {mode} history: the difference between groups of users is significant for "
                    f"{', '.join(unequal)}."
                )
    if gaps and not sentences:
        sentences.append("No difference between groups of users is significant.")
    return sentences


@dataclass(frozen=True)
class _Group:
    """Users with the same value of an attribute, such as the same gender."""

    name: str
    queries: BoolArray
    """bool[n_queries]: marks the queries of the group's users."""
    members: BoolArray
    """bool[n_users]: marks the users who are in the group."""


def _find_groups(attribute: str, slices: Slices, bootstrap: UserBootstrap) -> list[_Group]:
    """Return the groups of an attribute that have at least FEWEST_USERS users."""
    groups = [
        _Group(
            name=name.removeprefix(f"{attribute}: "),
            queries=part,
            members=bootstrap.totals(part[:, None].astype(float))[:, 0] > 0,
        )
        for name, part in slices.items()
        if name.startswith(f"{attribute}: ")
    ]
    return [group for group in groups if group.members.sum() >= FEWEST_USERS]


def _compare_groups(
    columns: Float64Array, groups: list[_Group], bootstrap: UserBootstrap, shuffles: int
) -> list[FairnessGap]:
    """Return the fairness gap of each model between `groups`; `columns` is float64[n_queries, n_models + 1]: each
    model's metric, then a column of ones."""
    totals = bootstrap.totals(columns)
    sums = bootstrap.sums(np.column_stack([columns * group.queries[:, None] for group in groups]))
    resampled = _average(sums.reshape(len(sums), len(groups), -1))
    means = np.array([_average(totals[group.members].sum(axis=0)) for group in groups])
    ps = _test_groups(totals, [group.members for group in groups], shuffles, bootstrap.seed)
    gaps = []
    for model, p in enumerate(ps):
        best, worst = int(means[:, model].argmax()), int(means[:, model].argmin())
        difference = resampled[:, best, model] - resampled[:, worst, model]
        gap = bootstrap.interval(means[best, model] - means[worst, model], difference)
        gaps.append(FairnessGap(groups[best].name, groups[worst].name, gap, float(p)))
    return gaps


def _test_groups(totals: Float64Array, members: list[BoolArray], shuffles: int, seed: int) -> Float64Array:
    """Return the p-value of each model's permutation test of the groups in `members`, float64[n_models]; `totals` has
    each user's sums over queries."""
    random = np.random.default_rng(seed)
    pooled = totals[np.concatenate([np.flatnonzero(users) for users in members])]
    starts = np.cumsum([0, *(users.sum() for users in members[:-1])])
    observed = _measure_deviation(np.add.reduceat(pooled, starts)) * ROUNDING
    as_large = np.zeros(len(observed))
    for _ in range(shuffles):
        as_large += _measure_deviation(np.add.reduceat(random.permutation(pooled), starts)) >= observed
    ps: Float64Array = (1 + as_large) / (1 + shuffles)
    return ps


def _measure_deviation(sums: Float64Array) -> Float64Array:
    """Return the test statistic, float64[n_models]: squared deviations of the groups' means from the overall mean,
    weighted by their number of queries and added up."""
    deviations: Float64Array = (sums[:, -1:] * (_average(sums) - _average(sums.sum(axis=0))) ** 2).sum(axis=0)
    return deviations


def _average(sums: Float64Array) -> Float64Array:
    """Divide sums over queries, float64[..., n_models + 1], by their last entry, the number of queries."""
    means: Float64Array = sums[..., :-1] / sums[..., -1:]
    return means
