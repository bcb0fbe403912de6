"""The sequential ridge as a model: the normal equations, their solution, and the scores of a query."""

from functools import partial
from typing import Annotated, Self

import numpy as np
from pydantic import Field
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_array

from nextreel.array_specs import ArraySpec, Specs
from nextreel.arrays import BoolArray, Float32Array, Int32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import NEVER, Histories
from nextreel.data.times import DAY
from nextreel.errors import DataError
from nextreel.models.base import ModelConfig, Recommender
from nextreel.models.next_choices import NextChoices
from nextreel.models.sequential_ridge.baskets import BasketSequences
from nextreel.models.sequential_ridge.features import LENGTH_CLASSES, FeatureMap, decayed_baskets
from nextreel.models.sequential_ridge.low_rank import embed_movies, reduce_rank
from nextreel.models.training.epochs import Training
from nextreel.options import Range

FIRST_CHOICES = 18
"""Number of first interactions of each user that are kept for short histories. A history of n interactions needs those
up to the (2n + 8)th (see `next_choices`), and with the default `short_history` n is at most 5."""
INTERACTIONS_AT_ONCE = 65_536
"""About how many interactions a fit handles at once; bounds the memory of their dense features."""


class SequentialRidgeConfig(ModelConfig):
    # As for EASE, with one row per basket instead of one per user.
    regularization: Annotated[float, Field(gt=0), Range(20.0, 10_000.0, log=True)] = 500.0
    """Penalty on the weights from each movie in the history to each scored movie (lambda on W in the package's
    formulas)."""
    # The embedded history has far fewer weights to learn and needs far less regularization.
    dense_regularization: Annotated[float, Field(gt=0), Range(0.5, 500.0, log=True)] = 10.0
    """Penalty on the weights of the dense features, the user's taste and the history's length (mu on V in the package's
    formulas)."""
    # From the next interaction alone to the rest of the month.
    horizon: Annotated[int, Field(ge=1, le=10_000), Range(1, 50, log=True)] = 10
    """Number of interactions after the end of a history that the regression learns to predict from it."""
    # From mostly the next interaction to equal weights.
    target_decay: Annotated[float, Field(gt=0, le=1), Range(0.5, 1.0)] = 0.9
    """Weight of each of these predicted interactions relative to the one before it: the next one counts most."""
    # From liked targets only to equal weights.
    unliked_weight: Annotated[float, Field(ge=0, le=1), Range(0.0, 1.0)] = 0.3
    """Weight of a predicted interaction whose movie the user didn't like, relative to one that the user liked."""
    # From the ends of baskets only to every state within them.
    within_second: Annotated[float, Field(ge=0, le=1), Range(0.0, 1.0)] = 0.25
    """Probability that the regression also learns from a history that ends at an interaction which isn't the last of
    its second."""
    # From a coarse map of the movies to one that is finer than the time of its fit is worth.
    dimensions: Annotated[int, Field(ge=1, le=4096), Range(32, 256, log=True)] = 128
    """Length of each of a movie's two embeddings."""
    # From a nearly linear model to four times the default; the time of a fit grows with the square.
    hidden: Annotated[int, Field(ge=0, le=16_384), Range(64, 2048, log=True)] = 512
    """Number of random features of the user's taste, which let the linear model fit functions that aren't linear."""
    rank: int = Field(default=256, ge=1, le=16_384)
    """Rank to which the weights of the dense features (V in the package's formulas) are reduced after the fit."""
    most_movies: int = Field(default=5000, ge=1, le=100_000)
    """Number of movies that the model learns, the most rated ones. The time of a fit grows with the cube of it."""
    # From a few hours to a month.
    long_gap_days: Annotated[float, Field(gt=0), Range(0.1, 30.0, log=True)] = 1.0
    """Days from the last interaction to a query beyond which the query is scored by weights of its own, learned from
    interactions after such gaps only."""
    short_history: int = Field(default=6, ge=0, le=10_000)
    """Number of interactions below which a history is also scored by what other users chose at that point of theirs."""
    seed: int = Field(default=0, ge=0, le=2**63 - 1)
    """Seed of the random features, of the choice of histories that end within a second, and of the computation of
    eigenvectors."""


