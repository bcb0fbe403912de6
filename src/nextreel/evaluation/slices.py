"""Slices: parts of the queries, by the history, the relevant movie and the user, that are evaluated on their own.

gap         Time from the last interaction in the history to the query. A query in the same second belongs to a user
            in the middle of rating; one that comes days later to a user who returns. These are different problems.
history     Number of interactions in the history.
activity    Number of days on which the history has a rating.
popularity  Share of users who had rated the relevant movie by the query's timestamp, among all users who had rated
            anything by then.
movie age   Years from the release of the relevant movie to the query.
genre       Genre of the relevant movie; a query about a movie with several genres is in several slices.
gender, age, occupation   Attributes of the user, from users.csv; ages in the bands of MovieLens.

A slice is a mask over the queries, bool[n_queries], with a name such as "genre: Drama".
"""

from itertools import pairwise

import numpy as np
import polars as pl

from nextreel.arrays import BoolArray, Float64Array, Int64Array, starts_run
from nextreel.data.schema import TIMESTAMP, USER_ID
from nextreel.data.timeline import Histories
from nextreel.data.times import DAY
from nextreel.evaluation.bootstrap import Estimate, estimate_mean
from nextreel.evaluation.metrics import METRICS
from nextreel.evaluation.protocol import EvaluationQueries
from nextreel.evaluation.rater_counts import count_raters

Slices = dict[str, BoolArray]
"""Slices of the queries: bool[n_queries], which marks the queries of the slice, by its name such as "genre: Drama"."""

LENGTHS = {"none": 0, "1 to 9": 1, "10 to 49": 10, "50 to 199": 50, "200 and more": 200}
"""Smallest number of interactions in the history for each slice by length of the history."""
POPULARITIES = {
    "rated by none": -np.inf,
    "under 1 %": 1e-12,
    "1 to 5 %": 0.01,
    "5 to 20 %": 0.05,
    "20 % and more": 0.2,
}
"""Lowest share of users who had rated the relevant movie, for each slice by popularity."""
AGE_BANDS = (18, 25, 35, 45, 50, 56)
"""First year of every age band but the youngest: the ages that MovieLens uses as codes of its bands."""


def slice_queries(queries: EvaluationQueries) -> Slices:
    """Return every slice of every family (gap, history, genre and so on) that has queries."""
    slices = {
        **slice_by_gap(queries.histories, queries.timestamps),
        **slice_by_length(queries.histories),
        **_slice_by_number("activity", count_days(queries.histories), (1, 2, 4, 11), "day", "days"),
        **_slice_by_popularity(queries),
        **_slice_by_movie(queries),
        **_slice_by_user(queries),
    }
    return {name: part for name, part in slices.items() if part.any()}


def slice_by_gap(histories: Histories, timestamps: Int64Array) -> Slices:
    """Slice queries by the time from the last interaction of the history to the query; those without a history are in
    no slice."""
    last = histories.timeline.timestamps[np.maximum(histories.stops - 1, 0)]
    gap = np.where(histories.lengths > 0, timestamps - last, -1)
    return {
        "gap: same second": gap == 0,
        "gap: up to a day": (gap > 0) & (gap <= DAY),
        "gap: one to two days": (gap > DAY) & (gap <= 2 * DAY),
        "gap: over two days": gap > 2 * DAY,
    }


def slice_by_length(histories: Histories) -> Slices:
    """Slice queries by the number of interactions in the history; every query is in exactly one slice."""
    return _slice_by_lower_ends("history", histories.lengths, LENGTHS)


def estimate_slices(
    slices: Slices, ranks: Int64Array, users: Int64Array, k: int
) -> dict[str, dict[str, Estimate]]:
    """Estimate every metric at cutoff k for every slice that has queries.

    Parameters
    ----------
    slices : dict of bool[n_queries]
        The slices by name.
    ranks : int64[n_queries]
        Rank of each relevant movie, 0 if it isn't in the list.
    users : int64[n_queries]
        UserID of each query.
    k : int
        Cutoff of the metrics, such as 10 for NDCG@10.

    Returns
    -------
    dict of dict of Estimate
        By slice and then by a metric's name such as NDCG@10; intervals from a bootstrap over the slice's own users.
    """
    return {
        name: {
            f"{metric}@{k}": estimate_mean(score(ranks[part], k), users[part])
            for metric, score in METRICS.items()
        }
        for name, part in slices.items()
        if part.any()
    }


