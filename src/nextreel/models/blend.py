"""A blend of the transformer and the sequential ridge, weighted by the gap before the query.

The score of movie i for a query is w_g t_i + v_g r_i, with t the transformer's logits and r the ridge's scores.
g is the class of the gap between the last interaction and the query: the same second, within a day, or longer.
The weights maximise the likelihood of softmax(w_g t + v_g r) over the movies not seen yet, a convex problem of
two numbers for each class (stacking: Wolpert, "Stacked generalization", Neural Networks 1992).

They are learned on users whom the members never saw. Both members score any user from the history alone, so
holding a few users out costs few rows, and nothing has to be fitted twice. Each positive of these users is a
query whose history ends up to four positives earlier, as a train part does before the positives of its test part.
"""

from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy.optimize import minimize

from nextreel.artifacts import Arrays
from nextreel.data.dataset import Dataset
from nextreel.data.schema import USER_ID
from nextreel.data.splits import POSITIVE
from nextreel.data.timeline import DAY, FloatArray, Histories, Int64Array, Timeline
from nextreel.errors import DataError
from nextreel.models.base import ModelConfig, Recommender
from nextreel.models.sequential_ridge import SequentialRidge, SequentialRidgeConfig
from nextreel.models.training import Training
from nextreel.models.transformer import Transformer, TransformerConfig

EARLIER_POSITIVES = 5
"""A query's history ends before one of this many positives, its own included."""
QUERIES_AT_ONCE = 512
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
    """Of the choice of these users and of where their histories end."""


class Blend(Recommender):
    Config = BlendConfig
    config: BlendConfig

    weights_: FloatArray
    """float32[3, 2]: (w, v) for queries in the same second, within a day and later."""

    def __init__(self, config: BlendConfig | None = None) -> None:
        super().__init__(config)
        options = self.config.transformer
        if self.config.minutes is not None:
            options = options.model_copy(update={"minutes": self.config.minutes})
        self._members: tuple[Recommender, ...] = (Transformer(options), SequentialRidge(self.config.ridge))

    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        random = np.random.default_rng(self.config.seed)
        held_out = random.random(dataset.n_users) < self.config.held_out_share
        rows = dataset.interactions()
        known = ~rows[USER_ID].is_in(dataset.user_ids[held_out].tolist())
        if not known.any():
            raise DataError("all users are held out, so there is nothing to learn from")
        for member in reversed(self._members):
            member.fit(dataset.with_interactions(rows.filter(known)), training)
        self.weights_ = self._learn_weights(dataset.timeline, held_out, random)
        return self

    def score(self, histories: Histories, at: Int64Array) -> FloatArray:
        weights = self.weights_[_gap_class(histories, at)]
        scores = np.zeros((len(at), 1), dtype=np.float32)
        for member, weight in zip(self._members, weights.T, strict=True):
            scores = scores + weight[:, None] * member.score(histories, at)
        return scores

    @property
    def state(self) -> Arrays:
        return {
            **super().state,
            **{f"{i} {name}": array for i, m in enumerate(self._members) for name, array in m.state.items()},
        }

    def restore(self, state: Arrays) -> Self:
        super().restore(
            {name: array for name, array in state.items() if name.endswith("_") and " " not in name}
        )
        for i, member in enumerate(self._members):
            own = f"{i} "
            member.restore(
                {name.removeprefix(own): array for name, array in state.items() if name.startswith(own)}
            )
        return self

    def _learn_weights(
        self, timeline: Timeline, held_out: npt.NDArray[np.bool_], random: np.random.Generator
    ) -> FloatArray:
        histories, at, movie = _ask_about(timeline, held_out, random)
        weights = np.ones((3, len(self._members)), dtype=np.float32)
        gap_class = _gap_class(histories, at)
        for number in np.unique(gap_class):
            some = np.flatnonzero(gap_class == number)
            parts = [some[start : start + QUERIES_AT_ONCE] for start in range(0, len(some), QUERIES_AT_ONCE)]
            scored = [self._relative_scores(histories[part], at[part], movie[part]) for part in parts]
            found = minimize(
                _loss_and_slope, np.ones(len(self._members)), args=(scored,), jac=True, method="L-BFGS-B"
            )
            weights[number] = found.x
        return weights

    def _relative_scores(
        self, histories: Histories, at: Int64Array, movie: npt.NDArray[np.integer]
    ) -> FloatArray:
        """float32[n_members, n_queries, n_movies]: less the score of the movie asked for; -inf for those seen."""
        scores = np.stack([member.score(histories, at) for member in self._members])
        query = np.arange(len(at))
        scores -= scores[:, query, movie][:, :, None]
        seen_query, row = histories.rows()
        scores[:, seen_query, histories.timeline.movies[row]] = -np.inf
        scores[:, query, movie] = 0
        return scores


def _loss_and_slope(weights: npt.NDArray[np.float64], scored: list[FloatArray]) -> tuple[float, FloatArray]:
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


def _ask_about(
    timeline: Timeline, users: npt.NDArray[np.bool_], random: np.random.Generator
) -> tuple[Histories, Int64Array, npt.NDArray[np.int32]]:
    """A query for each positive of some users: history, moment and the movie that was liked then."""
    row = np.flatnonzero((timeline.ratings >= POSITIVE) & users[timeline.users])
    user = timeline.users[row]
    first = np.searchsorted(user, user)
    earlier = np.maximum(np.arange(len(row)) - random.integers(EARLIER_POSITIVES, size=len(row)), first)
    starts, stops = timeline.offsets[user], row[earlier]
    asked = stops > starts
    if not asked.any():
        raise DataError("the users held out have too few interactions to learn the blend's weights from")
    row, starts, stops = row[asked], starts[asked], stops[asked]
    at = timeline.timestamps[row]
    histories = Histories(timeline, timeline.user_ids[timeline.users[row]], starts, stops, at + 1)
    return histories, at, timeline.movies[row]


def _gap_class(histories: Histories, at: Int64Array) -> Int64Array:
    """int64[n_queries]: 0 in the second of the last interaction, 1 within a day of it, 2 later or without one."""
    last = histories.timeline.timestamps[np.maximum(histories.stops - 1, 0)]
    gap = np.where(histories.lengths > 0, at - last, 2 * DAY)
    return np.where(gap <= 0, 0, np.where(gap <= DAY, 1, 2))
