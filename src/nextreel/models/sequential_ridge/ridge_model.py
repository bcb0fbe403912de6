"""The sequential ridge as a model: fitted in closed form, asked with a history and a moment."""

from functools import partial
from typing import Annotated, Self

import numpy as np
from pydantic import Field
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_array

from nextreel.arrays import BoolArray, Float32Array, Int32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import NEVER, Histories
from nextreel.data.times import DAY
from nextreel.models.base import ModelConfig, Recommender
from nextreel.models.next_choices import NextChoices
from nextreel.models.sequential_ridge.baskets import (
    FORGOTTEN,
    LATEST,
    Sequences,
    decay_matrix,
    opens_moment,
    running_sum,
    sets_of,
    to_come,
)
from nextreel.models.sequential_ridge.low_rank import embed_movies, reduce_rank, unit_rows
from nextreel.models.training.epochs import Training
from nextreel.options import Range

RECENT, NEAREST = 0.8, 0.4
"""Decays per moment of the two sums of embeddings over the latest moments."""
LENGTHS = 12
"""Classes of history length, each twice as long as the one before."""
FIRST_CHOICES = 18
"""How many first interactions of each user are learned for them."""
CHUNK = 65_536
"""Interactions whose dense features are held at once."""


class SequentialRidgeConfig(ModelConfig):
    # As for EASE, with one row per basket instead of one per user.
    regularization: Annotated[float, Field(gt=0, allow_inf_nan=False), Range(20.0, 10_000.0, log=True)] = (
        500.0
    )
    """lambda, on the weights between single movies."""
    # The embedded history has far fewer weights to learn and needs far less regularization.
    dense_regularization: Annotated[float, Field(gt=0, allow_inf_nan=False), Range(0.5, 500.0, log=True)] = (
        10.0
    )
    """mu, on the weights of the embedded history."""
    # From the next interaction alone to the rest of the month.
    horizon: Annotated[int, Field(ge=1), Range(1, 50, log=True)] = 10
    """How many interactions ahead are targets."""
    # From mostly the next interaction to equal weights.
    target_decay: Annotated[float, Field(gt=0, le=1), Range(0.5, 1.0)] = 0.9
    """Weight of a target relative to the one before it."""
    # From liked targets only to equal weights.
    unliked_weight: Annotated[float, Field(ge=0, le=1), Range(0.0, 1.0)] = 0.3
    """Weight of a target rated below 4, relative to one that was liked."""
    # From the ends of baskets only to every state within them.
    within_second: Annotated[float, Field(ge=0, le=1), Range(0.0, 1.0)] = 0.25
    """Share of the states within a second, when some of its movies are still to come, that are rows too."""
    # From a coarse map of the movies to one that is finer than the time of its fit is worth.
    dimensions: Annotated[int, Field(ge=1), Range(32, 256, log=True)] = 128
    """Length of each of a movie's two embeddings."""
    # From a nearly linear model to four times the default; the time of a fit grows with the square.
    hidden: Annotated[int, Field(ge=0), Range(64, 2048, log=True)] = 512
    """Number of random features."""
    rank: int = Field(default=256, ge=1)
    """Leading directions that are kept of V."""
    most_movies: int = Field(default=5000, ge=1)
    """The model knows this many movies, the most rated ones; the time of a fit grows with their number's cube."""
    # From a few hours to a month.
    long_gap_days: Annotated[float, Field(gt=0), Range(0.1, 30.0, log=True)] = 1.0
    """From this gap between the last interaction and the query on, the second solution answers."""
    short_history: int = Field(default=6, ge=0)
    """Histories of fewer interactions are also answered by what others chose at that point."""
    seed: int = Field(default=0, ge=0)
    """Of the random features and of the start of the searches for directions."""


