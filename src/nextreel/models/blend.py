"""A blend of the transformer, the sequential ridge and recent popularity, weighted by the gap before the query.

The score of movie i for a query of class g is

    w[g] t[i] + v[g] r[i] + u[g] p[i]

with the transformer's logits t, the ridge's scores r, and recent popularity p (see `recent_popularity`). The class is
that of the gap between the last interaction and the query: within the same second, within a day, or longer. Short
histories, for which the ridge adds what other users chose at that point, are a class of their own. The weights maximise
the likelihood of the softmax of this score over the movies not seen yet, a convex problem of three numbers per class
(stacking: Wolpert, "Stacked generalization", Neural Networks 1992).

The weights are learned on users who are held out of both models, so each is fitted only once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from itertools import chain
from typing import Self

import numpy as np
from pydantic import Field
from scipy.optimize import minimize

from nextreel.array_specs import ArraySpec, Specs
from nextreel.arrays import Arrays, Float32Array, Float64Array, Int32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Histories
from nextreel.data.times import DAY
from nextreel.errors import DataError
from nextreel.models.base import ModelConfig, Recommender
from nextreel.models.fit_cost import FitCost
from nextreel.models.recent_popularity import RecentPopularity
from nextreel.models.sequential_ridge import SequentialRidge, SequentialRidgeConfig
from nextreel.models.training.epochs import Training
from nextreel.models.training.held_out_users import QUERIES_AT_ONCE, HeldOut, ScoreFunction
from nextreel.models.transformer import Transformer, TransformerConfig

SAME_SECOND, WITHIN_A_DAY, LATER, SHORT_HISTORY = range(4)
"""Classes of queries, each with its own blending weights: three by the time since the user's last
interaction, and one for all short histories."""
SESSION_GAP = DAY
"""Longest time from the last interaction to a query of the class WITHIN_A_DAY, in seconds."""
UNLEARNED = (1.0, 1.0, 0.0)
"""Blending weights of a class without held-out queries: of the transformer, the ridge and recent popularity."""
PRIOR = 0.01
"""Strength of the penalty that pulls the blending weights towards UNLEARNED: it keeps them finite, and a few queries
outweigh it."""
EVENT_BYTES = 32
"""Memory for each interaction while recent popularity is prepared."""
MOST_SCORES = 2**26
"""Maximum number of scores of each kind that are in memory while the weights of a class are learned, 256 MiB: for a
large catalog they are learned on fewer queries, which is enough for three numbers."""


class BlendConfig(ModelConfig):
    transformer: TransformerConfig = TransformerConfig()
    """Options of the transformer; its seed is replaced by the blend's own."""
    # The transformer learns what a larger ridge would add, and the order within a second.
    ridge: SequentialRidgeConfig = SequentialRidgeConfig(
        dense_regularization=10, hidden=512, covariance_power=0, followers=0, taste_within_second=0
    )
    """Options of the sequential ridge, the other blended model."""
    minutes: float | None = Field(default=None, gt=0)
    """Training time of the transformer, in minutes; None leaves it to the transformer's own options."""
    held_out_share: float = Field(default=0.03, gt=0, lt=1)
    """Share of the users whom neither the transformer nor the ridge learns from; the weights are learned on them."""
    seed: int = Field(default=0, ge=0, le=2**63 - 1)
    """Seed of the choice of held-out users and of the ends of their histories, and seed of the transformer."""


