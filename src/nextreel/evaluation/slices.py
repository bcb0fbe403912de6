"""Figures of parts of the queries: where a model is good and where it isn't.

The gap is the time from the last interaction that the history holds to the query. Queries in the same second are
of somebody in the middle of rating; days later, of somebody who comes back: two different problems.
"""

import numpy as np
import polars as pl

from nextreel.arrays import BoolArray, Float64Array, Int64Array
from nextreel.data.rater_counts import count_raters
from nextreel.data.schema import TIMESTAMP, USER_ID
from nextreel.data.timeline import Histories
from nextreel.data.times import DAY
from nextreel.evaluation.bootstrap import Estimate, estimate_mean
from nextreel.evaluation.metrics import METRICS
from nextreel.evaluation.protocol import EvaluationQueries

Slices = dict[str, BoolArray]


def slice_by_gap(histories: Histories, timestamps: Int64Array) -> Slices:
    """bool[n_queries] by name; a query without a history is in none."""
    last = histories.timeline.timestamps[np.maximum(histories.stops - 1, 0)]
    gap = np.where(histories.lengths > 0, timestamps - last, -1)
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


AGE_BANDS = (18, 25, 35, 45, 50, 56)
"""First year of each band but the youngest, which MovieLens' codes stand for."""


def slice_questions(questions: EvaluationQueries) -> Slices:
    """bool[n_queries] by name, such as "genre: Drama"; only slices that have queries."""
    known, relevant, timestamps = questions.dataset, questions.relevant, questions.timestamps
    raters, users = count_raters(known.timeline, np.maximum(relevant, 0), timestamps)
    slices = {
        **slice_by_gap(questions.histories, timestamps),
        **slice_by_length(questions.histories),
        **_cut("activity", count_days(questions.histories), (1, 2, 4, 11), "day", "days"),
        **_slice_by_popularity(np.where(relevant >= 0, raters / np.maximum(users, 1), 0.0)),
        **_slice_by_movie(questions),
        **_slice_by_user(questions),
    }
    return {name: part for name, part in slices.items() if part.any()}


def count_days(histories: Histories) -> Int64Array:
    """int64[n_queries]: days (UTC) on which each history has a rating."""
    timeline = histories.timeline
    day = timeline.timestamps // DAY
    begins = np.append(True, day[1:] != day[:-1]) if len(day) else np.zeros(0, dtype=np.bool_)
    begins[timeline.offsets[:-1][timeline.offsets[:-1] < len(day)]] = True
    until = np.append(0, np.cumsum(begins))
    days: Int64Array = until[histories.stops] - until[histories.starts]
    return days


def _slice_by_popularity(share: Float64Array) -> Slices:
    names = ("rated by none", "under 1 %", "1 to 5 %", "5 to 20 %", "20 % and more")
    edges = (-np.inf, 1e-12, 0.01, 0.05, 0.2, np.inf)
    return {
        f"popularity: {name}": (low <= share) & (share < high)
        for name, low, high in zip(names, edges, edges[1:], strict=False)
    }


def _slice_by_movie(questions: EvaluationQueries) -> Slices:
    movies, relevant = questions.dataset.movies, questions.relevant
    inside = relevant >= 0
    asked = movies[np.maximum(relevant, 0).tolist()].select("Genres", "Year")
    year = questions.queries.select(pl.from_epoch(TIMESTAMP).dt.year())[TIMESTAMP]
    years = (year - asked["Year"]).to_numpy()
    age = np.where(inside & ~np.isnan(years), np.maximum(years, 0), -1)
    genres = asked["Genres"].fill_null([])
    names = genres.explode().drop_nulls().unique().sort()
    return {
        **_cut("movie age", age, (0, 2, 6, 16), "year", "years"),
        **{f"genre: {name}": genres.list.contains(name).to_numpy() & inside for name in names},
    }


def _slice_by_user(questions: EvaluationQueries) -> Slices:
    of_user = questions.queries.select(USER_ID).join(
        questions.dataset.users, on=USER_ID, how="left", maintain_order="left"
    )
    age = of_user["Age"].fill_null(-1).to_numpy()
    return {
        **_slice_by_value("gender", of_user["Gender"]),
        **_cut("age", age, (0, *AGE_BANDS)),
        **_slice_by_value("occupation", of_user["Occupation"]),
    }


def _slice_by_value(family: str, values: pl.Series) -> Slices:
    return {
        f"{family}: {value}": (values == value).fill_null(False).to_numpy()
        for value in values.drop_nulls().unique().sort()
    }


def _cut(
    family: str, values: Int64Array | Float64Array, edges: tuple[int, ...], one: str = "", many: str = ""
) -> Slices:
    """Slices between whole numbers, the last one open; a value below the first edge is in none."""
    slices = {}
    for low, high in zip(edges, (*edges[1:], None), strict=True):
        inside = (values >= low) if high is None else (values >= low) & (values < high)
        if high is None:
            name = f"{low} and more"
        elif low == 0:
            name = f"under {high}"
        else:
            name = f"{low}" if high == low + 1 else f"{low} to {high - 1}"
        unit = one if name == "1" else many
        slices[f"{family}: {name} {unit}".rstrip()] = inside
    return slices
