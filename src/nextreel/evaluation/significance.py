"""Significance of differences between models: paired randomisation tests over users, adjusted by Holm.

Two models rank the same queries. Under the null hypothesis that neither is better, exchanging the two models for any
user's queries wouldn't change the distribution of the difference. The test exchanges them for a random half of the
users many times and counts how often the difference is at least as large as the observed one (Fisher's randomisation
test, which Smucker et al., CIKM 2007, recommend for retrieval). Whole users are exchanged because queries of one user
resemble each other. The interval of a difference comes from a paired bootstrap over users.

With many pairs, some p-values are small by chance. Holm's step-down procedure (1979) limits the probability of one or
more false claims among all tests of a run to 5 %.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations

import numpy as np
from pydantic import JsonValue

from nextreel.arrays import Float64Array
from nextreel.evaluation.bootstrap import Estimate, UserBootstrap
from nextreel.wording import join_names

ALPHA = 0.05
"""Highest accepted probability of one or more false claims of a difference among all tests of one run."""
PERMUTATIONS = 10_000
"""Number of random permutations in a paired test; each swaps the two models' results for about half of the users. p is
at least 1 / 10,001, which Holm's adjustment multiplies by up to the number of tests."""
ROUNDING = 1 - 1e-9
"""Factor on the observed statistic of a test, so that a permuted one that is equal but for rounding counts as at least
as large."""
USERS_PER_BATCH = 500_000
"""Number of random signs, one per user and permutation, drawn per batch; keeps a batch within a few megabytes."""


@dataclass(frozen=True)
class PairedTest:
    """The comparison of two models on the same queries under one history mode."""

    history: str
    """History mode of the queries, "frozen" or "live"."""
    better: str
    """Name of the model with the higher mean of the metric."""
    worse: str
    """Name of the model with the lower mean of the metric."""
    difference: Estimate
    """Mean of the metric for the better model minus its mean for the worse one."""
    p: float
    """Two-sided p-value of this test alone, not adjusted for the number of tests."""
    adjusted_p: float
    """p-value adjusted by Holm for all pairs of models and history modes that were tested together."""

    @property
    def significant(self) -> bool:
        """Whether the two models differ significantly by the p-value adjusted by Holm."""
        return self.adjusted_p < ALPHA

    def facts(self) -> dict[str, JsonValue]:
        """Return the paired test in the form that is written as JSON."""
        return {**asdict(self), "real": self.significant}


def compare_pairs(
    values: Mapping[str, Mapping[str, Float64Array]],
    bootstrap: UserBootstrap,
    permutations: int = PERMUTATIONS,
) -> list[PairedTest]:
    """Test all pairs of models under each history mode, with p-values adjusted by Holm for all of these tests together.

    Parameters
    ----------
    values : mapping of mappings of float64[n_queries]
        One metric of each query, by history mode and then by model.
    bootstrap : UserBootstrap
        The resamples of users that the intervals come from.
    permutations : int
        Number of random permutations in each test.
    """
    pairs: list[tuple[str, str, str]] = []
    estimates: list[Estimate] = []
    ps: list[float] = []
    for mode, by_model in values.items():
        mode_pairs = [
            (mode, one, other) if by_model[one].sum() >= by_model[other].sum() else (mode, other, one)
            for one, other in combinations(by_model, 2)
        ]
        if not mode_pairs:
            continue
        differences = np.column_stack([by_model[better] - by_model[worse] for _, better, worse in mode_pairs])
        pairs += mode_pairs
        estimates += bootstrap.estimate_all(differences)
        ps += permute_users(bootstrap.totals(differences), permutations, bootstrap.seed).tolist()
    return [
        PairedTest(*pair, estimate, p, adjusted_p)
        for pair, estimate, p, adjusted_p in zip(pairs, estimates, ps, adjust_by_holm(ps), strict=True)
    ]


