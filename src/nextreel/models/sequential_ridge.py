"""Sequential ridge: the next movies as a linear function of the ordered history, in closed form.

A history is a sequence of moments, the sets of movies rated in one second. After each moment k of each user
stands one row of a multi-output regression. Its target y_k is a vector over the movies: the next interactions,
the j-th with weight 0.9^(j - 1), less if it wasn't liked. Its features are two blocks:

    x_k = sum_s 0.5^s S_{k - s}        the movies of the latest moments S, one number per movie
    z_k = (v_k, a_k, max(0, [v_k 1] H))

v_k is what the user likes, as four unit vectors: the sums of the movies' embeddings over the whole history and
over its liked part, and two decayed sums over the latest moments. a_k says how long the history is, and H is a
random matrix that lets the linear model bend. Minimising sum_k |y_k - x_k W - z_k V|^2 + lambda |W|^2 + mu |V|^2
is one Cholesky factorisation; V is then cut to its leading directions. A second solution from the same factor, to
targets more than a day away, answers queries that come long after the last interaction.

A query in the very second of the last interaction asks for the rest of that moment. It has a ridge of its own, of x
alone: its rows stand after each interaction that isn't its moment's last, its targets are those left of the moment.

The linear model of decayed histories is SLIST (Choi et al., "Session-aware Linear Item-Item Models for
Session-based Recommendation", WWW 2021) and its closed form that of EASE (Steck, WWW 2019); random features are
from Rahimi & Recht, "Weighted Sums of Random Kitchen Sinks", NIPS 2008; embeddings are found by randomised
subspace iteration (Halko et al., SIAM Review 2011).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy.linalg import cho_factor, cho_solve, qr
from scipy.sparse import csr_array, diags_array

from nextreel.data.dataset import Dataset
from nextreel.data.splits import POSITIVE
from nextreel.data.timeline import NEVER, FloatArray, Histories, Int64Array
from nextreel.models.base import ModelConfig, Recommender
from nextreel.models.training import Training

DAY = 86_400
LATEST = 0.5
"""Decay per moment of the block of single movies."""
RECENT, NEAREST = 0.8, 0.4
"""Decays per moment of the two sums of embeddings over the latest moments."""
FORGOTTEN = 1e-3
"""A weight that decayed below this has left the history."""
LENGTHS = 12
"""Classes of history length, each twice as long as the one before."""
SHRINKAGE = 20.0
"""Added to a movie's count where co-occurrences are normalised, so that pairs of rare movies don't lead."""
SUBSPACE_ITERATIONS = 5
"""Products with a matrix whose leading directions are sought."""
CHUNK = 8192
"""Moments whose dense features are held at once."""

BoolArray = npt.NDArray[np.bool_]
Weights = npt.NDArray[np.floating]


class SequentialRidgeConfig(ModelConfig):
    regularization: float = Field(default=500.0, gt=0, allow_inf_nan=False)
    """lambda, on the weights between single movies."""
    dense_regularization: float = Field(default=10.0, gt=0, allow_inf_nan=False)
    """mu, on the weights of the embedded history."""
    horizon: int = Field(default=10, ge=1)
    """How many interactions ahead are targets."""
    target_decay: float = Field(default=0.9, gt=0, le=1)
    """Weight of a target relative to the one before it."""
    unliked_weight: float = Field(default=0.3, ge=0, le=1)
    """Weight of a target rated below 4, relative to one that was liked."""
    dimensions: int = Field(default=128, ge=1)
    """Length of each of a movie's two embeddings."""
    hidden: int = Field(default=512, ge=0)
    """Number of random features."""
    rank: int = Field(default=256, ge=1)
    """Leading directions that are kept of V."""
    long_gap_days: float = Field(default=1.0, gt=0)
    """From this gap between the last interaction and the query on, the second solution answers."""
    seed: int = Field(default=0, ge=0)
    """Of the random features and of the start of the searches for directions."""


