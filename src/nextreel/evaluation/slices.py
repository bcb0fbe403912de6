"""Figures of parts of the queries: where a model is good and where it isn't.

The gap is the time from the last interaction that the history holds to the query. Queries in the same second are
of somebody in the middle of rating; days later, of somebody who comes back: two different problems.
"""

import numpy as np

from nextreel.arrays import BoolArray, Int64Array
from nextreel.data.timeline import Histories
from nextreel.data.times import DAY
from nextreel.evaluation.bootstrap import Estimate, estimate_mean
from nextreel.evaluation.metrics import METRICS

Slices = dict[str, BoolArray]


def slice_by_gap(histories: Histories, at: Int64Array) -> Slices:
    """bool[n_queries] by name; a query without a history is in none."""
    last = histories.timeline.timestamps[np.maximum(histories.stops - 1, 0)]
    gap = np.where(histories.lengths > 0, at - last, -1)
    return {
        "gap: same second": gap == 0,
        "gap: up to a day": (gap > 0) & (gap <= DAY),
        "gap: one to two days": (gap > DAY) & (gap <= 2 * DAY),
        "gap: over two days": gap > 2 * DAY,
    }


def slice_by_length(histories: Histories) -> Slices:
    """bool[n_queries] by name: how many interactions the history holds."""
    edges = (0, 1, 10, 50, 200, np.iinfo(np.int64).max)
    names = ("none", "1 to 9", "10 to 49", "50 to 199", "200 and more")
    return {
        f"history: {name}": (low <= histories.lengths) & (histories.lengths < high)
        for name, low, high in zip(names, edges, edges[1:], strict=False)
    }


def estimate_slices(
    slices: Slices, ranks: Int64Array, users: Int64Array, k: int
) -> dict[str, dict[str, Estimate]]:
    """The metrics of each slice that has queries, with intervals by a bootstrap over its users."""
    return {
        name: {
            f"{metric}@{k}": estimate_mean(of(ranks[part], k), users[part]) for metric, of in METRICS.items()
        }
        for name, part in slices.items()
        if part.any()
    }
