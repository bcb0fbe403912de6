"""A blend of the transformer and the sequential ridge, weighted by the gap before the query.

The score of movie i for a query of class g is

    w[g] t[i] + v[g] r[i]

with the transformer's logits t and the ridge's scores r. The class is that of the gap between the last interaction and
the query: within the same second, within a day, or longer. Short histories, for which the ridge adds what other users
chose at that point, are a class of their own. The weights maximise the likelihood of softmax(w[g] t + v[g] r) over the
movies not seen yet, a convex problem of two numbers per class (stacking: Wolpert, "Stacked generalization", Neural
Networks 1992).

The weights are learned on users who are held out of both members, so each member is fitted only once.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Self

import numpy as np
from pydantic import Field
from scipy.optimize import minimize

from nextreel.array_specs import ArraySpec, Specs
from nextreel.arrays import Float32Array, Float64Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Histories
from nextreel.data.times import DAY
from nextreel.errors import DataError
from nextreel.models.base import ModelConfig, Recommender
from nextreel.models.fit_cost import FitCost
from nextreel.models.sequential_ridge import SequentialRidge, SequentialRidgeConfig
from nextreel.models.training.epochs import Training
from nextreel.models.training.held_out_users import QUERIES_AT_ONCE, HeldOut
from nextreel.models.transformer import Transformer, TransformerConfig

SAME_SECOND, WITHIN_A_DAY, LATER, SHORT_HISTORY = range(4)
"""Classes of queries, each with its own pair of blending weights: three by the time since the user's last
interaction, and one for all short histories."""
SESSION_GAP = DAY
"""Longest time from the last interaction to a query of the class WITHIN_A_DAY, in seconds."""
PRIOR = 0.01
"""Strength of the penalty that pulls the blending weights towards 1: it keeps them finite, and a few queries outweigh
it."""
MOST_SCORES = 2**26
"""Maximum number of scores of each member that are in memory while the weights of a class are learned, 256 MiB: for a
large catalog they are learned on fewer queries, which is enough for two numbers."""


class BlendConfig(ModelConfig):
    transformer: TransformerConfig = TransformerConfig()
    """Options of the transformer; its seed is replaced by the blend's own."""
    ridge: SequentialRidgeConfig = SequentialRidgeConfig()
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

    weights_: Float32Array
    """float32[n_classes, 2]: weights of the transformer and of the ridge (w and v in the module's formula) for each
    class of queries."""

    def __init__(self, config: BlendConfig | None = None) -> None:
        super().__init__(config)
        update: dict[str, object] = {"seed": self.config.seed}
        if self.config.minutes is not None:
            update["minutes"] = self.config.minutes
        self._members: dict[str, Recommender] = {
            "transformer": Transformer(self.config.transformer.model_copy(update=update)),
            "sequential-ridge": SequentialRidge(self.config.ridge),
        }

    @property
    def children(self) -> Mapping[str, Recommender]:
        """The transformer and the sequential ridge, by model name."""
        return self._members

    def array_specs(self) -> Specs:
        return {"weights_": ArraySpec("float32", (SHORT_HISTORY + 1, len(self._members)))}

    def fit_cost(self, dataset: Dataset) -> FitCost | None:
        costs = [member.fit_cost(dataset) for member in self._members.values()]
        n_scores = min(MOST_SCORES, len(dataset.timeline) * dataset.n_movies) * len(costs)
        total = FitCost(memory=2 * 4 * n_scores)
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
        for member in reversed(self._members.values()):
            member.fit(train, training)
        self.weights_ = self._learn_weights(held_out, dataset.n_movies)
        return self

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        weights = self.weights_[self._classify(histories, timestamps)]
        scores = np.zeros((len(timestamps), 1), dtype=np.float32)
        for member, weight in zip(self._members.values(), weights.T, strict=True):
            scores = scores + weight[:, None] * member.score(histories, timestamps)
        return scores

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
        """Return `weights_`, those of highest likelihood for each class; 1 for a class without held-out queries,
        which are all classes if nobody likes anything."""
        query_class = self._classify(held_out.histories, held_out.timestamps)
        start = np.ones(len(self._members))
        weights = np.ones((SHORT_HISTORY + 1, len(start)), dtype=np.float32)
        for number in np.unique(query_class):
            queries = np.flatnonzero(query_class == number)
            queries = queries[:: 1 + len(queries) * n_movies // MOST_SCORES]
            scores = [
                np.stack(
                    [
                        held_out[part].scores_relative_to_target(member.score)
                        for member in self._members.values()
                    ]
                )
                for part in np.array_split(queries, 1 + len(queries) // QUERIES_AT_ONCE)
            ]
            weights[number] = minimize(_loss, start, args=(scores,), jac=True, method="L-BFGS-B").x
        return weights


def _loss(weights: Float64Array, scores: list[Float32Array]) -> tuple[float, Float64Array]:
    """Return the loss by which the weights of one class are learned, and its gradient.

    The loss is the mean negative log-likelihood of the movies that the users chose, plus the penalty.

    Parameters
    ----------
    weights : float64[n_members]
        Weight of each blended model.
    scores : list of float32[n_members, n_queries, n_movies]
        Scores by each blended model, in batches of queries, minus the score of the movie that the user chose; -inf for
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
    loss += PRIOR * float(np.square(weights - 1).sum())
    return loss / n_queries, (gradient + 2 * PRIOR * (weights - 1)) / n_queries