class Blend(Recommender):
    Config = BlendConfig
    config: BlendConfig
    fits_by_tasks = True
    caches_histories = True

    weights_: Float32Array
    """float32[n_classes, 3]: weights of the transformer, of the ridge and of recent popularity (w, v and u in the
    module's formula) for each class of queries."""
    recent_days_: Int32Array
    """int32[n_interactions]: day of each interaction that recent popularity counts, from 1970 on, ascending."""
    recent_movies_: Int32Array
    """int32[n_interactions]: movie index of each interaction, in the order of `recent_days_`."""

    def __init__(self, config: BlendConfig | None = None) -> None:
        super().__init__(config)
        update: dict[str, object] = {"seed": self.config.seed}
        if self.config.minutes is not None:
            update["minutes"] = self.config.minutes
        self._transformer = Transformer(self.config.transformer.model_copy(update=update))
        self._ridge = SequentialRidge(self.config.ridge)

    @property
    def children(self) -> Mapping[str, Recommender]:
        """The transformer and the sequential ridge, by model name."""
        return {"transformer": self._transformer, "sequential-ridge": self._ridge}

    def array_specs(self) -> Specs:
        return {
            "weights_": ArraySpec("float32", (SHORT_HISTORY + 1, len(UNLEARNED))),
            "recent_days_": ArraySpec("int32", ("n_interactions",), order="ascending"),
            "recent_movies_": ArraySpec("int32", ("n_interactions",), least=0, below="n_movies"),
        }

    def upgrade(self, state: Arrays) -> Arrays:
        """Return the state of now; the blend of an earlier nextreel had no recent popularity."""
        weights = state.get("weights_")
        if weights is None or "recent_days_" in state or weights.ndim != 2:
            return state
        nothing = np.zeros(0, dtype=np.int32)
        weights = np.pad(weights, ((0, 0), (0, 1)))
        return {"recent_days_": nothing, "recent_movies_": nothing, **state, "weights_": weights}

    def fit_cost(self, dataset: Dataset) -> FitCost | None:
        costs = [model.fit_cost(dataset) for model in self.children.values()]
        n_scores = min(MOST_SCORES, len(dataset.timeline) * dataset.n_movies) * len(UNLEARNED)
        total = FitCost(memory=2 * 4 * n_scores + EVENT_BYTES * len(dataset.timeline))
        for cost in costs:
            if cost is None:
                return None
            total += cost
        return total

    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        train, held_out = HeldOut.split(dataset, self.config.held_out_share, self.config.seed)
        if len(train.timeline) == 0:
            raise DataError("all users are held out, so there is nothing to learn from")
        if len(held_out) == 0 and dataset.timeline.is_positive().any():
            raise DataError("the users held out have too few interactions to learn the blend's weights from")
        training = replace(training or Training(), held_out=held_out)
        self._ridge.fit(train, training)
        self._transformer.fit(train, training)
        self._forget_derived()
        recent = RecentPopularity.of(dataset.timeline, dataset.n_movies)
        self.recent_days_, self.recent_movies_ = recent.days, recent.movies
        self.weights_ = self._learn_weights(held_out, dataset.n_movies)
        return self

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        return self._blend(histories, timestamps, (score(histories, timestamps) for score in self._scorers))

    def score_movies(self, histories: Histories, timestamps: Int64Array, movies: Int64Array) -> Float32Array:
        of_children = (
            model.score_movies(histories, timestamps, movies) for model in (self._transformer, self._ridge)
        )
        recent = self._recent.at(timestamps)[:, movies]
        return self._blend(histories, timestamps, chain(of_children, [recent]))

    def _blend(
        self, histories: Histories, timestamps: Int64Array, scores: Iterable[Float32Array]
    ) -> Float32Array:
        """Return the weighted sum of the blended scores, which are in the order of the columns of `weights_`."""
        weights = self.weights_[self._classify(histories, timestamps)]
        blended = np.zeros((len(timestamps), 1), dtype=np.float32)
        for part, weight in zip(scores, weights.T, strict=True):
            blended = blended + weight[:, None] * part
        return blended

    @cached_property
    def _recent(self) -> RecentPopularity:
        return RecentPopularity(self.recent_days_, self.recent_movies_, len(self._ridge.columns_))

    @property
    def _scorers(self) -> list[ScoreFunction]:
        """What is blended, in the order of the columns of `weights_`."""
        return [self._transformer.score, self._ridge.score, self._recent.score]

    def _classify(self, histories: Histories, timestamps: Int64Array) -> Int64Array:
        """Return the class of each query (SAME_SECOND, WITHIN_A_DAY, LATER or SHORT_HISTORY), int64[n_queries]."""
        last = histories.timeline.timestamps[np.maximum(histories.stops - 1, 0)]
        by_gap = np.where(
            timestamps <= last,
            SAME_SECOND,
            np.where(timestamps - last <= SESSION_GAP, WITHIN_A_DAY, LATER),
        )
        return np.where(histories.lengths < self.config.ridge.short_history, SHORT_HISTORY, by_gap)

    def _learn_weights(self, held_out: HeldOut, n_movies: int) -> Float32Array:
        """Return `weights_`, those of highest likelihood for each class; UNLEARNED for a class without held-out
        queries, which are all classes if nobody likes anything."""
        query_class = self._classify(held_out.histories, held_out.timestamps)
        weights = np.tile(np.array(UNLEARNED, dtype=np.float32), (SHORT_HISTORY + 1, 1))
        for number in np.unique(query_class):
            queries = np.flatnonzero(query_class == number)
            queries = queries[:: 1 + len(queries) * n_movies // MOST_SCORES]
            scores = [
                np.stack([held_out[part].scores_relative_to_target(score) for score in self._scorers])
                for part in np.array_split(queries, 1 + len(queries) // QUERIES_AT_ONCE)
            ]
            weights[number] = minimize(_loss, UNLEARNED, args=(scores,), jac=True, method="L-BFGS-B").x
        return weights


def _loss(weights: Float64Array, scores: list[Float32Array]) -> tuple[float, Float64Array]:
    """Return the loss by which the weights of one class are learned, and its gradient.

    The loss is the mean negative log-likelihood of the movies that the users chose, plus the penalty.

    Parameters
    ----------
    weights : float64[3]
        Weight of each of the blended scores.
    scores : list of float32[3, n_queries, n_movies]
        The blended scores, in batches of queries, minus the score of the movie that the user chose; -inf for
        movies in the history.
    """
    loss, gradient = 0.0, np.zeros(len(weights))
    n_queries = sum(batch.shape[1] for batch in scores)
    for batch in scores:
        seen = np.isneginf(batch[0])
        finite = np.where(seen, np.float32(0), batch)
        logits = np.where(seen, -np.inf, np.tensordot(weights.astype(np.float32), finite, axes=1))
        highest = logits.max(axis=1, keepdims=True)
        odds = np.exp(logits - highest)
        total = odds.sum(axis=1, keepdims=True)
        loss += float((np.log(total) + highest).sum())
        gradient += np.einsum("mqi,qi->m", finite, odds / total)
    excess = weights - np.array(UNLEARNED)
    loss += PRIOR * float(np.square(excess).sum())
    return loss / n_queries, (gradient + 2 * PRIOR * excess) / n_queries
