"""Matrix factorisation by stochastic gradient descent, without biases.

The rating of movie i by user u, centred as (Rating - 3) / 2, is predicted as the dot product of the user's
factors P[u] and the movie's factors Q[i]; both are learned by minimising the squared error over the known
ratings (Funk, "Netflix Update: Try This at Home", 2006). Here in the simplified form of a course: no biases,
no regularisation, the rows in the order of time, never shuffled, and Adam (Kingma & Ba, ICLR 2015).

Adam is Keras' own. Its gradients are dense, so a row that isn't in the batch moves too, as its momentum
fades. And its epsilon stands beside sqrt(v) before the bias correction (the paper's "epsilon hat"):

    m <- 0.9 m + 0.1 g      v <- 0.999 v + 0.001 g^2
    w <- w - rate * sqrt(1 - 0.999^t) / (1 - 0.9^t) * m / (sqrt(v) + 1e-7)
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated, Self

import numpy as np
from pydantic import Field

from nextreel.arrays import BoolArray, Float32Array, Int64Array, find_sorted
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Histories
from nextreel.errors import ConfigError, DataError, require
from nextreel.models.base import ModelConfig, Recommender
from nextreel.models.training.checkpoint import identify_fit, read_checkpoint, write_checkpoint
from nextreel.models.training.epochs import Epoch, Training, has_stalled
from nextreel.models.training.torch_on_cpu import one_quick_thread
from nextreel.options import Choice, Range

INITIAL_SCALE = 0.05
MEAN_DECAY, SQUARE_DECAY, EPSILON = 0.9, 0.999, 1e-7
BATCHES_BETWEEN_REPORTS = 32


Factors = dict[str, Float32Array]
"""P[n_users, k] and Q[n_movies, k]; Adam's moments as `P.mean`, `P.square` and so on; step[1]: steps done."""


class FunkSVDConfig(ModelConfig):
    # From the 16 that small factorisations usually have to twice the course's 256.
    dimensions: Annotated[int, Field(ge=1), Range(16, 512, log=True)] = 256
    """Factors of each user and each movie."""
    # From below the course's 1e-4 to a decade above Adam's usual 1e-3.
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False), Range(3e-5, 1e-2, log=True)] = 1e-4
    """Adam's step size."""
    # The course's 512 and the powers of two around it.
    batch_size: Annotated[int, Field(ge=1), Choice((128, 256, 512, 1024, 2048))] = 512
    """Ratings in one step."""
    # From too few to converge to long after overfitting began.
    epochs: Annotated[int, Field(ge=1), Range(3, 50, log=True)] = 25
    """Passes over the training rows."""
    seed: int = Field(default=0, ge=0)
    """Of the factors that training starts from; the one source of chance."""
    patience: int | None = Field(default=None, ge=1)
    """Stop after this many epochs in a row without a lower validation loss; None runs all epochs.
    The factors are those of the last epoch."""


class FunkSVD(Recommender):
    Config = FunkSVDConfig
    config: FunkSVDConfig

    user_ids_: Int64Array
    """int64[n_users]: UserIDs with interactions in training, ascending."""
    user_factors_: Float32Array
    """float32[n_users, dimensions]: P."""
    movie_factors_: Float32Array
    """float32[n_movies, dimensions]: Q."""

    epochs: list[Epoch]
    """The epochs of `fit`; empty on a model that was loaded."""

    def __init__(self, config: FunkSVDConfig | None = None) -> None:
        super().__init__(config)
        self.epochs = []

    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        torch = require("torch", "neural")
        training = training if training is not None else Training()
        if self.config.patience is not None and training.validation is None:
            raise ConfigError("option patience: early stopping needs validation data")

        user_ids = dataset.user_ids[np.diff(dataset.timeline.offsets) > 0]
        rows = _Rows.of(dataset, user_ids, dataset.movie_ids)
        if len(rows) == 0:
            raise DataError("there are no interactions to learn from")
        held_out = None
        if training.validation is not None:
            held_out = _Rows.of(training.validation, user_ids, dataset.movie_ids)
            if len(held_out) == 0:
                raise DataError("no validation row is of a user and a movie known from training")

        fit = identify_fit("funk-svd", self.config, dataset, training.validation)
        if training.resume and training.checkpoint is not None:
            history, arrays = read_checkpoint(training.checkpoint, fit)
        else:
            history, arrays = [], _draw_factors(torch, len(user_ids), dataset.n_movies, self.config)
        for epoch in history:
            training.on_epoch(epoch)

        descent = _Descent(torch, arrays, self.config.learning_rate)
        while len(history) < self.config.epochs and not has_stalled(history, self.config.patience):
            number, started = len(history) + 1, time.perf_counter()
            with one_quick_thread(torch):
                train_loss = self._learn_once(descent, rows, number, training)
            validation_loss = None
            if held_out is not None:
                validation_loss = _mean_squared_error(arrays, held_out)
                self._require_finite(validation_loss, f"the validation after epoch {number}")
            history.append(Epoch(number, train_loss, validation_loss, time.perf_counter() - started))
            if training.checkpoint is not None:
                write_checkpoint(training.checkpoint, fit, history, arrays)
            training.on_epoch(history[-1])

        self.user_ids_ = user_ids
        self.user_factors_, self.movie_factors_ = arrays["P"], arrays["Q"]
        self.epochs = history
        return self

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        users, query = np.unique(histories.user_ids, return_inverse=True)
        row = find_sorted(self.user_ids_, users)
        scores = self.user_factors_[row] @ self.movie_factors_.T
        scores[row < 0] = 0
        return scores[query]

    def knows(self, histories: Histories) -> BoolArray:
        return find_sorted(self.user_ids_, histories.user_ids) >= 0

    def _learn_once(self, descent: "_Descent", rows: "_Rows", number: int, training: Training) -> float:
        """Learn from all rows once; returns their mean squared error, each taken before its batch's step."""
        squared_error, done = 0.0, 0
        for n_batches, batch in enumerate(rows.batches(self.config.batch_size), start=1):
            squared_error += descent.step(batch)
            done += len(batch)
            self._require_finite(squared_error, f"row {done:,} of epoch {number}")
            if n_batches % BATCHES_BETWEEN_REPORTS == 0 or done == len(rows):
                training.on_step(done, len(rows), squared_error / done)
        return squared_error / len(rows)

    def _require_finite(self, loss: float, place: str) -> None:
        if not math.isfinite(loss):
            rate = self.config.learning_rate
            raise ConfigError(
                f"option learning_rate: {rate:g} is too high, the loss became {loss} at {place}"
            )