class SequentialRidge(Recommender):
    Config = SequentialRidgeConfig
    config: SequentialRidgeConfig

    columns_: Int32Array
    """int32[n_movies]: number of each movie among the n_learned movies that the model learns, -1 for the others."""
    embeddings_: Float32Array
    """float32[2, n_learned, dimensions]: two unit vectors for each movie, the first made from which users movies have
    in common, the second from which movies are rated close to each other."""
    mixing_: Float32Array
    """float32[4 * dimensions + 1, hidden]: the random matrix of the random features (H in the package's formulas)."""
    weights_: Float32Array
    """float32[2, n_learned, n_learned]: weights from the movies of the history to the scored movies (W in the package's
    formulas), first for queries after any gap, then for those after a long one."""
    inner_: Float32Array
    """float32[2, n_dense, rank]: first factor of the weights of the dense features (V in the package's formulas, here
    `inner_ @ outer_`), first for queries after any gap, then for those after a long one."""
    outer_: Float32Array
    """float32[2, rank, n_learned]: second factor of the weights of the dense features, in the order of `inner_`."""
    completion_: Float32Array
    """float32[n_learned, n_learned]: weights from the movies of the history to the scored movies, for queries in the
    very second of the last interaction."""
    first_times_: Int64Array
    """int64[n_first]: timestamps of every user's first FIRST_CHOICES interactions, POSIX seconds, ascending."""
    first_movies_: Int32Array
    """int32[n_first]: movie indices of the interactions in `first_times_`."""
    first_places_: Int32Array
    """int32[n_first]: number of earlier interactions of the same user, for each interaction in `first_times_`."""

    def array_specs(self) -> Specs:
        dimensions, hidden = self.config.dimensions, self.config.hidden
        n_dense = 4 * dimensions + LENGTH_CLASSES + hidden
        return {
            "columns_": ArraySpec("int32", ("n_movies",), least=-1, numbers="n_learned"),
            "embeddings_": ArraySpec("float32", (2, "n_learned", dimensions), is_filled=True),
            "mixing_": ArraySpec("float32", (4 * dimensions + 1, hidden)),
            "weights_": ArraySpec("float32", (2, "n_learned", "n_learned")),
            "inner_": ArraySpec("float32", (2, n_dense, "rank")),
            "outer_": ArraySpec("float32", (2, "rank", "n_learned")),
            "completion_": ArraySpec("float32", ("n_learned", "n_learned")),
            "first_times_": ArraySpec("int64", ("n_first",), order="ascending"),
            "first_movies_": ArraySpec("int32", ("n_first",), least=0, below="n_movies"),
            "first_places_": ArraySpec("int32", ("n_first",), least=0),
        }

    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        """Embed the movies, then regress what follows a history, and the rest of its latest basket, on its features.

        `training` has no effect.

        Raises
        ------
        DataError
            The data set has no interactions.
        """
        if len(dataset.timeline) == 0:
            raise DataError("there are no interactions to learn from")
        config, random = self.config, np.random.default_rng(self.config.seed)
        self.columns_ = _number_most_rated(dataset, config.most_movies)
        n_learned = int(self.columns_.max()) + 1
        timeline = dataset.timeline.renumber(self.columns_)
        everyone = timeline.as_of(timeline.user_ids, np.full(timeline.n_users, NEVER))
        self.embeddings_ = embed_movies(BasketSequences.of(everyone, n_learned), config.dimensions, random)
        self.mixing_ = random.standard_normal((4 * config.dimensions + 1, config.hidden), dtype=np.float32)
        self._fit_following(everyone, random)
        self._fit_completion(everyone)
        self._keep_first_choices(dataset)
        return self

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        """Return the scores of all movies; a movie that isn't learned has the lowest score of a learned one.

        The time from the last interaction to the query decides which weights score it: those for the same second, for
        long gaps, or for any gap.
        """
        x, z = self._features.of_histories(histories, self.columns_)
        nonempty = np.flatnonzero(histories.lengths)
        gap = timestamps[nonempty] - histories.timeline.timestamps[histories.stops[nonempty] - 1]
        same_second, long_gap = gap <= 0, gap > self.config.long_gap_days * DAY
        learned = np.zeros((len(histories), self._n_learned), dtype=np.float32)
        for queries, score in (
            (nonempty[same_second], lambda x, z: x @ self.completion_),
            (nonempty[~long_gap & ~same_second], partial(self._score_following, 0)),
            (nonempty[long_gap], partial(self._score_following, 1)),
        ):
            if len(queries) == len(histories):  # picking rows of a sparse array takes longer than all else
                learned = score(x, z)
            elif len(queries):
                learned[queries] = score(x[queries], z[queries])

        scores = np.repeat(learned.min(axis=1, keepdims=True), len(self.columns_), axis=1)
        scores[:, self.columns_ >= 0] = learned
        short = np.flatnonzero(histories.lengths < self.config.short_history)
        if len(short):
            spread = scores[short].std(axis=1)
            scores[short] += self._score_next_choices(histories[short], timestamps[short], spread)
        return scores

    def knows(self, histories: Histories) -> BoolArray:
        """Return bool[n_queries]: whether the history has a movie that the model learned."""
        query, row = histories.rows()
        has_learned_movie = np.zeros(len(histories), dtype=np.bool_)
        has_learned_movie[query[self.columns_[histories.timeline.movies[row]] >= 0]] = True
        return has_learned_movie

    @property
    def _n_learned(self) -> int:
        return int(self.embeddings_.shape[1])

    @property
    def _features(self) -> FeatureMap:
        return FeatureMap(self.embeddings_, self.mixing_)

    def _fit_following(self, everyone: Histories, random: np.random.Generator) -> None:
        """Regress the interactions that follow a history on its features x and z, for any gap and for long gaps."""
        config, n_learned = self.config, self._n_learned
        gram, target = self._normal_equations(everyone, random)
        dense_gram = gram[n_learned:, n_learned:].copy()
        penalty = np.full(len(gram), config.dense_regularization, dtype=np.float32)
        penalty[:n_learned] = config.regularization
        solution = _solve_ridge(gram, target, penalty)

        solutions = solution[:, :n_learned], solution[:, n_learned:]
        self.weights_ = np.stack([weights[:n_learned] for weights in solutions])
        dense = [
            reduce_rank(weights[n_learned:], dense_gram, config.dense_regularization, config.rank)
            for weights in solutions
        ]
        self.inner_, self.outer_ = (np.stack(factors) for factors in zip(*dense, strict=True))

    def _normal_equations(
        self, everyone: Histories, random: np.random.Generator
    ) -> tuple[Float32Array, Float32Array]:
        """Return [x z]'[x z] and [x z]'[y, y beyond a long gap] of the normal equations, summed over all rows.

        x and z are the features of a row and y its targets, as in the package's formulas.
        Only the lower triangle of the first matrix is filled: the upper right block stays zero.
        """
        n_learned = self._n_learned
        size = n_learned + self._features.n_dense
        gram = np.zeros((size, size), dtype=np.float32, order="F")
        target = np.zeros((size, 2 * n_learned), dtype=np.float32, order="F")
        for histories in _in_parts(everyone):
            sequences = BasketSequences.of(histories, n_learned)
            ends_basket = np.append(np.diff(sequences.baskets) != 0, True)
            is_row = ends_basket | (random.random(len(ends_basket)) < self.config.within_second)
            rows = np.flatnonzero(is_row)
            x, z = self._features.of_rows(sequences, rows)
            y, y_beyond, _ = self._targets(sequences, rows)
            gram[:n_learned, :n_learned] += (x.T @ x).toarray()
            gram[n_learned:, :n_learned] += (x.T @ z).T
            gram[n_learned:, n_learned:] += z.T @ z
            target[:n_learned, :n_learned] += (x.T @ y).toarray()
            target[:n_learned, n_learned:] += (x.T @ y_beyond).toarray()
            target[n_learned:, :n_learned] += (y.T @ z).T
            target[n_learned:, n_learned:] += (y_beyond.T @ z).T
        return gram, target

    def _fit_completion(self, everyone: Histories) -> None:
        """Solve the regression of the rest of a basket on the movies of the history up to each interaction in it."""
        n_learned = self._n_learned
        gram, target = (np.zeros((n_learned, n_learned), dtype=np.float32, order="F") for _ in range(2))
        for histories in _in_parts(everyone):
            sequences = BasketSequences.of(histories, n_learned)
            rows = np.flatnonzero(np.diff(sequences.baskets) == 0)
            x = decayed_baskets(sequences, rows)
            _, _, y_same_second = self._targets(sequences, rows)
            gram += (x.T @ x).toarray()
            target += (x.T @ y_same_second).toarray()
        penalty = np.full(n_learned, self.config.regularization, dtype=np.float32)
        self.completion_ = _solve_ridge(gram, target, penalty)

    def _targets(
        self, sequences: BasketSequences, rows: Int64Array
    ) -> tuple[csr_array, csr_array, csr_array]:
        """Return the targets of each row: all, those beyond a long gap, and those in the second of the row's event.

        A row is the history that ends with an event, and its targets are the weighted interactions that follow.
        Each is sparse float32[n_rows, n_learned].
        """
        users, timestamps, n_events = sequences.users, sequences.timestamps, len(sequences.users)
        steps = np.arange(self.config.horizon)
        event = rows[:, None] + 1 + steps  # [n_rows, horizon]
        exists = event < n_events
        event[~exists] = 0
        exists &= users[event] == users[rows][:, None]
        event_weight = np.where(sequences.liked > 0, 1, self.config.unliked_weight)
        weights = (self.config.target_decay**steps * event_weight[event]).astype(np.float32)
        gap = timestamps[event] - timestamps[rows][:, None]

        def targets_where(kept: BoolArray) -> csr_array:
            bounds = np.append(0, np.cumsum(kept.sum(axis=1)))
            shape = (len(rows), sequences.events.shape[1])
            return csr_array((weights[kept], sequences.events.indices[event[kept]], bounds), shape=shape)

        is_beyond = exists & (gap > self.config.long_gap_days * DAY)
        return targets_where(exists), targets_where(is_beyond), targets_where(exists & (gap == 0))

    def _score_following(self, solution: int, x: csr_array, z: Float32Array) -> Float32Array:
        """Return the scores of histories with the features x and z, float32[n, n_learned].

        `solution` chooses the weights: 0 are those for any gap, 1 those for long gaps.
        """
        weights, inner, outer = self.weights_[solution], self.inner_[solution], self.outer_[solution]
        scores: Float32Array = x @ weights + (z @ inner) @ outer
        return scores

    def _keep_first_choices(self, dataset: Dataset) -> None:
        choices = NextChoices().fit(dataset)
        is_first = choices.places_ < FIRST_CHOICES
        self.first_times_, self.first_movies_ = choices.times_[is_first], choices.movies_[is_first]
        self.first_places_ = choices.places_[is_first]

    def _score_next_choices(
        self, histories: Histories, timestamps: Int64Array, spread: Float32Array
    ) -> Float32Array:
        """Return scores by what other users chose at this point of their histories, float32[n, n_movies].

        Over the movies, they have mean 0 and the standard deviation `spread`, float32[n].
        """
        choices = NextChoices.of_events(
            self.first_times_, self.first_movies_, self.first_places_, len(self.columns_)
        )
        scores = choices.score(histories, timestamps)
        scores -= scores.mean(axis=1, keepdims=True)
        scores *= spread[:, None] / np.maximum(scores.std(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return scores


def _number_most_rated(dataset: Dataset, most: int) -> Int32Array:
    """Number the `most` most often rated movies in catalog order; int32[n_movies], -1 for all others."""
    counts = np.bincount(dataset.timeline.movies, minlength=dataset.n_movies)
    learned = np.argsort(-counts, kind="stable")[: min(most, np.count_nonzero(counts))]
    columns = np.full(dataset.n_movies, -1, dtype=np.int32)
    columns[np.sort(learned)] = np.arange(len(learned))
    return columns


def _in_parts(everyone: Histories) -> list[Histories]:
    """Divide the users into parts with about INTERACTIONS_AT_ONCE interactions each."""
    part = np.cumsum(everyone.lengths) // INTERACTIONS_AT_ONCE
    return [everyone[np.flatnonzero(part == number)] for number in np.unique(part)]


def _solve_ridge(gram: Float32Array, target: Float32Array, penalty: Float32Array) -> Float32Array:
    """Solve (gram + diag(penalty)) w = target for w, reading only the lower triangle of `gram`.

    Both `gram` and `target` are overwritten.
    """
    gram[np.diag_indices_from(gram)] += penalty
    factor = cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
    solution: Float32Array = np.ascontiguousarray(
        cho_solve(factor, target, overwrite_b=True, check_finite=False)
    )
    return solution
