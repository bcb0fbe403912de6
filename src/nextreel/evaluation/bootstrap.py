"""Confidence intervals by a percentile bootstrap that resamples users.

Queries of one user resemble each other, so whole users are drawn with replacement rather than single queries (Field
& Welsh, "Bootstrapping clustered data", JRSS B 2007). The statistic is the mean over all queries of the users drawn.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from nextreel.arrays import BoolArray, Float64Array, Int64Array

USERS_PER_BATCH = 500_000
"""Number of users drawn per batch of resamples; keeps a batch within a few megabytes."""


@dataclass(frozen=True)
class Estimate:
    """A mean over queries with its confidence interval from a bootstrap, by default of 95 %."""

    mean: float
    """The mean over all queries."""
    low: float
    """Lower end of the confidence interval of the mean."""
    high: float
    """Upper end of the confidence interval of the mean."""

    def __str__(self) -> str:
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True)
class UserBootstrap:
    """Bootstrap resamples of the users of some queries. All statistics of one instance use the same resamples, so they
    can be compared."""

    users: Int64Array
    """int64[n_queries]: UserID of each query."""
    resamples: int = 1000
    """Number of bootstrap resamples; each draws as many users as there are, with replacement."""
    level: float = 0.95
    """Nominal coverage of the confidence intervals, such as 0.95."""
    seed: int = 0

    def estimate(self, values: Float64Array, part: BoolArray | None = None) -> Estimate:
        """Estimate the mean of `values`, float64[n_queries], over all queries or over those marked in `part`."""
        return self.estimate_all(values[:, None], part)[0]

    def estimate_all(self, values: Float64Array, part: BoolArray | None = None) -> list[Estimate]:
        """Estimate the mean of each column of `values`, float64[n_queries, n_statistics], as `estimate` does."""
        counts = np.ones(len(values)) if part is None else part.astype(np.float64)
        values = values * counts[:, None]
        sums = self.sums(np.column_stack([values, counts]))
        # A resample may lack every query of a small part; the interval then comes from the other resamples.
        not_empty = sums[:, -1] > 0
        means = values.sum(axis=0) / counts.sum()
        return [
            self.interval(mean, sums[not_empty, column] / sums[not_empty, -1])
            for column, mean in enumerate(means)
        ]

    def interval(self, mean: float, resampled: Float64Array) -> Estimate:
        """Return `mean` with its percentile interval; `resampled` holds the same statistic in each resample."""
        low, high = np.quantile(resampled, [(1 - self.level) / 2, (1 + self.level) / 2])
        return Estimate(float(mean), float(low), float(high))

    def sums(self, columns: Float64Array) -> Float64Array:
        """Sum each of the columns, float64[n_queries, n], over the queries of every resample: float64[resamples, n]."""
        totals, draw_counts = self.totals(columns), self._draw_counts
        size = max(1, USERS_PER_BATCH // len(totals))
        batches = [draw_counts[start : start + size] @ totals for start in range(0, self.resamples, size)]
        return np.concatenate(batches)

    def totals(self, columns: Float64Array) -> Float64Array:
        """Sum each of the columns, float64[n_queries, n], over the queries of every user: float64[n_users, n]."""
        totals: Float64Array = self._user_of_query @ columns
        return totals

    @cached_property
    def _draw_counts(self) -> npt.NDArray[np.uint8]:
        """uint8[resamples, n_users]: how often each user is drawn in each resample."""
        n_users, random = self._user_of_query.shape[0], np.random.default_rng(self.seed)
        counts = np.empty((self.resamples, n_users), dtype=np.uint8)
        size = max(1, USERS_PER_BATCH // n_users)
        for start in range(0, self.resamples, size):
            batch = counts[start : start + size]
            drawn = random.integers(n_users, size=batch.shape) + n_users * np.arange(len(batch))[:, None]
            batch[:] = np.bincount(drawn.ravel(), minlength=batch.size).reshape(batch.shape)
        return counts

    @cached_property
    def _user_of_query(self) -> csr_matrix:
        """Sparse matrix [n_users, n_queries]: 1 where the query is the user's, else 0; users in order of UserID."""
        n_queries = len(self.users)
        _, user = np.unique(self.users, return_inverse=True)
        return csr_matrix((np.ones(n_queries), (user, np.arange(n_queries))))


def estimate_mean(
    values: Float64Array, users: Int64Array, resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> Estimate:
    """Estimate the mean of `values`, float64[n_queries], with an interval from resampled users; `users` has the UserID
    of each query."""
    return UserBootstrap(users, resamples, level, seed).estimate(values)