def count_days(histories: Histories) -> Int64Array:
    """Return int64[n_queries]: the number of UTC days on which each history has a rating."""
    timeline = histories.timeline
    day = timeline.timestamps // DAY
    starts_day = starts_run(day)
    starts_day[timeline.offsets[:-1][timeline.offsets[:-1] < len(day)]] = True
    days_until = np.append(0, np.cumsum(starts_day))
    days: Int64Array = days_until[histories.stops] - days_until[histories.starts]
    return days


def _slice_by_popularity(queries: EvaluationQueries) -> Slices:
    relevant = queries.relevant
    raters, users = count_raters(queries.dataset.timeline, np.maximum(relevant, 0), queries.timestamps)
    share = np.where(relevant >= 0, raters / np.maximum(users, 1), 0.0)
    return _slice_by_lower_ends("popularity", share, POPULARITIES)


def _slice_by_movie(queries: EvaluationQueries) -> Slices:
    movies, relevant = queries.dataset.movies, queries.relevant
    in_catalog = relevant >= 0
    relevant_movies = movies[np.maximum(relevant, 0).tolist()].select("Genres", "Year")
    year = queries.rows.select(pl.from_epoch(TIMESTAMP).dt.year())[TIMESTAMP]
    years = (year - relevant_movies["Year"]).to_numpy()
    age = np.where(in_catalog & ~np.isnan(years), np.maximum(years, 0), -1)
    genres = relevant_movies["Genres"].fill_null([])
    names = genres.explode().drop_nulls().unique().sort()
    return {
        **_slice_by_number("movie age", age, (0, 2, 6, 16), "year", "years"),
        **{f"genre: {name}": genres.list.contains(name).to_numpy() & in_catalog for name in names},
    }


def _slice_by_user(queries: EvaluationQueries) -> Slices:
    users = queries.rows.select(USER_ID).join(
        queries.dataset.users, on=USER_ID, how="left", maintain_order="left"
    )
    age = users["Age"].fill_null(-1).to_numpy()
    return {
        **_slice_by_value("gender", users["Gender"]),
        **_slice_by_number("age", age, (0, *AGE_BANDS)),
        **_slice_by_value("occupation", users["Occupation"]),
    }


def _slice_by_value(family: str, values: pl.Series) -> Slices:
    """Return one slice of the queries per distinct value; queries whose value is null are in none."""
    return {
        f"{family}: {value}": (values == value).fill_null(False).to_numpy()
        for value in values.drop_nulls().unique().sort()
    }


def _slice_by_lower_ends(
    family: str, values: Int64Array | Float64Array, lower_ends: dict[str, int] | dict[str, float]
) -> Slices:
    """Return one slice per name: the queries whose value is at least its lower end and below the next name's."""
    ends = [*lower_ends.values(), np.inf]
    return {
        f"{family}: {name}": (low <= values) & (values < high)
        for name, (low, high) in zip(lower_ends, pairwise(ends), strict=True)
    }


def _slice_by_number(
    family: str, values: Int64Array | Float64Array, edges: tuple[int, ...], unit: str = "", units: str = ""
) -> Slices:
    """Return one slice per range between two edges and one from the last edge on, named after the whole numbers in it.

    Queries whose value is below the first edge are in no slice.
    """
    slices = {}
    for low, high in zip(edges, (*edges[1:], None), strict=True):
        if high is None:
            name, part = f"{low} and more", values >= low
        else:
            name, part = _name_range(low, high), (values >= low) & (values < high)
        slices[f"{family}: {name} {unit if name == '1' else units}".rstrip()] = part
    return slices


def _name_range(low: int, high: int) -> str:
    """Return the name of the range of whole numbers low <= n < high."""
    if low == 0:
        return f"under {high}"
    return f"{low}" if high == low + 1 else f"{low} to {high - 1}"
