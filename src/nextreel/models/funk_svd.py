"""Matrix factorisation by stochastic gradient descent, without biases.

The rating of movie i by user u, centred as (Rating - 3) / 2, is predicted as the dot product of the user's factors P[u]
and the movie's factors Q[i]. Both are learned by minimising the squared error over the ratings of the data (Funk,
"Netflix Update: Try This at Home", 2006). This is the simplified form of a course: it has no biases and no
regularisation, reads the rows in the order of time without shuffling them, and uses Adam (Kingma & Ba, ICLR 2015).

Adam follows the implementation of Keras in two respects. Its gradients are dense, so a row that isn't in the batch
moves too, driven by its decaying first moment estimate. And its epsilon is added to sqrt(v) before the bias correction
(the paper's "epsilon hat"):

    m <- 0.9 m + 0.1 g      v <- 0.999 v + 0.001 g^2
    w <- w - rate * sqrt(1 - 0.999^t) / (1 - 0.9^t) * m / (sqrt(v) + 1e-7)
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated, Self

import numpy as np
from pydantic import Field

from nextreel.array_specs import ArraySpec, Specs
from nextreel.arrays import Arrays, BoolArray, Float32Array, Int64Array, find_sorted
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Histories
from nextreel.errors import ConfigError, DataError, require
from nextreel.models.base import ModelConfig, Recommender
from nextreel.models.training.checkpoint import identify_fit
from nextreel.models.training.epoch_loop import EpochLearner, StoppingRule, Validation, run_epochs
from nextreel.models.training.epochs import Epoch, Training
from nextreel.models.training.torch_on_cpu import fast_small_steps
from nextreel.options import Choice, Range

INITIAL_SCALE = 0.05
"""Standard deviation of the initial factors, the default of Keras' RandomNormal. The first predictions are near 0, the
centre of the ratings; with all factors at exactly 0, no factor would have a gradient."""
FIRST_DECAY, SECOND_DECAY, EPSILON = 0.9, 0.999, 1e-7
"""Keras' defaults for Adam: decay rates of the first and second moment estimates, and the term that prevents a division
by 0."""
BATCHES_BETWEEN_REPORTS = 32
"""Number of batches between two reports of progress; reporting after every batch would slow down training."""
ROWS_AT_ONCE = 8192
"""Number of validation rows predicted in one batch; bounds the memory of their factors."""

Factors = dict[str, Float32Array]
"""All arrays of a training in progress: `P` float32[n_users, dimensions], `Q` float32[n_movies, dimensions], Adam's
first and second moment estimates of each (`P.mean`, `P.square`, `Q.mean`, `Q.square`), and `step` float32[1], the
number of steps done."""


class FunkSVDConfig(ModelConfig):
    # From the 16 that small factorisations usually have to twice the course's 256.
    dimensions: Annotated[int, Field(ge=1, le=4096), Range(16, 512, log=True)] = 256
    """Number of factors of each user and of each movie."""
    # From below the course's 1e-4 to a decade above Adam's usual 1e-3.
    learning_rate: Annotated[float, Field(gt=0), Range(3e-5, 1e-2, log=True)] = 1e-4
    """Learning rate of Adam, the same in all steps."""
    # The course's 512 and the powers of two around it.
    batch_size: Annotated[int, Field(ge=1, le=10_000_000), Choice((128, 256, 512, 1024, 2048))] = 512
    """Number of ratings from which one step of Adam learns."""
    # From too few to converge to long after overfitting began.
    epochs: Annotated[int, Field(ge=1, le=100_000), Range(3, 50, log=True)] = 25
    """Number of passes over the training ratings."""
    seed: int = Field(default=0, ge=0, le=2**63 - 1)
    """Seed of the initial factors, the only random numbers of a fit."""
    patience: int | None = Field(default=None, ge=1, le=100_000)
    """Number of epochs in a row without a lower validation loss after which training stops; None runs all epochs.
    Either way the model keeps the factors of the last epoch."""


class FunkSVD(Recommender):
    Config = FunkSVDConfig
    config: FunkSVDConfig

    user_ids_: Int64Array
    """int64[n_users]: UserIDs with at least one training interaction, ascending."""
    user_factors_: Float32Array
    """float32[n_users, dimensions]: factors of the users, P in the module's formulas."""
    movie_factors_: Float32Array
    """float32[n_movies, dimensions]: factors of the movies, Q in the module's formulas."""

    epochs: list[Epoch]
    """Records of the epochs of `fit`; empty for a model that was loaded from a file."""

    def __init__(self, config: FunkSVDConfig | None = None) -> None:
        super().__init__(config)
        self.epochs = []

    def array_specs(self) -> Specs:
        dimensions = self.config.dimensions
        return {
            "user_ids_": ArraySpec("int64", ("n_users",), is_filled=True, order="strictly ascending"),
            "user_factors_": ArraySpec("float32", ("n_users", dimensions)),
            "movie_factors_": ArraySpec("float32", ("n_movies", dimensions)),
        }

    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        """Learn the factors of the users and movies, P and Q in the module's formulas.

        Raises
        ------
        ConfigError
            `patience` is set without validation data, or the learning rate is so high that the loss becomes infinite.
        DataError
            There are no interactions, or no validation rows whose user and movie both occur in the training data.
        ArtifactError
            The fit is to be resumed, and its checkpoint is missing, damaged, or of another fit.
        MissingExtraError
            torch isn't installed.
        """
        torch = require("torch", "neural")
        training = training if training is not None else Training()
        config, validation = self.config, training.validation
        if config.patience is not None and validation is None:
            raise ConfigError("option patience: early stopping needs validation data")

        user_ids = dataset.user_ids[np.diff(dataset.timeline.offsets) > 0]
        rows = RatingRows.of(dataset, user_ids, dataset.movie_ids)
        if len(rows) == 0:
            raise DataError("there are no interactions to learn from")
        validation_rows = None
        if validation is not None:
            validation_rows = RatingRows.of(validation, user_ids, dataset.movie_ids)
            if len(validation_rows) == 0:
                raise DataError(
                    "no validation row has a user and a movie that both occur in the training data"
                )

        factors = draw_factors(torch, len(user_ids), dataset.n_movies, config)
        learner = FactorLearner(torch, config, factors, rows, validation_rows, training)
        identity = identify_fit("funk-svd", config, dataset, validation)
        self.epochs = run_epochs(learner, identity, StoppingRule(config.epochs, config.patience), training)
        self.user_ids_ = user_ids
        self.user_factors_, self.movie_factors_ = learner.factors["P"], learner.factors["Q"]
        return self

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        """Return the predicted rating of each movie by each query's user, centred; zeros for a user without factors.

        It depends only on the user, not on the history or the timestamp.
        """
        users, query = np.unique(histories.user_ids, return_inverse=True)
        row = find_sorted(self.user_ids_, users)
        scores = self.user_factors_[row] @ self.movie_factors_.T
        scores[row < 0] = 0
        return scores[query]

    def knows(self, histories: Histories) -> BoolArray:
        return find_sorted(self.user_ids_, histories.user_ids) >= 0


