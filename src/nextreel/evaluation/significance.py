"""Which differences between models are real: paired randomisation tests over users, corrected by Holm.

Two models answer the same queries. If neither were better, their names could be swapped for any user's queries
without changing anything in distribution; the test swaps them for a random half of the users again and again and
asks how often the difference is at least as large as the one seen (Fisher's randomisation test, which Smucker et al.,
CIKM 2007, recommend for retrieval; whole users are swapped because a user's queries resemble each other). The
interval of a difference is that of a paired bootstrap over users.

With many pairs some p is small by chance. Holm's step-down procedure (1979) keeps the probability of even one false
claim among all tests of a run within 5 %.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from nextreel.arrays import Float64Array
from nextreel.evaluation.bootstrap import Estimate, UserBootstrap
from nextreel.wording import join_names

ALPHA = 0.05
"""Highest probability of one false claim or more, among all tests of a family."""
PERMUTATIONS = 10_000
"""Random swaps, so that p is at least 1 / 10,001; Holm multiplies it by up to the number of tests."""
USERS_AT_ONCE = 500_000


@dataclass(frozen=True)
class PairedTest:
    """Two models on the same queries under one history."""

    history: str
    better: str
    worse: str
    difference: Estimate
    """Mean of the better one minus mean of the worse one."""
    p: float
    """Of the test alone, two-sided."""
    adjusted_p: float
    """By Holm, among all tests of the family."""

    @property
    def significant(self) -> bool:
        """Whether the difference may be claimed."""
        return self.adjusted_p < ALPHA

    def facts(self) -> dict[str, Any]:
        """In the form of JSON."""
        return {**asdict(self), "real": self.significant}


def compare_pairs(
    values: Mapping[str, Mapping[str, Float64Array]], bootstrap: UserBootstrap, swaps: int = PERMUTATIONS
) -> list[PairedTest]:
    """All pairs of models under each history, as one family.

    `values` has one metric of each query, float64[n_queries], by history and model.
    """
    found: list[tuple[str, str, str, Estimate]] = []
    chances: list[float] = []
    for history, models in values.items():
        pairs = [
            (one, other) if models[one].sum() >= models[other].sum() else (other, one)
            for one, other in combinations(models, 2)
        ]
        if not pairs:
            continue
        differences = np.column_stack([models[better] - models[worse] for better, worse in pairs])
        estimates = bootstrap.estimate_all(differences)
        found += [(history, *pair, estimate) for pair, estimate in zip(pairs, estimates, strict=True)]
        chances += swap_users(bootstrap.totals(differences), swaps, bootstrap.seed).tolist()
    return [
        PairedTest(*each, p, adjusted_p)
        for each, p, adjusted_p in zip(found, chances, adjust_by_holm(chances), strict=True)
    ]


def swap_users(totals: Float64Array, swaps: int = PERMUTATIONS, seed: int = 0) -> Float64Array:
    """p of each column of float64[n_users, n_pairs], each user's summed differences: float64[n_pairs]."""
    random = np.random.default_rng(seed)
    # Sums in another order differ in their last digits; what is equal must count as equal.
    seen = np.abs(totals.sum(axis=0)) * (1 - 1e-9)
    as_large = np.zeros(totals.shape[1])
    size = max(1, USERS_AT_ONCE // len(totals))
    for start in range(0, swaps, size):
        signs = random.integers(2, size=(min(size, swaps - start), len(totals)), dtype=np.int8) * 2.0 - 1
        as_large += (np.abs(signs @ totals) >= seen).sum(axis=0)
    chances: Float64Array = (1 + as_large) / (1 + swaps)
    return chances


def adjust_by_holm(chances: Sequence[float]) -> list[float]:
    """p values that may be compared with the level of the whole family, in the given order."""
    order = np.argsort(chances, kind="stable")
    steps = np.asarray(chances)[order] * np.arange(len(chances), 0, -1)
    adjusted = np.empty(len(chances))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1) if len(chances) else steps
    return [float(p) for p in adjusted]


def say_what_is_real(tests: Sequence[PairedTest], metric: str) -> list[str]:
    """For each history, a sentence on which differences are real and one on the best model."""
    sentences = []
    for history in dict.fromkeys(test.history for test in tests):
        of_history = [test for test in tests if test.history == history]
        open_ = [test for test in of_history if not test.significant]
        real, n = len(of_history) - len(open_), len(of_history)
        start = f"{metric}, {history} history:"
        if not open_:
            claim = f"{start} {'the difference is' if n == 1 else f'all {n} differences are'} real."
        elif not real:
            claim = f"{start} {'the difference is not' if n == 1 else f'none of {n} differences is'} shown to be real."
        else:
            are = "is" if real == 1 else "are"
            claim = f"{start} {real} of {n} differences {are} real. Not told apart: {_list_pairs(open_)}."
        sentences.append(f"{claim} {_say_best(of_history)}")
    if tests:
        of_this_run = (
            "in the one test of this run: a paired randomisation test that swaps whole users."
            if len(tests) == 1
            else f"among the {len(tests)} tests of this run: paired randomisation tests that swap whole users."
        )
        sentences.append(f"A difference is called real where Holm's p is below {ALPHA:g} {of_this_run}")
    return sentences


def _say_best(tests: Sequence[PairedTest]) -> str:
    lost = {test.worse for test in tests}
    best = next(test.better for test in tests if test.better not in lost)
    rivals = [test.worse for test in tests if test.better == best and not test.significant]
    if rivals:
        return f"{best} is ahead, but not shown to be better than {join_names(rivals)}."
    return f"{best} is the best."


def _list_pairs(tests: Sequence[PairedTest]) -> str:
    return "; ".join(
        f"{test.better} and {test.worse} ({test.difference}, p {test.adjusted_p:.2g})" for test in tests
    )
