"""The sequential ridge as a model: its fit, the solution of the normal equations, and the scores of a query."""

from functools import cached_property
from typing import Self

import numpy as np
from scipy.sparse import csr_array

from nextreel.array_specs import ArraySpec, Specs
from nextreel.arrays import Arrays, BoolArray, Float32Array, Int32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import NEVER, Histories
from nextreel.data.times import DAY
from nextreel.errors import ArtifactError, DataError
from nextreel.machine import usable_threads
from nextreel.models.base import Recommender
from nextreel.models.fit_cost import FitCost
from nextreel.models.next_choices import NextChoices
from nextreel.models.sequential_ridge.baskets import list_ranges
from nextreel.models.sequential_ridge.closed_forms import solve_ease, solve_ridge
from nextreel.models.sequential_ridge.embeddings import embed_movies
from nextreel.models.sequential_ridge.features import LENGTH_CLASSES, FeatureMap
from nextreel.models.sequential_ridge.hyperparameters import SequentialRidgeConfig
from nextreel.models.sequential_ridge.low_rank import reduce_rank
from nextreel.models.sequential_ridge.normal_equations import (
    INTERACTIONS_AT_ONCE,
    INTERACTIONS_PER_PART,
    MOST_THREADS,
    NormalEquations,
    RowSums,
    divide,
)
from nextreel.models.sequential_ridge.random_features import draw_directions
from nextreel.models.training.epochs import Training
from nextreel.models.user_vectors import build_profiles
from nextreel.tasks import run_in_threads

FIRST_CHOICES = 18
"""Number of first interactions of each user that are kept for short histories. A history of n interactions needs those
up to the (2n + 8)th (see `next_choices`), and with the default `short_history` n is at most 5."""
FEWEST_RATINGS, FEWEST_LEARNED = 10, 2000
"""A movie with fewer ratings is rare, unless fewer movies than the second number would be learned then. Ratings so few
can't tell a weight for each other movie, and the time of a fit grows with the cube of the number of learned movies."""
PROFILE_LENGTH, PROFILE_HALF_LIFE, UNLIKED_IN_PROFILE = 18, 3.0, 0.5
"""What undirected weights score of a history: how many of its latest interactions, after how many of them a weight
halves, and the factor on the weight of a movie that wasn't liked."""
RARE_RANK = 32
"""Number of leading directions of the dense features' weights that score the rare movies."""
LEAST_PENALTY = 1e-5
"""Lowest penalty on the dense features' weights, relative to the mean of their sums of squares. With tens of millions
of rows, rounding errors of these float32 sums would exceed a lower one, and the system couldn't be solved."""
FOLLOWER_ARRAYS = ("followed_", "followers_", "follower_counts_")
"""The arrays that a file of version 1.0 doesn't have."""
ANY_GAP, LONG_GAP, SAME_SECOND = range(3)
"""Kinds of queries, by the time since the last interaction, each with weights of its own."""


