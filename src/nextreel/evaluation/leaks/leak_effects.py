"""The effect of a leak on NDCG: the same queries scored with the leak and without it.

An effect may be negative. A movie in the history was seen and isn't recommended again, so a leaked row lowers the
score of the query that asks for it, while it helps with the user's other queries.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import polars as pl

from nextreel.arrays import BoolArray, Float64Array, Int32Array
from nextreel.data.dataset import Dataset
from nextreel.data.ids import Id
from nextreel.data.schema import TIMESTAMP, USER_ID
from nextreel.data.splitting.split_directory import TrainTest
from nextreel.data.timeline import NEVER
from nextreel.evaluation.bootstrap import Estimate, UserBootstrap
from nextreel.evaluation.metrics import ndcg, ranks_of
from nextreel.evaluation.protocol import EvaluationQueries
from nextreel.models.base import Recommender
from nextreel.ranking.ranker import Ranker

WINDOWS = 4
"""Number of time windows, each with a fifth of the queries. The earliest fifth is left out: too few rows precede it."""


@dataclass(frozen=True)
class LeakEffect:
    """Mean NDCG of queries with a leak and without it, and the difference."""

    label: str
    """Words that tell the effects of a leak apart: what is compared with what, or on which queries."""
    queries: int
    """Number of queries on which NDCG with and without the leak is compared."""
    leaking: Estimate
    """Mean NDCG of the queries with the leak."""
    sealed: Estimate
    """Mean NDCG of the queries without the leak."""
    difference: Estimate
    """Mean NDCG with the leak minus mean NDCG without it."""


@dataclass(frozen=True)
class EffectMeter:
    """Measures the effects of leaks in one split with one kind of model, under frozen history."""

    parts: TrainTest
    create: Callable[[], Recommender]
    """Function that creates the unfitted model with which the effects of leaks are measured."""
    k: int = 10
    """Length of the recommendation lists and cutoff of NDCG."""
    exclude_seen: bool = True
    """Whether movies in the history are left out of the lists."""
    on_step: Callable[[str], None] = lambda what: None
    """Called before each fit with a description of the fit."""

    def with_train_rows(self, rows: pl.DataFrame) -> Self:
        """Return a copy of this meter for the same split with `rows` as its train part."""
        return replace(self, parts=replace(self.parts, train=self.parts.train.with_rows(rows)))

    @cached_property
    def queries(self) -> EvaluationQueries:
        """All queries of the test part, with histories that end with the train part."""
        return EvaluationQueries.from_split(self.parts.train, self.parts.test, "frozen", self.parts.threshold)

    @cached_property
    def bootstrap(self) -> UserBootstrap:
        """Resamples of the users of the test queries, which the intervals of all effects share."""
        return UserBootstrap(self.queries.users)

    @cached_property
    def model(self) -> Recommender:
        """The model fitted on the whole train part."""
        return self.fit(self.parts.train, "fitting on the train part")

    @cached_property
    def scores(self) -> Float64Array:
        """float64[n_queries]: NDCG of each query under the split as it is, with all of its leaks."""
        return self.score(self.model, self.queries)

    def fit(self, train: Dataset, step: str) -> Recommender:
        """Fit a new model on `train`; `step` describes the fit and is passed to `on_step`."""
        self.on_step(step)
        return self.create().fit(train)

    def score(
        self, model: Recommender, queries: EvaluationQueries, exclude_seen: bool | None = None
    ) -> Float64Array:
        """Return a fitted model's NDCG for each query, float64[n_queries]; `exclude_seen` defaults to the meter's."""
        exclude_seen = self.exclude_seen if exclude_seen is None else exclude_seen
        return self.score_lists(queries.rank_with(model, self.k, exclude_seen).movies, queries)

    def score_lists(self, movies: Int32Array, queries: EvaluationQueries) -> Float64Array:
        """Return NDCG of each recommendation list, float64[n_queries]; `movies` is int32[n_queries, k]."""
        return ndcg(ranks_of(movies, queries.relevant), self.k)

    def rank_without_releases(self, ranker: Ranker) -> Int32Array:
        """Return the lists for all queries as if every movie had always been out: int32[n_queries, k] of indices."""
        always_out = replace(ranker, released_at=np.zeros_like(ranker.released_at))
        queries = self.queries
        return always_out.rank(queries.histories, queries.timestamps, self.k, self.exclude_seen).movies

    def compare(
        self, label: str, leaking: Float64Array, sealed: Float64Array, part: BoolArray | None = None
    ) -> LeakEffect:
        """Compare NDCG of each query with and without a leak, on all queries or on those marked in `part`."""
        estimates = self.bootstrap.estimate_all(np.column_stack([leaking, sealed, leaking - sealed]), part)
        return LeakEffect(label, len(leaking) if part is None else int(part.sum()), *estimates)

    def compare_to_part(self, label: str, part: BoolArray) -> LeakEffect:
        """Compare NDCG over all queries (with the leak) with NDCG over those marked in `part` (without it)."""
        scores, ones = self.scores, np.ones(len(self.scores))
        leaking, sealed = self.bootstrap.estimate(scores), self.bootstrap.estimate(scores, part)
        sums = self.bootstrap.sums(np.column_stack([scores, ones, scores * part, part]))
        sums = sums[sums[:, 3] > 0]  # a resample may lack every query of the part
        difference = sums[:, 0] / sums[:, 1] - sums[:, 2] / sums[:, 3]
        interval = self.bootstrap.interval(leaking.mean - sealed.mean, difference)
        return LeakEffect(label, len(ones), leaking, sealed, interval)


def measure_future_of_others(meter: EffectMeter) -> tuple[LeakEffect, ...]:
    """Measure what later train rows of other users add to NDCG, by fitting models on the rows before each time window.

    A model fitted only on earlier rows has fewer of them. A second effect therefore compares it with a model of about
    as many rows, of users drawn from all times. Neither model has rows of the window's own users from the window on.
    Empty if no window has both queries and earlier rows.
    """
    queries, rows = meter.queries, meter.parts.train.interactions()
    random = np.random.default_rng(meter.bootstrap.seed)
    past, any_time = meter.scores.copy(), meter.scores.copy()
    scored = np.zeros(len(queries), dtype=np.bool_)
    edges = _cut_windows(queries)
    for number, (opens, closes) in enumerate(zip(edges, [*edges[1:], NEVER], strict=True), start=1):
        inside = (queries.timestamps >= opens) & (queries.timestamps < closes)
        earlier = rows.filter(pl.col(TIMESTAMP) < opens)
        if earlier.is_empty() or not inside.any():
            continue
        drawn = _draw_users(rows, earlier, queries.rows.filter(inside)[USER_ID].unique().to_list(), random)
        for scores, train_rows, source in (
            (past, earlier, "the past"),
            (any_time, drawn, "users of any time"),
        ):
            train = meter.parts.train.with_rows(train_rows)
            model = meter.fit(train, f"fitting on {source}, window {number} of {len(edges)}")
            scores[inside] = meter.score(model, queries[inside])
        scored |= inside
    if not scored.any():
        return ()
    return (
        meter.compare("whole train part, against rows before", meter.scores, past, scored),
        meter.compare("users of any time, against rows before", any_time, past, scored),
    )


def _cut_windows(queries: EvaluationQueries) -> list[int]:
    """Return the timestamps at which the windows open; those of equal timestamps are merged."""
    shares = np.arange(1, WINDOWS + 1) / (WINDOWS + 1)
    return [int(edge) for edge in np.unique(np.quantile(queries.timestamps, shares).astype(np.int64))]


def _draw_users(
    rows: pl.DataFrame, earlier: pl.DataFrame, query_users: list[Id], random: np.random.Generator
) -> pl.DataFrame:
    """Return about as many rows as `earlier` has: its rows of the query users, and all rows of other users, who are
    drawn at random until there are enough.

    Parameters
    ----------
    rows : DataFrame
        The whole train part.
    earlier : DataFrame
        The train rows before the window.
    query_users : list of ids
        The users of the window's queries.
    random : Generator
        Draws the other users.
    """
    has_query = pl.col(USER_ID).is_in(query_users)
    own, others = earlier.filter(has_query), rows.filter(~has_query)
    sizes = others.group_by(USER_ID).len().sort(USER_ID)
    order = random.permutation(len(sizes))
    fits = np.cumsum(sizes["len"].to_numpy()[order]) <= len(earlier) - len(own)
    drawn = sizes[USER_ID].to_numpy()[order[fits]].tolist()
    return pl.concat([own, others.filter(pl.col(USER_ID).is_in(drawn))]).sort(TIMESTAMP, maintain_order=True)
