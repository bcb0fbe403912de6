"""A blend of the transformer and the sequential ridge, weighted by the gap before the query.

The score of movie i for a query is w_g t_i + v_g r_i, with t the transformer's logits and r the ridge's scores.
g is the class of the gap between the last interaction and the query: the same second, within a day, or longer. Short
histories, to which the ridge adds what others chose at that point, are a class of their own.
The weights maximise the likelihood of softmax(w_g t + v_g r) over the movies not seen yet, a convex problem of
two numbers for each class (stacking: Wolpert, "Stacked generalization", Neural Networks 1992).

They are learned on users whom the members never saw, so nothing has to be fitted twice.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Self

import numpy as np
from pydantic import Field
from scipy.optimize import minimize

from nextreel.arrays import Float32Array, Float64Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Histories
from nextreel.data.times import DAY
from nextreel.errors import DataError
from nextreel.models.base import ModelConfig, Recommender
from nextreel.models.sequential_ridge import SequentialRidge, SequentialRidgeConfig
from nextreel.models.training.epochs import Training
from nextreel.models.training.held_out_users import QUERIES_AT_ONCE, HeldOut
from nextreel.models.transformer import Transformer, TransformerConfig

CLASSES = 4
PRIOR = 0.01
"""Pull of the weights towards 1, which a handful of queries is enough to overcome; keeps them finite."""


class BlendConfig(ModelConfig):
    transformer: TransformerConfig = TransformerConfig()
    """Options of the transformer."""
    ridge: SequentialRidgeConfig = SequentialRidgeConfig()
    """Options of the sequential ridge."""
    minutes: float | None = Field(default=None, gt=0)
    """Time that the transformer may learn; None leaves it to its own options."""
    held_out_share: float = Field(default=0.03, gt=0, lt=1)
    """Share of the users whom the members don't see."""
    seed: int = Field(default=0, ge=0)
    """Of the choice of these users, of where their histories end, and of the transformer."""


class Blend(Recommender):
    Config = BlendConfig
    config: BlendConfig

    weights_: Float32Array
    """float32[4, 2]: (w, v) for queries in the same second, within a day and later, and for short histories."""

    def __init__(self, config: BlendConfig | None = None) -> None:
        super().__init__(config)
        update: dict[str, object] = {"seed": self.config.seed}
        if self.config.minutes is not None:
            update["minutes"] = self.config.minutes
        self._members: dict[str, Recommender] = {
            "transformer": Transformer(self.config.transformer.model_copy(update=update)),
            "sequential-ridge": SequentialRidge(self.config.ridge),
        }

    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        known, held_out = HeldOut.split(dataset, self.config.held_out_share, self.config.seed)
        if len(known.timeline) == 0:
            raise DataError("all users are held out, so there is nothing to learn from")
        if len(held_out) == 0:
            raise DataError("the users held out have too few interactions to learn the blend's weights from")
        training = replace(training or Training(), held_out=held_out)
        for member in reversed(self._members.values()):
            member.fit(known, training)
        self.weights_ = self._learn_weights(held_out)
        return self

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        weights = self.weights_[self._class_of(histories, timestamps)]
        scores = np.zeros((len(timestamps), 1), dtype=np.float32)
        for member, weight in zip(self._members.values(), weights.T, strict=True):
            scores = scores + weight[:, None] * member.score(histories, timestamps)
        return scores

    @property
    def children(self) -> Mapping[str, Recommender]:
        """The transformer and the ridge, by name."""
        return self._members

    def _learn_weights(self, held_out: HeldOut) -> Float32Array:
        weights = np.ones((CLASSES, len(self._members)), dtype=np.float32)
        query_class = self._class_of(held_out.histories, held_out.timestamps)
        for number in np.unique(query_class):
            some = np.flatnonzero(query_class == number)
            scored = [
                np.stack(
                    [
                        held_out[part].scores_relative_to_target(member.score)
                        for member in self._members.values()
                    ]
                )
                for part in np.array_split(some, 1 + len(some) // QUERIES_AT_ONCE)
            ]
            found = minimize(
                _loss_and_slope, np.ones(len(self._members)), args=(scored,), jac=True, method="L-BFGS-B"
            )
            weights[number] = found.x
        return weights

    def _class_of(self, histories: Histories, timestamps: Int64Array) -> Int64Array:
        """int64[n_queries]: 0 in the last interaction's second, 1 within a day of it, 2 later; 3 if it is short."""
        last = histories.timeline.timestamps[np.maximum(histories.stops - 1, 0)]
        by_gap = np.where(timestamps <= last, 0, np.where(timestamps - last <= DAY, 1, 2))
        return np.where(histories.lengths < self.config.ridge.short_history, 3, by_gap)


def _loss_and_slope(weights: Float64Array, scored: list[Float32Array]) -> tuple[float, Float32Array]:
    """Negative log-likelihood of the movies asked for, with a prior, divided by their number; and its gradient."""
    loss, slope, n_queries = 0.0, np.zeros(len(weights)), sum(part.shape[1] for part in scored)
    for part in scored:
        seen = np.isneginf(part[0])
        finite = np.where(seen, np.float32(0), part)
        logits = np.where(seen, -np.inf, np.tensordot(weights.astype(np.float32), finite, axes=1))
        top = logits.max(axis=1, keepdims=True)
        chance = np.exp(logits - top)
        total = chance.sum(axis=1, keepdims=True)
        loss += float((np.log(total) + top).sum())
        slope += np.einsum("mqi,qi->m", finite, chance / total)
    loss += PRIOR * float(np.square(weights - 1).sum())
    return loss / n_queries, (slope + 2 * PRIOR * (weights - 1)) / n_queries