@dataclass(frozen=True)
class RatingRows:
    """Ratings in the order of time, only of users and movies that have factors in the model."""

    users: Int64Array
    """int64[n_rows]: row of the user in P, the matrix of the users' factors."""
    movies: Int64Array
    """int64[n_rows]: row of the movie in Q, the matrix of the movies' factors."""
    targets: Float32Array
    """float32[n_rows]: the centred rating, (Rating - 3) / 2."""

    @classmethod
    def of(cls, dataset: Dataset, user_ids: Int64Array, movie_ids: Int64Array) -> Self:
        """Take the rows of a data set whose user is among `user_ids` and whose movie is among `movie_ids`."""
        timeline = dataset.timeline
        by_time = np.argsort(timeline.timestamps, kind="stable")
        users = find_sorted(user_ids, dataset.user_ids)[timeline.users[by_time]]
        movies = find_sorted(movie_ids, dataset.movie_ids)[timeline.movies[by_time]]
        have_factors = (users >= 0) & (movies >= 0)
        targets = (timeline.stars[by_time] - np.float32(3)) / np.float32(2)
        return cls(users[have_factors], movies[have_factors], targets[have_factors])

    def __len__(self) -> int:
        return len(self.users)

    def batches(self, size: int) -> Iterator[Self]:
        """Divide the rows into batches of `size` consecutive rows; the last batch may be smaller."""
        for start in range(0, len(self), size):
            rows = slice(start, start + size)
            yield type(self)(self.users[rows], self.movies[rows], self.targets[rows])