class SequentialRidge(Recommender):
    Config = SequentialRidgeConfig
    fits_by_tasks = True
    config: SequentialRidgeConfig

    columns_: Int32Array
    """int32[n_movies]: number of each movie among the n_learned movies that weights of x are learned for, -1 for the
    others."""
    rare_: Int32Array
    """int32[n_rare]: movie indices of the rare movies, those that were rated and aren't learned."""
    embeddings_: Float32Array
    """float32[2, n_movies, dimensions]: two unit vectors for each movie, the first made from which users movies have
    in common, the second from which movies are rated close to each other; zeros for a movie that nobody rated."""
    mixing_: Float32Array
    """float32[4 * dimensions + 1, n_hidden]: the random matrix of the random features (H in the package's formulas)."""
    weights_: Float32Array
    """float32[2, n_learned, n_learned]: weights from the movies of the history to the scored movies (W in the package's
    formulas), first for queries after any gap, then for those after a long one."""
    inner_: Float32Array
    """float32[2, n_dense, rank]: first factor of the weights of the dense features (V in the package's formulas, here
    `inner_ @ outer_`), first for queries after any gap, then for those after a long one. The columns stand in
    ascending order of what they explain of the predictions."""
    outer_: Float32Array
    """float32[2, rank, n_learned]: second factor of the weights of the dense features, in the order of `inner_`."""
    rare_outer_: Float32Array
    """float32[3, rare_rank, n_movies]: second factor for the rare movies, whose first is the last columns of `inner_`;
    zeros for all others. First for queries after any gap, then for those after a long one, then for queries in the very
    second of the last interaction."""
    completion_: Float32Array
    """float32[n_learned, n_learned]: weights from the movies of the history to the scored movies, for queries in the
    very second of the last interaction."""
    followed_: Int32Array
    """int32[n_pairs]: number of the first movie of each pair of learned movies that were rated one directly after the
    other within a basket; ascending."""
    followers_: Int32Array
    """int32[n_pairs]: number of the second movie of each pair, in the order of `followed_`."""
    follower_counts_: Float32Array
    """float32[n_pairs]: log(1 + how often the pair was rated so), less where the second movie wasn't liked."""
    undirected_: Float32Array
    """float32[n_learned, n_learned]: EASE's weights from the movies of the history to the scored movies."""
    undirected_weight_: Float32Array
    """float32[1]: weight of the scores by `undirected_` relative to the others, in units of standard deviations."""
    first_times_: Int64Array
    """int64[n_first]: timestamps of every user's first FIRST_CHOICES interactions, POSIX seconds, ascending."""
    first_movies_: Int32Array
    """int32[n_first]: movie indices of the interactions in `first_times_`."""
    first_places_: Int32Array
    """int32[n_first]: number of earlier interactions of the same user, for each interaction in `first_times_`."""

    def array_specs(self) -> Specs:
        dimensions = self.config.dimensions
        return {
            "columns_": ArraySpec("int32", ("n_movies",), least=-1, numbers="n_learned"),
            "rare_": ArraySpec(
                "int32", ("n_rare",), least=0, below="n_movies", order="strictly ascending", is_optional=True
            ),
            "embeddings_": ArraySpec("float32", (2, "n_embedded", dimensions), is_filled=True),
            "mixing_": ArraySpec("float32", (4 * dimensions + 1, "n_hidden")),
            "weights_": ArraySpec("float32", (2, "n_learned", "n_learned")),
            "inner_": ArraySpec("float32", (2, "n_dense", "rank")),
            "outer_": ArraySpec("float32", (2, "rank", "n_learned")),
            "rare_outer_": ArraySpec("float32", (3, "rare_rank", "n_movies"), is_optional=True),
            "completion_": ArraySpec("float32", ("n_learned", "n_learned")),
            "followed_": ArraySpec(
                "int32", ("n_pairs",), least=0, below="n_learned", order="ascending", is_optional=True
            ),
            "followers_": ArraySpec("int32", ("n_pairs",), least=0, below="n_learned", is_optional=True),
            "follower_counts_": ArraySpec("float32", ("n_pairs",), is_optional=True),
            "undirected_": ArraySpec("float32", ("n_learned", "n_learned"), is_optional=True),
            "undirected_weight_": ArraySpec("float32", (1,), is_optional=True),
            "first_times_": ArraySpec("int64", ("n_first",), order="ascending"),
            "first_movies_": ArraySpec("int32", ("n_first",), least=0, below="n_movies"),
            "first_places_": ArraySpec("int32", ("n_first",), least=0),
        }

    def restore(self, state: Arrays) -> Self:
        """Set the fitted arrays as `Recommender.restore` does, also from an earlier version's file.

        A file of version 1.0 has no followers, and its lists stay as they were. An earlier one has no rare movies and
        no undirected weights either, and the embeddings of the learned movies only.
        """
        optional = [name for name, spec in self.array_specs().items() if spec.is_optional]
        missing = [name for name in optional if name not in state]
        if missing and missing not in (list(FOLLOWER_ARRAYS), optional):
            raise ArtifactError(f"the array {missing[0]!r} is missing")
        super().restore(state)
        n_movies = len(self.columns_)
        if missing:
            self.followed_, self.followers_ = np.zeros((2, 0), dtype=np.int32)
            self.follower_counts_ = np.zeros(0, dtype=np.float32)
            self.config = self.config.model_copy(update={"followers": 0.0, "taste_within_second": 0.0})
        if missing == optional:
            self.rare_ = np.zeros(0, dtype=np.int32)
            self.rare_outer_ = np.zeros((3, 0, n_movies), dtype=np.float32)
            self.undirected_ = np.zeros_like(self.completion_)
            self.undirected_weight_ = np.zeros(1, dtype=np.float32)
            of_learned = self.embeddings_
            self.embeddings_ = np.zeros((2, n_movies, self.config.dimensions), dtype=np.float32)
            self.embeddings_[:, self.columns_ >= 0] = of_learned
        _, n_dense, rank = self.inner_.shape
        if (
            self.embeddings_.shape[1] != n_movies
            or self._features.n_dense != n_dense
            or self.rare_outer_.shape[1] > rank
        ):
            raise ArtifactError(
                "the arrays 'embeddings_', 'inner_' or 'rare_outer_' don't have the size of the others"
            )
        return self

    def fit_cost(self, dataset: Dataset) -> FitCost:
        """Estimate the memory and the work of a fit: sums over the interactions, then solutions of square systems."""
        config, n_interactions = self.config, len(dataset.timeline)
        counts = np.bincount(dataset.timeline.movies, minlength=dataset.n_movies)
        n = int(_choose_learned(counts, config.most_movies).sum())
        n_rare, hidden = int(np.count_nonzero(counts)) - n, config.count_hidden(n_interactions)
        n_dense = 4 * config.dimensions + LENGTH_CLASSES + hidden
        size = n + n_dense
        sums = size**2 + 4 * size * n + 5 * n**2 + 3 * n_rare * n_dense
        parts = min(MOST_THREADS, usable_threads()) * 6 * INTERACTIONS_AT_ONCE * n_dense
        return FitCost(
            memory=4 * (sums + parts) + 48 * n_interactions,
            products=n_interactions * (n_dense**2 / 2 + 4 * config.dimensions * hidden)
            + size**2 * (size / 3 + 2 * n)
            + 3 * n**3,
            steps=n_interactions * 10 * n_dense,
            advice="set most_movies or hidden lower",
        )

    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        """Embed the movies, then regress what follows a history, and the rest of its latest basket, on its features.

        Of `training`, only where the interactions are summed up has an effect, and only on the time.

        Raises
        ------
        DataError
            The data set has no interactions.
        """
        timeline = dataset.timeline
        if len(timeline) == 0:
            raise DataError("there are no interactions to learn from")
        self._forget_derived()
        config, random = self.config, np.random.default_rng(self.config.seed)
        counts = np.bincount(timeline.movies, minlength=dataset.n_movies)
        is_learned = _choose_learned(counts, config.most_movies)
        is_rare = (counts > 0) & ~is_learned
        self.columns_, self.rare_ = _number(is_learned), np.flatnonzero(is_rare).astype(np.int32)
        everyone = timeline.as_of(timeline.user_ids, np.full(timeline.n_users, NEVER))
        parts = divide(everyone, INTERACTIONS_PER_PART)
        rare_columns = _number(is_rare)
        run_tasks = None if training is None else training.run_tasks
        self.embeddings_ = embed_movies(
            parts, self.columns_, rare_columns, config.dimensions, random, run_tasks or run_in_threads
        )
        no_directions = np.zeros((4 * config.dimensions + 1, 0), dtype=np.float32)
        tastes = FeatureMap(self.embeddings_, is_learned | is_rare, no_directions)
        hidden = config.count_hidden(len(timeline))
        self.mixing_ = draw_directions(tastes, everyone, hidden, config.covariance_power, random)
        weight = config.undirected * (1000 / max(timeline.n_users, 1000)) ** (1 / 3)
        self.undirected_weight_ = np.array([weight], dtype=np.float32)
        self._solve(RowSums(config, self._features, self.columns_, rare_columns).over(parts, run_tasks))
        self._keep_first_choices(dataset)
        return self

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        """Return the scores of all movies; a movie that nobody rated in training has the lowest score of the others.

        The time from the last interaction to the query decides which weights score it: those for the same second, for
        long gaps, or for any gap.
        """
        scores = self._score_taste(histories, timestamps, np.arange(len(self.columns_)))
        unrated = np.flatnonzero(~self._features.is_known)
        if len(unrated):
            scores[:, unrated] = scores.min(axis=1, keepdims=True)
        scores[histories.lengths == 0] = 0
        short = np.flatnonzero(histories.lengths < self.config.short_history)
        if len(short):
            spread = scores[short].std(axis=1)
            scores[short] += self._score_next_choices(histories[short], timestamps[short], spread)
        return scores

    def score_movies(self, histories: Histories, timestamps: Int64Array, movies: Int64Array) -> Float32Array:
        """Do as the base class, but leave out the other rare movies where their scores don't matter.

        They do for a movie that nobody rated, which gets the lowest of all scores, and for a short history.
        """
        needs_all = histories.lengths < max(1, self.config.short_history)
        if needs_all.any() or not self._features.is_known[movies].all():
            return super().score_movies(histories, timestamps, movies)
        return self._score_taste(histories, timestamps, movies)

    def _score_taste(self, histories: Histories, timestamps: Int64Array, movies: Int64Array) -> Float32Array:
        """Return the scores of some movies that were rated in training by the histories alone."""
        x, z = self._features.of_histories(histories, self.columns_)
        profiles = self._build_profiles(histories)
        gap, nonempty = timestamps.copy(), np.flatnonzero(histories.lengths)
        gap[nonempty] -= histories.timeline.timestamps[histories.stops[nonempty] - 1]
        latest = np.full(len(histories), -1, dtype=np.int32)
        latest[nonempty] = self.columns_[histories.timeline.movies[histories.stops[nonempty] - 1]]
        kind = np.where(
            gap <= 0, SAME_SECOND, np.where(gap > self.config.long_gap_days * DAY, LONG_GAP, ANY_GAP)
        )
        scores = np.empty((len(histories), len(movies)), dtype=np.float32)
        for number in np.unique(kind):
            queries = np.flatnonzero(kind == number)
            if len(queries) == len(histories):  # picking rows of a sparse array takes longer than all else
                self._score_kind(number, x, z, profiles, latest, movies, scores)
            else:
                part = np.empty((len(queries), len(movies)), dtype=np.float32)
                scores[queries] = self._score_kind(
                    number, x[queries], z[queries], profiles[queries], latest[queries], movies, part
                )
        return scores

    def knows(self, histories: Histories) -> BoolArray:
        """Return bool[n_queries]: whether the history has a movie that was rated in training."""
        query, row = histories.rows()
        knows = np.zeros(len(histories), dtype=np.bool_)
        knows[query[self._features.is_known[histories.timeline.movies[row]]]] = True
        return knows

    @cached_property
    def _features(self) -> FeatureMap:
        is_known = self.columns_ >= 0
        is_known[self.rare_] = True
        return FeatureMap(self.embeddings_, is_known, self.mixing_)

    @cached_property
    def _first_choices(self) -> NextChoices:
        return NextChoices.of_events(
            self.first_times_, self.first_movies_, self.first_places_, len(self.columns_)
        )

    def _solve(self, sums: NormalEquations) -> None:
        """Solve the regressions from the sums over their rows, which are overwritten."""
        config, n_learned = self.config, len(sums.completion_gram)
        dense_gram = sums.gram[n_learned:, n_learned:].copy()
        dense_penalty = max(config.dense_regularization, LEAST_PENALTY * float(np.diag(dense_gram).mean()))
        penalty = np.full(len(sums.gram), dense_penalty, dtype=np.float32)
        penalty[:n_learned] = config.regularization
        solution = solve_ridge(sums.gram, sums.target, penalty)
        solutions = solution[:, :n_learned], solution[:, n_learned:]
        self.weights_ = np.stack([weights[:n_learned] for weights in solutions])
        dense = [
            reduce_rank(weights[n_learned:], dense_gram, dense_penalty, config.rank) for weights in solutions
        ]
        self.inner_, self.outer_ = (np.stack(factors) for factors in zip(*dense, strict=True))
        self._solve_rare(sums)
        self.completion_ = solve_ridge(sums.completion_gram, sums.completion_target, penalty[:n_learned])
        self.undirected_ = solve_ease(sums.shared_users)
        sums.followers.sort_indices()
        followers = sums.followers.tocoo()
        self.followed_, self.followers_ = (numbers.astype(np.int32) for numbers in followers.coords)
        self.follower_counts_ = np.log1p(followers.data)

    def _solve_rare(self, sums: NormalEquations) -> None:
        """Solve the regressions of the rare movies on the leading directions of the others' reduced regressions.

        With these directions, the columns of U = `inner_`, and the penalised gram G, U'GU = 1: the solution is U'z'y.
        The rows of the main regression that end within a basket also stand for those of the regression of the rest of a
        basket, of which they are a sample.
        """
        directions = self.inner_[:, :, -RARE_RANK:]
        within = sums.n_rows / max(sums.n_within, 1)
        self.rare_outer_ = np.zeros((3, directions.shape[2], len(self.columns_)), dtype=np.float32)
        for kind, (solution, factor) in enumerate(((0, 1.0), (1, 1.0), (0, within))):
            target = sums.rare_target[kind] @ directions[solution]
            self.rare_outer_[kind][:, self.rare_] = np.float32(factor) * target.T

    def _build_profiles(self, histories: Histories) -> csr_array:
        """Return what the undirected weights score: sparse float32[n, n_learned]."""
        latest, n_learned = histories.last(PROFILE_LENGTH), len(self.undirected_)
        return build_profiles(latest, n_learned, PROFILE_HALF_LIFE, UNLIKED_IN_PROFILE, self.columns_)

    def _score_kind(
        self,
        kind: int,
        x: csr_array,
        z: Float32Array,
        profiles: csr_array,
        latest: Int32Array,
        movies: Int64Array,
        out: Float32Array,
    ) -> Float32Array:
        """Compute some movies' scores for histories with the features x and z in `out`, and return it.

        The kind of the queries chooses the weights. `latest`, int32[n], is the number of the history's last movie among
        the learned ones, -1 for another. `out` is float32[n, len(movies)].
        """
        solution = LONG_GAP if kind == LONG_GAP else ANY_GAP
        factors = z @ self.inner_[solution]
        rare_rank = self.rare_outer_.shape[1]
        rare_outer = self.rare_outer_[kind]
        if len(movies) < rare_outer.shape[1]:
            rare_outer = rare_outer[:, movies]
        np.matmul(factors[:, factors.shape[1] - rare_rank :], rare_outer, out=out)
        if kind == SAME_SECOND:
            learned = x @ self.completion_
            if self.config.taste_within_second:
                _add_scaled(learned, factors @ self.outer_[solution], self.config.taste_within_second)
        else:
            learned = x @ self.weights_[solution]
            learned += factors @ self.outer_[solution]
        _add_scaled(learned, profiles @ self.undirected_, float(self.undirected_weight_[0]))
        if kind == SAME_SECOND and self.config.followers:
            _add_scaled(learned, self._count_followers(latest), self.config.followers)
        columns = self.columns_[movies]
        is_learned = np.flatnonzero(columns >= 0)
        if len(movies) < len(self.columns_):
            learned = learned[:, columns[is_learned]]
        out[:, is_learned] = learned
        return out

    def _count_followers(self, latest: Int32Array) -> Float32Array:
        """Return how often each learned movie followed the given ones, log(1 + count), float32[n, n_learned]."""
        bounds = (np.searchsorted(self.followed_, latest, side=side) for side in ("left", "right"))
        query, pair, _ = list_ranges(*bounds)
        counts = np.zeros((len(latest), len(self.completion_)), dtype=np.float32)
        counts[query, self.followers_[pair]] = self.follower_counts_[pair]
        return counts

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
        scores = self._first_choices.score(histories, timestamps)
        scores -= scores.mean(axis=1, keepdims=True)
        scores *= spread[:, None] / np.maximum(scores.std(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return scores


def _add_scaled(scores: Float32Array, others: Float32Array, weight: float) -> None:
    """Add to scores other ones, float32[n, n_movies] each, in units of their standard deviations over the movies."""
    spread = others.std(axis=1)
    factor = np.divide(weight * scores.std(axis=1), spread, out=spread, where=spread > 0)
    scores += factor[:, None] * others


def _choose_learned(counts: Int64Array, most: int) -> BoolArray:
    """Return bool[n_movies]: the most often rated movies, by the ratings of each movie, int64[n_movies].

    These are at most `most`, and those with FEWEST_RATINGS, but at least FEWEST_LEARNED movies.
    """
    enough = max(FEWEST_LEARNED, np.count_nonzero(counts >= FEWEST_RATINGS))
    n_learned = min(most, enough, np.count_nonzero(counts))
    is_learned = np.zeros(len(counts), dtype=np.bool_)
    is_learned[np.argsort(-counts, kind="stable")[:n_learned]] = True
    return is_learned


def _number(is_chosen: BoolArray) -> Int32Array:
    """Number the chosen movies in catalog order; int32[n_movies], -1 for all others."""
    return np.where(is_chosen, np.cumsum(is_chosen) - 1, -1).astype(np.int32)
