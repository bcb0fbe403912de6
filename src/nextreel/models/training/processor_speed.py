"""How fast this processor is at what fits consist of, which turns the work of a fit into seconds."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.sparse import csr_array

from nextreel.models.fit_cost import FitCost

CALIBRATION_SECONDS = 0.2
"""Duration of each of the two measurements."""


@dataclass(frozen=True)
class Speed:
    """How fast this processor is, in units of a FitCost."""

    products_per_second: float
    steps_per_second: float

    @classmethod
    def measure(cls) -> Self:
        """Time a product of dense and one of sparse matrices, for less than a second."""
        random = np.random.default_rng(0)
        size = 1024
        dense = random.random((size, size), dtype=np.float32)
        n_rows, per_row, n_columns = 10_000, 20, 4_000
        sparse = csr_array(
            (
                np.ones(n_rows * per_row, dtype=np.float32),
                random.integers(n_columns, size=n_rows * per_row),
                np.arange(n_rows + 1) * per_row,
            ),
            shape=(n_rows, n_columns),
        )
        return cls(
            products_per_second=size**3 / _seconds_of(lambda: dense @ dense),
            steps_per_second=n_rows * per_row**2 / _seconds_of(lambda: sparse.T @ sparse),
        )

    def seconds(self, cost: FitCost) -> float:
        """Return about how long a fit takes on this processor."""
        return cost.products / self.products_per_second + cost.steps / self.steps_per_second + cost.seconds


def _seconds_of(task: Callable[[], object]) -> float:
    """Return the shortest duration of a task among its runs within CALIBRATION_SECONDS."""
    task()
    best, ends = np.inf, time.perf_counter() + CALIBRATION_SECONDS
    while time.perf_counter() < ends:
        started = time.perf_counter()
        task()
        best = min(best, time.perf_counter() - started)
    return best