class SequentialRidge(Recommender):
    Config = SequentialRidgeConfig
    config: SequentialRidgeConfig

    columns_: Int32Array
    """int32[n_movies]: number of each movie among the n_known ones, -1 for one that isn't known."""
    embeddings_: Float32Array
    """float32[2, n_known, dimensions]: unit vectors by who watches a movie, and by what is watched beside it."""
    mixing_: Float32Array
    """float32[4 * dimensions + 1, hidden]: H."""
    weights_: Float32Array
    """float32[2, n_known, n_known]: W, for short gaps and for long ones."""
    inner_: Float32Array
    """float32[2, n_features, rank]: V is inner @ outer."""
    outer_: Float32Array
    """float32[2, rank, n_known]"""
    completion_: Float32Array
    """float32[n_known, n_known]: W for queries in the second of the last interaction."""
    first_times_: Int64Array
    """int64[n_first]: POSIX seconds, ascending, of the first choices of all users."""
    first_movies_: Int32Array
    """int32[n_first]: their movies."""
    first_places_: Int32Array
    """int32[n_first]: how many interactions their user had before them."""

    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        config, random = self.config, np.random.default_rng(self.config.seed)
        self.columns_ = _number_most_rated(dataset, config.most_movies)
        n_movies = int(self.columns_.max()) + 1
        timeline = dataset.timeline.renumber(self.columns_)
        everybody = timeline.as_of(timeline.user_ids, np.full(timeline.n_users, NEVER))
        self.embeddings_ = embed_movies(Sequences.of(everybody, n_movies), config.dimensions, random)
        self.mixing_ = random.standard_normal((4 * config.dimensions + 1, config.hidden), dtype=np.float32)

        system, target = self._normal_equations(everybody, random)
        dense_gram = system[n_movies:, n_movies:].copy()
        penalty = np.full(len(system), config.dense_regularization, dtype=np.float32)
        penalty[:n_movies] = config.regularization
        system[np.diag_indices_from(system)] += penalty
        factor = cho_factor(system, lower=True, overwrite_a=True, check_finite=False)
        solution = np.ascontiguousarray(cho_solve(factor, target, overwrite_b=True, check_finite=False))

        solutions = solution[:, :n_movies], solution[:, n_movies:]
        self.weights_ = np.stack([weights[:n_movies] for weights in solutions])
        dense = [reduce_rank(weights[n_movies:], dense_gram, config.rank, random) for weights in solutions]
        self.inner_, self.outer_ = (np.stack(parts) for parts in zip(*dense, strict=True))
        self.completion_ = self._complete_moments(everybody)

        choices = NextChoices().fit(dataset)
        first = choices.places_ < FIRST_CHOICES
        self.first_times_, self.first_movies_ = choices.times_[first], choices.movies_[first]
        self.first_places_ = choices.places_[first]
        return self

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        latest, features = self._describe(histories)
        known = np.flatnonzero(histories.lengths)
        gap = timestamps[known] - histories.timeline.timestamps[histories.stops[known] - 1]
        same_second, long_gap = gap <= 0, gap > self.config.long_gap_days * DAY
        scores = np.zeros((len(histories), len(self.completion_)), dtype=np.float32)
        for queries, answer in (
            (known[same_second], lambda x, z: x @ self.completion_),
            (known[~long_gap & ~same_second], partial(self._solve, 0)),
            (known[long_gap], partial(self._solve, 1)),
        ):
            if len(queries) == len(histories):  # picking rows of a sparse array takes longer than all else
                scores = answer(latest, features)
            elif len(queries):
                scores[queries] = answer(latest[queries], features[queries])
        everything = np.repeat(scores.min(axis=1, keepdims=True), len(self.columns_), axis=1)
        everything[:, self.columns_ >= 0] = scores
        short = np.flatnonzero(histories.lengths < self.config.short_history)
        if len(short):
            everything[short] += self._next_choices(
                histories[short], timestamps[short], everything[short].std(axis=1)
            )
        return everything

    def _next_choices(
        self, histories: Histories, timestamps: Int64Array, scale: Float32Array
    ) -> Float32Array:
        """float32[n, n_movies]: what others chose at this point, with mean 0 and the standard deviation `scale`."""
        choices = NextChoices.of_events(
            self.first_times_, self.first_movies_, self.first_places_, len(self.columns_)
        )
        scores = choices.score(histories, timestamps)
        scores -= scores.mean(axis=1, keepdims=True)
        scores *= scale[:, None] / np.maximum(scores.std(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return scores

    def _solve(self, solution: int, latest: csr_array, features: Float32Array) -> Float32Array:
        """float32[n, n_movies]: what x and z say, by the ridge for any gap or the one for long gaps."""
        weights, inner, outer = self.weights_[solution], self.inner_[solution], self.outer_[solution]
        scores: Float32Array = latest @ weights + (features @ inner) @ outer
        return scores

    def knows(self, histories: Histories) -> BoolArray:
        query, row = histories.rows()
        known = np.zeros(len(histories), dtype=np.bool_)
        known[query[self.columns_[histories.timeline.movies[row]] >= 0]] = True
        return known

    def _describe(self, histories: Histories) -> tuple[csr_array, Float32Array]:
        """x and z of each history: float32[n, n_movies], sparse, and float32[n, n_features]."""
        timeline, shape = histories.timeline, (len(histories), len(self.completion_))
        query, row = histories.rows()
        known = self.columns_[timeline.movies[row]] >= 0
        query, row = query[known], row[known]
        movie = self.columns_[timeline.movies[row]]
        bounds = np.searchsorted(query, np.arange(len(histories) + 1))
        moment: Int64Array = np.cumsum(opens_moment(query, timeline.timestamps[row]))
        age = (moment[bounds[query + 1] - 1] - moment).astype(np.float32)

        def recall(weights: Float32Array) -> csr_array:
            kept = weights >= FORGOTTEN
            stops = np.append(0, np.cumsum(kept))[bounds]
            return csr_array((weights[kept], movie[kept], stops), shape=shape)

        taste, neighbours = self.embeddings_
        liked = timeline.is_positive(row)
        features = self._features(
            recall(np.ones_like(age)) @ taste,
            recall(liked.astype(np.float32)) @ taste,
            recall(RECENT**age) @ neighbours,
            recall(NEAREST**age) @ neighbours,
            np.diff(bounds),
        )
        return recall(LATEST**age), features

    def _normal_equations(
        self, everybody: Histories, random: np.random.Generator
    ) -> tuple[Float32Array, Float32Array]:
        """[x z]' [x z] and [x z]' [y, y beyond a long gap], summed over all rows."""
        n_movies = self.embeddings_.shape[1]
        size = n_movies + 4 * self.config.dimensions + LENGTHS + self.config.hidden
        system = np.zeros((size, size), dtype=np.float32, order="F")
        target = np.zeros((size, 2 * n_movies), dtype=np.float32, order="F")
        for histories in _chunks(everybody):
            sequences = Sequences.of(histories, n_movies)
            ends = np.append(np.diff(sequences.moment) != 0, True)
            rows = np.flatnonzero(ends | (random.random(len(ends)) < self.config.within_second))
            latest, features = self._describe_rows(sequences, rows)
            soon, later, _ = self._targets(sequences, rows)
            system[:n_movies, :n_movies] += (latest.T @ latest).toarray()
            system[n_movies:, :n_movies] += (latest.T @ features).T
            system[n_movies:, n_movies:] += features.T @ features
            target[:n_movies, :n_movies] += (latest.T @ soon).toarray()
            target[:n_movies, n_movies:] += (latest.T @ later).toarray()
            target[n_movies:, :n_movies] += (soon.T @ features).T
            target[n_movies:, n_movies:] += (later.T @ features).T
        return system, target

    def _complete_moments(self, everybody: Histories) -> Float32Array:
        """The ridge from a history that ends within a moment to the rest of that moment."""
        n_movies = self.embeddings_.shape[1]
        system, target = (np.zeros((n_movies, n_movies), dtype=np.float32, order="F") for _ in range(2))
        for histories in _chunks(everybody):
            sequences = Sequences.of(histories, n_movies)
            rows = np.flatnonzero(np.diff(sequences.moment) == 0)
            latest = _latest_movies(sequences, rows)
            system += (latest.T @ latest).toarray()
            target += (latest.T @ self._targets(sequences, rows)[2]).toarray()
        system[np.diag_indices(n_movies)] += np.float32(self.config.regularization)
        factor = cho_factor(system, lower=True, overwrite_a=True, check_finite=False)
        weights: Float32Array = np.ascontiguousarray(
            cho_solve(factor, target, overwrite_b=True, check_finite=False)
        )
        return weights

    def _features(
        self,
        watched: Float32Array,
        liked: Float32Array,
        recent: Float32Array,
        nearest: Float32Array,
        lengths: Int64Array,
    ) -> Float32Array:
        """z: float32[n, 4 * dimensions + LENGTHS + hidden], from four sums of embeddings."""
        units = np.concatenate([unit_rows(part) for part in (watched, liked, recent, nearest)], axis=1)
        length_class = np.minimum(np.log2(np.maximum(lengths, 1)).astype(np.int64), LENGTHS - 1)
        bent = np.maximum(units @ self.mixing_[:-1] + self.mixing_[-1], 0)
        return np.concatenate([units, np.eye(LENGTHS, dtype=np.float32)[length_class], bent], axis=1)

    def _describe_rows(self, sequences: "Sequences", rows: Int64Array) -> tuple[csr_array, Float32Array]:
        """x and z as `_describe` has them, of the histories that end with each of some events.

        The sum over the moments up to the event's own is taken once for each moment; what of the event's own
        moment is still to come is taken off again.
        """
        taste, neighbours = self.embeddings_
        events, moment, owner = sequences.events, sequences.moment, sequences.owner
        beside = events @ neighbours
        to_come_beside = to_come(moment)[rows] @ beside
        sets = sets_of(sequences)

        def decayed(decay: float) -> Float32Array:
            whole = decay_matrix(owner, decay) @ (sets @ neighbours)
            sums: Float32Array = whole[moment[rows]] - to_come_beside
            return sums

        features = self._features(
            running_sum(sequences.user, events @ taste)[rows],
            running_sum(sequences.user, (events * sequences.liked[:, None]) @ taste)[rows],
            decayed(RECENT),
            decayed(NEAREST),
            (np.arange(len(moment)) - np.searchsorted(sequences.user, sequences.user) + 1)[rows],
        )
        return _latest_movies(sequences, rows), features

    def _targets(self, sequences: "Sequences", rows: Int64Array) -> tuple[csr_array, csr_array, csr_array]:
        """y of each row, the part of it beyond a long gap, and that in the row's own moment.

        Each is sparse float32[n_rows, n_movies].
        """
        user, times, n_events = sequences.user, sequences.times, len(sequences.user)
        steps = np.arange(self.config.horizon)
        event = rows[:, None] + 1 + steps
        within = event < n_events
        event[~within] = 0
        within &= user[event] == user[rows][:, None]
        worth = np.where(sequences.liked > 0, 1, self.config.unliked_weight)
        weights = (self.config.target_decay**steps * worth[event]).astype(np.float32)
        gap = times[event] - times[rows][:, None]

        def table(kept: BoolArray) -> csr_array:
            bounds = np.append(0, np.cumsum(kept.sum(axis=1)))
            shape = (len(rows), sequences.events.shape[1])
            return csr_array((weights[kept], sequences.events.indices[event[kept]], bounds), shape=shape)

        beyond = within & (gap > self.config.long_gap_days * DAY)
        return table(within), table(beyond), table(within & (gap == 0))


def _number_most_rated(dataset: Dataset, most: int) -> Int32Array:
    """int32[n_movies]: the most rated movies numbered in the order of the catalog, -1 for the others."""
    counts = np.bincount(dataset.timeline.movies, minlength=dataset.n_movies)
    known = np.argsort(-counts, kind="stable")[: min(most, np.count_nonzero(counts))]
    columns = np.full(dataset.n_movies, -1, dtype=np.int32)
    columns[np.sort(known)] = np.arange(len(known))
    return columns


def _chunks(everybody: Histories) -> list[Histories]:
    """Some users each, with about CHUNK rows together."""
    part = np.cumsum(everybody.lengths) // CHUNK
    return [everybody[np.flatnonzero(part == i)] for i in np.unique(part)]


def _latest_movies(sequences: Sequences, rows: Int64Array) -> csr_array:
    """x of the histories that end with each of some events: sparse float32[n_rows, n_movies]."""
    whole = decay_matrix(sequences.owner, LATEST) @ sets_of(sequences)
    latest: csr_array = whole[sequences.moment[rows]] - to_come(sequences.moment)[rows] @ sequences.events
    latest.eliminate_zeros()
    return latest