class FactorLearner(EpochLearner):
    """Learns the users' and movies' factors (P and Q in the module's formulas) from ratings, batch by batch."""

    def __init__(
        self,
        torch: ModuleType,
        config: FunkSVDConfig,
        factors: Factors,
        rows: RatingRows,
        validation_rows: RatingRows | None,
        training: Training,
    ) -> None:
        self.torch, self.config, self.training = torch, config, training
        self.rows, self.validation_rows = rows, validation_rows
        self.factors, self.adam = factors, AdamOnFactors(torch, factors, config.learning_rate)

    def learn_epoch(self, number: int, seconds_before: float) -> float:
        squared_error, n_done, n_rows = 0.0, 0, len(self.rows)
        with fast_small_steps(self.torch):
            for n_batches, batch in enumerate(self.rows.batches(self.config.batch_size), start=1):
                squared_error += self.adam.step(batch)
                n_done += len(batch)
                self._require_finite(squared_error, f"row {n_done:,} of epoch {number}")
                if n_batches % BATCHES_BETWEEN_REPORTS == 0 or n_done == n_rows:
                    self.training.on_step(n_done, n_rows, squared_error / n_done)
        return squared_error / n_rows

    def validate(self, number: int) -> Validation:
        if self.validation_rows is None:
            return Validation()
        loss = mean_squared_error(self.factors, self.validation_rows)
        self._require_finite(loss, f"the validation after epoch {number}")
        return Validation(loss)

    def keep_best(self) -> None:
        """Do nothing: the model keeps the factors of the last epoch."""

    def arrays(self) -> Factors:
        return self.factors

    def restore(self, arrays: Arrays) -> None:
        self.factors = {name: array.astype(np.float32, copy=False) for name, array in arrays.items()}
        self.adam = AdamOnFactors(self.torch, self.factors, self.config.learning_rate)

    def _require_finite(self, loss: float, place: str) -> None:
        if not math.isfinite(loss):
            rate = self.config.learning_rate
            raise ConfigError(
                f"option learning_rate: {rate:g} is too high, the loss became {loss} at {place}"
            )


class AdamOnFactors:
    """Adam as Keras implements it, for both sides' factors; steps change the arrays in `factors` in place."""

    def __init__(self, torch: ModuleType, factors: Factors, learning_rate: float) -> None:
        from nextreel.models.training.torch_adam import TorchAdam

        self._tensor, self._learning_rate = torch.from_numpy, learning_rate
        self._factors = [self._tensor(factors[name]) for name in "PQ"]
        self._steps_done = self._tensor(factors["step"])
        self._adam = TorchAdam([(self._factors, 0.0)], (FIRST_DECAY, SECOND_DECAY), fused=True)
        for name, parameter in zip("PQ", self._factors, strict=True):
            parameter.grad = torch.zeros_like(parameter)
            self._adam.state[parameter] = {
                "step": self._steps_done.clone(),
                "exp_avg": self._tensor(factors[f"{name}.mean"]),
                "exp_avg_sq": self._tensor(factors[f"{name}.square"]),
            }

    def step(self, batch: RatingRows) -> float:
        """Do one step on the mean squared error of a batch; return the sum of squared errors before the step."""
        users, movies, targets = map(self._tensor, (batch.users, batch.movies, batch.targets))
        user_factors, movie_factors = self._factors
        p, q = user_factors[users], movie_factors[movies]  # [n_rows, dimensions] each
        error = (p * q).sum(1) - targets  # [n_rows]
        slope = (2 / len(batch) * error)[:, None]  # derivative of the loss with respect to each prediction
        user_factors.grad.index_add_(0, users, slope * q)
        movie_factors.grad.index_add_(0, movies, slope * p)
        self._steps_done += 1
        # torch adds epsilon after the bias correction; divided by the correction, it equals Keras' epsilon.
        epsilon = EPSILON / math.sqrt(1 - SECOND_DECAY ** float(self._steps_done))
        self._adam.step(self._learning_rate, epsilon)
        # Only the batch's rows have a gradient, so resetting them is faster than zero_grad().
        user_factors.grad[users] = 0
        movie_factors.grad[movies] = 0
        return float(error @ error)


def draw_factors(torch: ModuleType, n_users: int, n_movies: int, config: FunkSVDConfig) -> Factors:
    """Draw the users' and movies' factors at random; Adam's moment estimates and the number of steps start at zero."""
    generator = torch.Generator().manual_seed(config.seed)
    factors: Factors = {"step": np.zeros(1, dtype=np.float32)}
    for name, n_rows in (("P", n_users), ("Q", n_movies)):
        empty = torch.empty(n_rows, config.dimensions)
        factors[name] = empty.normal_(0, INITIAL_SCALE, generator=generator).numpy()
        factors[f"{name}.mean"], factors[f"{name}.square"] = np.zeros((2, *empty.shape), dtype=np.float32)
    return factors


def mean_squared_error(factors: Factors, rows: RatingRows) -> float:
    """Return the mean squared error of the predictions for these rows, in units of the centred rating."""
    squared_error = 0.0
    for batch in rows.batches(ROWS_AT_ONCE):
        predicted = np.einsum("rk,rk->r", factors["P"][batch.users], factors["Q"][batch.movies])
        squared_error += float(np.square(predicted - batch.targets).sum(dtype=np.float64))
    return squared_error / len(rows)
