"""Confidence intervals by the user-clustered percentile bootstrap.

A user's queries resemble each other, so whole users are drawn with replacement, not single queries (Field &
Welsh, "Bootstrapping clustered data", JRSS B 2007). The statistic is the mean over all drawn queries.
"""

from dataclasses import dataclass

import numpy as np

from nextreel.data.timeline import Int64Array
from nextreel.evaluation.metrics import Float64Array


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval."""

    mean: float
    low: float
    """Lower end of the 95 % interval."""
    high: float
    """Upper end."""

    def __str__(self) -> str:
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}]"


def estimate_mean(
    values: Float64Array, users: Int64Array, resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> Estimate:
    """Mean of one value per query and its interval; `users` says whose query each is."""
    _, user = np.unique(users, return_inverse=True)
    sums, counts = np.bincount(user, weights=values), np.bincount(user)
    drawn = np.random.default_rng(seed).integers(len(counts), size=(resamples, len(counts)))
    means = np.array([sums[row].sum() / counts[row].sum() for row in drawn])
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(float(values.mean()), float(low), float(high))