@dataclass(frozen=True)
class _Rows:
    """Ratings in the order of time, of users and movies that have factors."""

    users: Int64Array
    """int64[n_rows]: row of P."""
    movies: Int64Array
    """int64[n_rows]: row of Q."""
    targets: Float32Array
    """float32[n_rows]: (Rating - 3) / 2."""

    @classmethod
    def of(cls, dataset: Dataset, user_ids: Int64Array, movie_ids: Int64Array) -> Self:
        timeline = dataset.timeline
        by_time = np.argsort(timeline.timestamps, kind="stable")
        users = find_sorted(user_ids, dataset.user_ids)[timeline.users[by_time]]
        movies = find_sorted(movie_ids, dataset.movie_ids)[timeline.movies[by_time]]
        known = (users >= 0) & (movies >= 0)
        targets = (timeline.ratings[by_time] - np.float32(3)) / np.float32(2)
        return cls(users[known], movies[known], targets[known])

    def __len__(self) -> int:
        return len(self.users)

    def batches(self, size: int) -> Iterator[Self]:
        for start in range(0, len(self), size):
            rows = slice(start, start + size)
            yield type(self)(self.users[rows], self.movies[rows], self.targets[rows])


class _Descent:
    """P and Q on their way down: the arrays given are changed in place, so they are always up to date."""

    def __init__(self, torch: ModuleType, arrays: Factors, learning_rate: float) -> None:
        self._tensor = torch.from_numpy
        self._factors = [self._tensor(arrays[name]) for name in "PQ"]
        self._steps_done = self._tensor(arrays["step"])
        self._adam = torch.optim.Adam(
            self._factors, learning_rate, (MEAN_DECAY, SQUARE_DECAY), EPSILON, fused=True
        )
        for name, factors in zip("PQ", self._factors, strict=True):
            factors.grad = torch.zeros_like(factors)
            self._adam.state[factors] = {
                "step": self._steps_done.clone(),
                "exp_avg": self._tensor(arrays[f"{name}.mean"]),
                "exp_avg_sq": self._tensor(arrays[f"{name}.square"]),
            }

    def step(self, batch: _Rows) -> float:
        """One step on the mean squared error of a batch; returns the sum of its squared errors before it."""
        users, movies, targets = map(self._tensor, (batch.users, batch.movies, batch.targets))
        user_factors, movie_factors = self._factors
        p, q = user_factors[users], movie_factors[movies]
        error = (p * q).sum(1) - targets
        slope = (2 / len(batch) * error)[:, None]
        user_factors.grad.index_add_(0, users, slope * q)
        movie_factors.grad.index_add_(0, movies, slope * p)
        self._steps_done += 1
        self._adam.param_groups[0]["eps"] = EPSILON / math.sqrt(1 - SQUARE_DECAY ** float(self._steps_done))
        self._adam.step()
        user_factors.grad[users] = 0
        movie_factors.grad[movies] = 0
        return float(error @ error)


def _draw_factors(torch: ModuleType, n_users: int, n_movies: int, config: FunkSVDConfig) -> Factors:
    """What `_Descent` starts from: P and Q drawn from a normal distribution, moments of zero."""
    generator = torch.Generator().manual_seed(config.seed)
    arrays: Factors = {"step": np.zeros(1, dtype=np.float32)}
    for name, n_rows in (("P", n_users), ("Q", n_movies)):
        blank = torch.empty(n_rows, config.dimensions)
        arrays[name] = blank.normal_(0, INITIAL_SCALE, generator=generator).numpy()
        arrays[f"{name}.mean"], arrays[f"{name}.square"] = np.zeros((2, *blank.shape), dtype=np.float32)
    return arrays


def _mean_squared_error(arrays: Factors, rows: _Rows) -> float:
    squared_error = 0.0
    for batch in rows.batches(8192):
        predicted = np.einsum("rk,rk->r", arrays["P"][batch.users], arrays["Q"][batch.movies])
        squared_error += float(np.square(predicted - batch.targets).sum(dtype=np.float64))
    return squared_error / len(rows)
