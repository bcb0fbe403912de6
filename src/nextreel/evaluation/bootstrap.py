"""Confidence intervals by the user-clustered percentile bootstrap.

A user's queries resemble each other, so whole users are drawn with replacement, not single queries (Field &
Welsh, "Bootstrapping clustered data", JRSS B 2007). The statistic is the mean over all drawn queries.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from nextreel.arrays import BoolArray, Float64Array, Int64Array

DRAWN_AT_ONCE = 500_000
"""Users drawn per batch, so that a batch of resamples stays within a few megabytes."""


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


@dataclass(frozen=True)
class UserBootstrap:
    """Draws of users; statistics that are asked of one object share its draws, so that they can be compared."""

    users: Int64Array
    """int64[n_queries]: whose query each is."""
    resamples: int = 1000
    level: float = 0.95
    seed: int = 0

    def estimate(self, values: Float64Array, part: BoolArray | None = None) -> Estimate:
        """Mean of one value per query, over the queries of a part or over all, with its interval."""
        return self.estimate_all(values[:, None], part)[0]

    def estimate_all(self, values: Float64Array, part: BoolArray | None = None) -> list[Estimate]:
        """The same of each column of float64[n_queries, n_statistics]."""
        counts = np.ones(len(values)) if part is None else part.astype(np.float64)
        values = values * counts[:, None]
        sums = self.sums(np.column_stack([values, counts]))
        # A draw may hold no query of a small part; the interval is that of the draws which hold one.
        drawn = sums[:, -1] > 0
        means = values.sum(axis=0) / counts.sum()
        return [
            self.interval(mean, sums[drawn, column] / sums[drawn, -1]) for column, mean in enumerate(means)
        ]

    def interval(self, mean: float, drawn: Float64Array) -> Estimate:
        """An estimate from the statistic's value in each resample."""
        low, high = np.quantile(drawn, [(1 - self.level) / 2, (1 + self.level) / 2])
        return Estimate(float(mean), float(low), float(high))

    def sums(self, columns: Float64Array) -> Float64Array:
        """Of each column of float64[n_queries, n], its sum over the drawn queries: float64[resamples, n]."""
        totals, times = self.totals(columns), self._times
        size = max(1, DRAWN_AT_ONCE // len(totals))
        batches = [times[start : start + size] @ totals for start in range(0, self.resamples, size)]
        return np.concatenate(batches)

    def totals(self, columns: Float64Array) -> Float64Array:
        """Sum of each column over each user's queries: float64[n_users, n]."""
        totals: Float64Array = self._of_user @ columns
        return totals

    @cached_property
    def _times(self) -> npt.NDArray[np.uint8]:
        """uint8[resamples, n_users]: how often each user is drawn."""
        n_users, random = self._of_user.shape[0], np.random.default_rng(self.seed)
        times = np.empty((self.resamples, n_users), dtype=np.uint8)
        size = max(1, DRAWN_AT_ONCE // n_users)
        for start in range(0, self.resamples, size):
            batch = times[start : start + size]
            drawn = random.integers(n_users, size=batch.shape) + n_users * np.arange(len(batch))[:, None]
            batch[:] = np.bincount(drawn.ravel(), minlength=batch.size).reshape(batch.shape)
        return times

    @cached_property
    def _of_user(self) -> csr_matrix:
        """1 where a query (column) is of a user (row), in order of UserID."""
        n_queries = len(self.users)
        _, user = np.unique(self.users, return_inverse=True)
        return csr_matrix((np.ones(n_queries), (user, np.arange(n_queries))))


def estimate_mean(
    values: Float64Array, users: Int64Array, resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> Estimate:
    """Mean of one value per query and its interval; `users` says whose query each is."""
    return UserBootstrap(users, resamples, level, seed).estimate(values)