class SequentialRidge(Recommender):
    Config = SequentialRidgeConfig
    config: SequentialRidgeConfig

    embeddings_: FloatArray
    """float32[2, n_movies, dimensions]: unit vectors by who watches a movie, and by what is watched beside it."""
    mixing_: FloatArray
    """float32[4 * dimensions + 1, hidden]: H."""
    weights_: FloatArray
    """float32[2, n_movies, n_movies]: W, for short gaps and for long ones."""
    inner_: FloatArray
    """float32[2, n_features, rank]: V is inner @ outer."""
    outer_: FloatArray
    """float32[2, rank, n_movies]"""
    completion_: FloatArray
    """float32[n_movies, n_movies]: W for queries in the second of the last interaction."""

    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        config, n_movies = self.config, dataset.n_movies
        random = np.random.default_rng(config.seed)
        sequences = _Sequences.of(dataset)
        latest = _decay_matrix(sequences.owner, LATEST) @ sequences.sets
        gram = _gram_of_decayed(sequences, latest)
        self.embeddings_ = np.stack(
            [
                _embed_by_audience(sequences, config.dimensions, random),
                _embed_by_neighbours(gram, config.dimensions, random),
            ]
        )
        self.mixing_ = random.standard_normal((4 * config.dimensions + 1, config.hidden), dtype=np.float32)

        system, target = self._normal_equations(sequences, latest, gram)
        dense_gram = system[n_movies:, n_movies:].copy()
        penalty = np.full(len(system), config.dense_regularization, dtype=np.float32)
        penalty[:n_movies] = config.regularization
        system[np.diag_indices_from(system)] += penalty
        factor = cho_factor(system, lower=True, overwrite_a=True, check_finite=False)
        solution = np.ascontiguousarray(cho_solve(factor, target, overwrite_b=True, check_finite=False))

        solutions = solution[:, :n_movies], solution[:, n_movies:]
        self.weights_ = np.stack([weights[:n_movies] for weights in solutions])
        dense = [_reduce_rank(weights[n_movies:], dense_gram, config.rank, random) for weights in solutions]
        self.inner_, self.outer_ = (np.stack(parts) for parts in zip(*dense, strict=True))
        self.completion_ = self._complete_moments(sequences, latest)
        return self

    def score(self, histories: Histories, at: Int64Array) -> FloatArray:
        latest, features = self._describe(histories)
        known = np.flatnonzero(histories.lengths)
        gap = at[known] - histories.timeline.timestamps[histories.stops[known] - 1]
        long_gap = gap > self.config.long_gap_days * DAY
        same_second = gap <= 0
        scores = np.zeros((len(histories), self.weights_.shape[2]), dtype=np.float32)
        scores[known[same_second]] = latest[known[same_second]] @ self.completion_
        for solution, queries in enumerate((known[~long_gap & ~same_second], known[long_gap])):
            if len(queries):
                weights, inner, outer = self.weights_[solution], self.inner_[solution], self.outer_[solution]
                scores[queries] = latest[queries] @ weights + (features[queries] @ inner) @ outer
        return scores

    def _describe(self, histories: Histories) -> tuple[csr_array, FloatArray]:
        """x and z of each history: float32[n, n_movies], sparse, and float32[n, n_features]."""
        timeline, shape = histories.timeline, (len(histories), self.weights_.shape[1])
        query, row = histories.rows()
        movie = timeline.movies[row]
        bounds = np.searchsorted(query, np.arange(len(histories) + 1))
        moment: Int64Array = np.cumsum(_opens_moment(query, timeline.timestamps[row]))
        age = (moment[bounds[query + 1] - 1] - moment).astype(np.float32)

        def recall(weights: FloatArray) -> csr_array:
            kept = weights >= FORGOTTEN
            stops = np.append(0, np.cumsum(kept))[bounds]
            return csr_array((weights[kept], movie[kept], stops), shape=shape)

        taste, neighbours = self.embeddings_
        liked = timeline.ratings[row] >= POSITIVE
        features = self._features(
            recall(np.ones_like(age)) @ taste,
            recall(liked.astype(np.float32)) @ taste,
            recall(RECENT**age) @ neighbours,
            recall(NEAREST**age) @ neighbours,
            np.diff(bounds),
        )
        return recall(LATEST**age), features

    def _normal_equations(
        self, sequences: "_Sequences", latest: csr_array, gram: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """[x z]' [x z] and [x z]' [y, y beyond a long gap], summed over all moments."""
        n_movies = len(gram)
        soon, later = self._targets(sequences)
        size = n_movies + 4 * self.config.dimensions + LENGTHS + self.config.hidden
        system = np.zeros((size, size), dtype=np.float32, order="F")
        target = np.zeros((size, 2 * n_movies), dtype=np.float32, order="F")
        system[:n_movies, :n_movies] = gram
        target[:n_movies, :n_movies] = (latest.T @ soon).toarray()
        target[:n_movies, n_movies:] = (latest.T @ later).toarray()
        for chunk in sequences.chunks():
            features = self._features_of_moments(sequences, chunk)
            system[n_movies:, :n_movies] += (latest[chunk].T @ features).T
            system[n_movies:, n_movies:] += features.T @ features
            target[n_movies:, :n_movies] += (soon[chunk].T @ features).T
            target[n_movies:, n_movies:] += (later[chunk].T @ features).T
        return system, target

    def _complete_moments(self, sequences: "_Sequences", latest: csr_array) -> FloatArray:
        """The ridge from a history that ends within a moment to the rest of that moment."""
        config, sets = self.config, sequences.sets
        sizes = np.diff(sets.indptr)
        moment = np.repeat(np.arange(len(sizes)), sizes)
        goes_on = np.flatnonzero(moment[:-1] == moment[1:])
        n_events = len(moment)
        worth = np.where(sequences.liked.data > 0, np.float32(1), np.float32(config.unliked_weight))
        events, valued = (
            csr_array((values, sets.indices, np.arange(n_events + 1)), shape=(n_events, sets.shape[1]))
            for values in (np.ones_like(worth), worth)
        )
        so_far = _bands(moment, np.ones(sizes.max()))[goes_on]
        to_come = _bands(moment, np.append(0, config.target_decay ** np.arange(config.horizon))).T.tocsr()[
            goes_on
        ]
        inputs = (latest - sets)[moment[goes_on]] + so_far @ events
        system = (inputs.T @ inputs).toarray()
        system[np.diag_indices_from(system)] += config.regularization
        factor = cho_factor(system, lower=True, overwrite_a=True, check_finite=False)
        target = (inputs.T @ (to_come @ valued)).toarray()
        weights: FloatArray = cho_solve(factor, target, overwrite_b=True, check_finite=False)
        return weights

    def _features(
        self,
        watched: FloatArray,
        liked: FloatArray,
        recent: FloatArray,
        nearest: FloatArray,
        lengths: Int64Array,
    ) -> FloatArray:
        """z: float32[n, 4 * dimensions + LENGTHS + hidden], from four sums of embeddings."""
        units = np.concatenate([_unit_rows(part) for part in (watched, liked, recent, nearest)], axis=1)
        length_class = np.minimum(np.log2(np.maximum(lengths, 1)).astype(np.int64), LENGTHS - 1)
        bent = np.maximum(units @ self.mixing_[:-1] + self.mixing_[-1], 0)
        return np.concatenate([units, np.eye(LENGTHS, dtype=np.float32)[length_class], bent], axis=1)

    def _features_of_moments(self, sequences: "_Sequences", chunk: slice) -> FloatArray:
        """z of every moment of a chunk of whole users: the sums that `_describe` makes, running over time."""
        taste, neighbours = self.embeddings_
        owner, sets = sequences.owner[chunk], sequences.sets[chunk]
        beside = sets @ neighbours
        return self._features(
            _running_sum(owner, sets @ taste),
            _running_sum(owner, sequences.liked[chunk] @ taste),
            _decay_matrix(owner, RECENT) @ beside,
            _decay_matrix(owner, NEAREST) @ beside,
            _running_sum(owner, np.diff(sets.indptr)[:, None]).astype(np.int64)[:, 0],
        )

    def _targets(self, sequences: "_Sequences") -> tuple[csr_array, csr_array]:
        """y of every moment, and the part of it that lies beyond a long gap: float32[n_moments, n_movies]."""
        stops = sequences.sets.indptr[1:]
        steps = np.arange(self.config.horizon)
        event = np.minimum(stops[:, None] + steps, len(sequences.user) - 1)
        valid = (stops[:, None] + steps < len(sequences.user)) & (
            sequences.user[event] == sequences.owner[:, None]
        )
        worth = np.where(sequences.liked.data > 0, 1, self.config.unliked_weight)
        weights = (self.config.target_decay**steps * worth[event]).astype(np.float32)
        gap = sequences.times[event] - sequences.times[stops - 1][:, None]

        def table(kept: BoolArray) -> csr_array:
            rows = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
            return csr_array(
                (weights[kept], sequences.sets.indices[event[kept]], rows), shape=sequences.sets.shape
            )

        return table(valid), table(valid & (gap > self.config.long_gap_days * DAY))


@dataclass(frozen=True)
class _Sequences:
    """All interactions of a dataset as each user's sequence of moments."""

    sets: csr_array
    """float32[n_moments, n_movies]: 1 for a movie rated in that moment; entries in the order of events."""
    liked: csr_array
    """The same with 0 where the movie wasn't liked."""
    owner: Int64Array
    """int64[n_moments]: the user, ascending."""
    user: Int64Array
    """int64[n_events]"""
    times: Int64Array
    """int64[n_events]: POSIX seconds."""

    @classmethod
    def of(cls, dataset: Dataset) -> "_Sequences":
        timeline = dataset.timeline
        user, row = dataset.histories(dataset.user_ids, np.full(dataset.n_users, NEVER)).rows()
        movie, times = timeline.movies[row], timeline.timestamps[row]
        starts = np.flatnonzero(_opens_moment(user, times))
        bounds, shape = np.append(starts, len(row)), (len(starts), dataset.n_movies)
        liked = (timeline.ratings[row] >= POSITIVE).astype(np.float32)
        return cls(
            sets=csr_array((np.ones_like(liked), movie, bounds), shape=shape),
            liked=csr_array((liked, movie, bounds), shape=shape),
            owner=user[starts],
            user=user,
            times=times,
        )

    def chunks(self) -> list[slice]:
        """Runs of moments that hold whole users."""
        starts = np.flatnonzero(np.diff(self.owner, prepend=-1))
        cuts = np.unique(starts[np.searchsorted(starts, np.arange(0, starts[-1] + 1, CHUNK))])
        return [slice(a, b) for a, b in zip(cuts, [*cuts[1:], len(self.owner)], strict=True)]


def _opens_moment(owner: Int64Array, times: Int64Array) -> BoolArray:
    """bool[n_events]: whether an event is the first of its owner's in its second."""
    opens: BoolArray = (np.diff(owner, prepend=-1) != 0) | (np.diff(times, prepend=-1) != 0)
    return opens


def _decay_matrix(owner: Int64Array, decay: float) -> csr_array:
    """Sparse float32[n, n]: decay^(k - j) where moment j isn't after k and both are the same owner's."""
    return _bands(owner, decay ** np.arange(int(np.log(FORGOTTEN) / np.log(decay)) + 1))


def _bands(owner: Int64Array, weights: Weights) -> csr_array:
    """Sparse float32[n, n]: weights[k - j] where j isn't after k and both are the same owner's."""
    lags = range(min(len(weights), len(owner)))
    bands = [weights[s] * (owner[s:] == owner[: len(owner) - s]) for s in lags]
    return csr_array(diags_array(bands, offsets=[-s for s in lags], dtype=np.float32))


def _running_sum(owner: Int64Array, values: Weights) -> FloatArray:
    """Sum over an owner's moments up to each, itself included."""
    total = np.cumsum(values, axis=0, dtype=np.float64)
    first = np.searchsorted(owner, owner)
    return (total - (total - values)[first]).astype(np.float32)


def _unit_rows(vectors: FloatArray) -> FloatArray:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: FloatArray = vectors / np.maximum(norms, np.float32(1e-6))
    return unit


def _gram_of_decayed(sequences: _Sequences, decayed: csr_array) -> FloatArray:
    """X' X of decayed histories X, from the far sparser product of X with the moments S themselves.

    As x_k = sum_j d^(k - j) S_j, two moments i <= j of a user meet in every later x_k, with weights that sum to
    d^(j - i) c_j, where c_j = sum_{k >= j} d^(2 (k - j)): so X' X = P + P' - S' C S, with P = X' C S.
    """
    left = np.searchsorted(sequences.owner, sequences.owner, side="right") - np.arange(len(sequences.owner))
    meetings = (1 - LATEST ** (2 * left)) / (1 - LATEST**2)
    half = (decayed - sequences.sets / 2).T @ (sequences.sets * meetings.astype(np.float32)[:, None])
    gram: FloatArray = half.toarray()
    return gram + gram.T


def _embed_by_audience(sequences: _Sequences, dimensions: int, random: np.random.Generator) -> FloatArray:
    """Unit vectors from the co-occurrence in whole histories, where every user weighs the same."""
    n_movies = sequences.sets.shape[1]
    lengths = np.bincount(sequences.user)
    users = csr_array(
        (1 / np.sqrt(lengths[sequences.user], dtype=np.float32), (sequences.user, sequences.sets.indices)),
        shape=(len(lengths), n_movies),
    )
    shrunk = 1 / np.sqrt(
        np.bincount(sequences.sets.indices, minlength=n_movies) + SHRINKAGE, dtype=np.float32
    )
    users = users * shrunk
    return _embed(lambda vectors: users.T @ (users @ vectors), n_movies, dimensions, random)


def _embed_by_neighbours(gram: FloatArray, dimensions: int, random: np.random.Generator) -> FloatArray:
    """Unit vectors from the co-occurrence within a few moments."""
    shrunk = 1 / np.sqrt(np.diag(gram) + np.float32(SHRINKAGE))
    return _embed(
        lambda vectors: shrunk[:, None] * (gram @ (shrunk[:, None] * vectors)), len(gram), dimensions, random
    )


def _embed(
    multiply: Callable[[FloatArray], FloatArray], size: int, dimensions: int, random: np.random.Generator
) -> FloatArray:
    values, vectors = _leading_directions(multiply, size, dimensions, random)
    embedding = np.zeros((size, dimensions), dtype=np.float32)
    embedding[:, : len(values)] = _unit_rows(vectors * np.sqrt(np.maximum(values, 0)))
    return embedding


def _leading_directions(
    multiply: Callable[[FloatArray], FloatArray], size: int, count: int, random: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Largest eigenvalues and their vectors of a symmetric matrix known by its products."""
    count = min(count, size)
    basis = random.standard_normal((size, min(count + 20, size)), dtype=np.float32)
    for _ in range(SUBSPACE_ITERATIONS):
        basis, _ = qr(multiply(basis), mode="economic", overwrite_a=True, check_finite=False)
    values, rotation = np.linalg.eigh(basis.T @ multiply(basis))
    return values[-count:], basis @ rotation[:, -count:]


def _reduce_rank(
    weights: FloatArray, second_moment: FloatArray, rank: int, random: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Two factors whose product predicts nearly what the weights do: reduced-rank regression."""
    _, directions = _leading_directions(
        lambda vectors: weights.T @ (second_moment @ (weights @ vectors)), weights.shape[1], rank, random
    )
    return weights @ directions, np.ascontiguousarray(directions.T)