def permute_users(
    totals: Float64Array, permutations: int = PERMUTATIONS, seed: int = 0, one_sided: bool = False
) -> Float64Array:
    """Return the p-value of the paired randomisation test of each pair of models.

    Parameters
    ----------
    totals : float64[n_users, n_pairs]
        Sum, over each user's queries, of the differences in a metric between the two models of each pair.
    permutations : int
        How often the two models are exchanged for a random half of the users.
    seed : int
        Seed of the draws.
    one_sided : bool
        Count only sums that are as large, not those that are as low; then a small p speaks for a positive difference.

    Returns
    -------
    float64[n_pairs]
        p-values, two-sided or one-sided.
    """
    random = np.random.default_rng(seed)
    sums = totals.sum(axis=0)
    observed = np.where(sums > 0, ROUNDING, 1 / ROUNDING) * sums if one_sided else np.abs(sums) * ROUNDING
    as_large = np.zeros(totals.shape[1])
    size = max(1, USERS_PER_BATCH // len(totals))
    for start in range(0, permutations, size):
        shape = (min(size, permutations - start), len(totals))
        signs = random.integers(2, size=shape, dtype=np.int8) * 2.0 - 1
        permuted = signs @ totals
        as_large += ((permuted if one_sided else np.abs(permuted)) >= observed).sum(axis=0)
    ps: Float64Array = (1 + as_large) / (1 + permutations)
    return ps


def adjust_by_holm(ps: Sequence[float]) -> list[float]:
    """Return the adjusted p-value of each test, from the p-values of all tests made together; to be compared with the
    significance level, such as 0.05."""
    order = np.argsort(ps, kind="stable")
    steps = np.asarray(ps)[order] * np.arange(len(ps), 0, -1)
    adjusted = np.empty(len(ps))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1) if len(ps) else steps
    return [float(p) for p in adjusted]


def describe_significance(tests: Sequence[PairedTest], metric: str) -> list[str]:
    """Return sentences: per history mode, which differences are significant and which model is the best."""
    if not tests:
        return []
    modes = dict.fromkeys(test.history for test in tests)
    sentences = [_describe_mode([test for test in tests if test.history == mode], metric) for mode in modes]
    scope = (
        "the one test of this run, a paired randomisation test over users."
        if len(tests) == 1
        else f"the {len(tests)} tests of this run, which are paired randomisation tests over users."
    )
    return [*sentences, f"Significant means that p, adjusted by Holm's method, is below {ALPHA:g} in {scope}"]


def _describe_mode(tests: Sequence[PairedTest], metric: str) -> str:
    """Say which differences under one history mode are significant, and which model is the best."""
    undecided = [test for test in tests if not test.significant]
    n, n_significant = len(tests), len(tests) - len(undecided)
    if not undecided:
        claim = f"{'the difference is' if n == 1 else f'all {n} differences are'} significant."
    elif not n_significant:
        claim = f"{'the difference is not' if n == 1 else f'none of the {n} differences is'} significant."
    else:
        verb = "is" if n_significant == 1 else "are"
        claim = f"{n_significant} of {n} differences {verb} significant. Not significant: {_list_pairs(undecided)}."
    return f"{metric}, {tests[0].history} history: {claim} {_describe_best(tests)}"


def _describe_best(tests: Sequence[PairedTest]) -> str:
    """Name the model with the highest mean and those that it isn't significantly better than."""
    worse = {test.worse for test in tests}
    best = next(test.better for test in tests if test.better not in worse)
    rivals = [test.worse for test in tests if test.better == best and not test.significant]
    if rivals:
        return f"{best} is ahead, but not shown to be better than {join_names(rivals)}."
    return f"{best} is the best."


def _list_pairs(tests: Sequence[PairedTest]) -> str:
    return "; ".join(
        f"{test.better} and {test.worse} ({test.difference}, p {test.adjusted_p:.2g})" for test in tests
    )
