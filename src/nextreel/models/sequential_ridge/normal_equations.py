"""The normal equations of the regressions: sums over the rows, which are the histories of all users as they grow.

With x, z and y matrices of one line per row, as in the package's formulas, they are products such as x'x and z'y. x and
y are products themselves: of a banded matrix, which says on which events a row looks back, or forward, and with which
weights, and of the matrix that has a single 1 for each event, at its movie. Hence x'z is the sum, by movie, of what the
banded matrix makes of z. That is quick, since a row and its events are close to each other in memory, and a movie is
visited once for each of its events instead of once for each row that looks at it.

The users are summed up in parts, several at once in threads or on a cluster. The parts don't depend on where they are
summed up and are added in their order, so the result doesn't either.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

import numpy as np
from scipy.sparse import csr_array, diags_array, vstack

from nextreel.arrays import Float32Array, Int32Array, Int64Array, starts_run
from nextreel.data.timeline import Histories
from nextreel.data.times import DAY
from nextreel.keyed_random import uniform
from nextreel.models.sequential_ridge.baskets import (
    BasketSequences,
    group_events,
    keep_entries,
    latest_baskets,
    list_ranges,
    select_movies,
)
from nextreel.models.sequential_ridge.features import FeatureMap
from nextreel.models.sequential_ridge.hyperparameters import SequentialRidgeConfig
from nextreel.tasks import RunTasks, results_in_order, run_in_threads

INTERACTIONS_PER_PART = 262_144
"""About how many interactions a thread sums up before it adds the sums to those of all users, which takes passes over
matrices of the size of the result."""
INTERACTIONS_AT_ONCE = 16_384
"""About how many interactions of a part have their dense features in memory at once."""
LATEST_INTERACTIONS = 1000
"""Number of each user's latest interactions in which shared movies are counted, which bounds the time that users with
extremely many take."""
MOST_THREADS = 4
"""Highest number of parts that are summed up at once in this process, which bounds the memory."""


@dataclass
class NormalEquations:
    """Sums over the rows of all users."""

    gram: Float32Array
    """float32[n_learned + n_dense, n_learned + n_dense]: [x z]'[x z], of which only the lower triangle is filled."""
    target: Float32Array
    """float32[n_learned + n_dense, 2 n_learned]: [x z]'[y, y beyond a long gap], both for the learned movies."""
    rare_target: Float32Array
    """float32[3, n_rare, n_dense]: y'z for the rare movies, with y all targets, those beyond a long gap, and those in
    the second of the row's last event."""
    completion_gram: Float32Array
    """float32[n_learned, n_learned]: x'x over the rows that end within a basket."""
    completion_target: Float32Array
    """float32[n_learned, n_learned]: x'y over these rows, with y the targets in the second of the row's last event."""
    followers: csr_array
    """Sparse float32[n_learned, n_learned]: how often the second movie directly followed the first one within a basket,
    in the order of the data; less for one that wasn't liked."""
    shared_users: Float32Array
    """float32[n_learned, n_learned]: the number of users who rated both movies, among their latest interactions."""
    n_rows: int = 0
    """Number of rows that `gram` is a sum over."""
    n_within: int = 0
    """Number of these that end within a basket."""

    def add(self, part: "_PartSums") -> None:
        """Add the sums over some users."""
        n_learned = len(self.completion_gram)
        x, y, y_beyond = (vstack(matrices) for matrices in zip(*part.following, strict=True))
        self.gram[:n_learned, :n_learned] += (x.T @ x).toarray(order="F")
        self.gram[n_learned:, :n_learned] += part.xz.T
        self.gram[n_learned:, n_learned:] += part.zz
        self.target[:n_learned, :n_learned] += (x.T @ y).toarray(order="F")
        self.target[:n_learned, n_learned:] += (x.T @ y_beyond).toarray(order="F")
        self.target[n_learned:, :n_learned] += part.yz.T
        self.target[n_learned:, n_learned:] += part.yz_beyond.T
        for kind, movies, sums in part.rare:
            self.rare_target[kind, movies] += sums
        x, y = (vstack(matrices) for matrices in zip(*part.completion, strict=True))
        self.completion_gram += (x.T @ x).toarray(order="F")
        self.completion_target += (x.T @ y).toarray(order="F")
        self.followers = self.followers + sum(part.followers[1:], start=part.followers[0])
        self.shared_users += (part.users.T @ part.users).toarray(order="F")
        self.n_rows += part.n_rows
        self.n_within += part.n_within


@dataclass(frozen=True)
class RowSums:
    """Sums up the normal equations of the histories of users."""

    config: SequentialRidgeConfig
    features: FeatureMap
    learned: Int32Array
    """int32[n_movies]: number of each movie among the learned ones, -1 for the others."""
    rare: Int32Array
    """int32[n_movies]: number of each movie among the rare ones, -1 for the others."""

    def over(self, parts: Sequence[Histories], run_tasks: RunTasks | None = None) -> NormalEquations:
        """Return the sums over all users, whose whole histories are given in parts.

        `run_tasks` says where parts are summed up, by default in threads of this process.
        """
        n_learned, n_rare = (int(numbers.max()) + 1 for numbers in (self.learned, self.rare))
        size = n_learned + self.features.n_dense

        def zeros(*shape: int) -> Float32Array:
            return np.zeros(shape, dtype=np.float32, order="F")

        total = NormalEquations(
            gram=zeros(size, size),
            target=zeros(size, 2 * n_learned),
            rare_target=np.zeros((3, n_rare, self.features.n_dense), dtype=np.float32),
            completion_gram=zeros(n_learned, n_learned),
            completion_target=zeros(n_learned, n_learned),
            followers=csr_array((n_learned, n_learned), dtype=np.float32),
            shared_users=zeros(n_learned, n_learned),
        )
        run_tasks = run_tasks or partial(run_in_threads, most_threads=MOST_THREADS)
        for sums in results_in_order(run_tasks(_sum_part, (self, parts), range(len(parts)))):
            total.add(sums)
        return total

    def sum_part(self, part: Histories) -> "_PartSums":
        """Return the sums over the users of one part."""
        n_learned, n_dense = int(self.learned.max()) + 1, self.features.n_dense
        latest = BasketSequences.of(part.last(LATEST_INTERACTIONS))
        sums = _PartSums(
            users=group_events(latest.users) @ select_movies(latest.movies, self.learned),
            zz=np.zeros((n_dense, n_dense), dtype=np.float32),
            xz=np.zeros((n_learned, n_dense), dtype=np.float32),
            yz=np.zeros((n_learned, n_dense), dtype=np.float32),
            yz_beyond=np.zeros((n_learned, n_dense), dtype=np.float32),
        )
        for histories in divide(part, INTERACTIONS_AT_ONCE):
            sequences = BasketSequences.of(histories)
            learned = select_movies(sequences.movies, self.learned)
            self._add_following(sums, sequences, learned)
            self._add_completion(sums, sequences, learned)
        return sums

    def _add_following(self, sums: "_PartSums", sequences: BasketSequences, learned: csr_array) -> None:
        config = self.config
        ends_basket = np.append(np.diff(sequences.baskets) != 0, True)
        draws = uniform(config.seed, "within a second", sequences.user_ids, sequences.places)
        rows = np.flatnonzero(ends_basket | (draws < config.within_second))
        z = self.features.of_rows(sequences, rows)
        history = latest_baskets(sequences, rows)
        following, gaps = self._look_ahead(sequences, rows)
        beyond = keep_entries(following, gaps > config.long_gap_days * DAY)
        same_second = keep_entries(following, gaps == 0)
        sums.following.append((history @ learned, following @ learned, beyond @ learned))
        sums.zz += z.T @ z
        sums.xz += learned.T @ (history.T @ z)
        sums.yz += learned.T @ (following.T @ z)
        events, products = _multiply_nonempty(beyond, z)
        sums.yz_beyond += learned[events].T @ products
        rare = self.rare[sequences.movies]
        is_rare = np.flatnonzero(rare >= 0)
        for kind, weights in enumerate((following, beyond, same_second)):
            events, products = _multiply_nonempty(weights[:, is_rare], z)
            sums.rare.append((kind, *_sum_equal(rare[is_rare[events]], products)))
        sums.n_rows += len(rows)
        sums.n_within += int((~ends_basket[rows]).sum())

    def _add_completion(self, sums: "_PartSums", sequences: BasketSequences, learned: csr_array) -> None:
        rows = np.flatnonzero(np.diff(sequences.baskets) == 0)
        following, gaps = self._look_ahead(sequences, rows)
        history = latest_baskets(sequences, rows)
        sums.completion.append((history @ learned, keep_entries(following, gaps == 0) @ learned))
        weights = np.where(sequences.liked[rows + 1], 1, self.config.unliked_weight).astype(np.float32)
        sums.followers.append(learned[rows].T @ (diags_array(weights) @ learned[rows + 1]))

    def _look_ahead(self, sequences: BasketSequences, rows: Int64Array) -> tuple[csr_array, Int64Array]:
        """Return the weights of the events that follow each row, and how long after the row they are.

        A row is the history that ends with an event of `rows`.

        Returns
        -------
        following : sparse float32[n_rows, n_events]
        gaps : int64[n_entries]
            Seconds from the last event of the row to the event, for each entry of `following`.
        """
        users, timestamps, n_events = sequences.users, sequences.timestamps, len(sequences.users)
        stops = np.minimum(rows + 1 + self.config.horizon, np.searchsorted(users, users[rows], side="right"))
        row, event, bounds = list_ranges(rows + 1, stops)
        weights = np.where(sequences.liked[event], 1, self.config.unliked_weight)
        weights = weights * self.config.target_decay ** (event - rows[row] - 1)
        following = csr_array((weights.astype(np.float32), event, bounds), shape=(len(rows), n_events))
        return following, timestamps[event] - timestamps[rows[row]]


@dataclass
class _PartSums:
    """Sums over the rows of some users, as in NormalEquations, and the sparse matrices to multiply."""

    users: csr_array
    """Sparse float32[n_users, n_learned]: 1 where the movie is among the user's latest interactions."""
    zz: Float32Array
    xz: Float32Array
    yz: Float32Array
    yz_beyond: Float32Array
    rare: list[tuple[int, Int32Array, Float32Array]] = field(default_factory=list)
    """Kind of target, rare movies, and y'z of these movies."""
    following: list[tuple[csr_array, csr_array, csr_array]] = field(default_factory=list)
    """x, y and y beyond a long gap of some rows, for the learned movies."""
    completion: list[tuple[csr_array, csr_array]] = field(default_factory=list)
    """x and y of some rows that end within a basket."""
    followers: list[csr_array] = field(default_factory=list)
    """`NormalEquations.followers` of some rows each."""
    n_rows: int = 0
    n_within: int = 0


def _sum_part(shared: tuple[RowSums, Sequence[Histories]], number: int) -> _PartSums:
    sums, parts = shared
    return sums.sum_part(parts[number])


def divide(histories: Histories, interactions: int) -> list[Histories]:
    """Divide users into parts with about this many interactions each."""
    part = np.cumsum(histories.lengths) // interactions
    bounds = np.append(np.flatnonzero(starts_run(part)), len(part))
    return [histories[start:stop] for start, stop in pairwise(bounds)]


def _multiply_nonempty(weights: csr_array, z: Float32Array) -> tuple[Int64Array, Float32Array]:
    """Return the columns of `weights` that have entries, and their products with z: float32[n_nonempty, n_dense]."""
    by_event = weights.T.tocsr()
    nonempty = np.flatnonzero(np.diff(by_event.indptr))
    return nonempty, by_event[nonempty] @ z


def _sum_equal(keys: Int32Array, values: Float32Array) -> tuple[Int32Array, Float32Array]:
    """Return the different keys and the sum of the lines of `values` with each."""
    different, number = np.unique(keys, return_inverse=True)
    ones = np.ones(len(keys), dtype=np.float32)
    groups = csr_array((ones, (number, np.arange(len(keys)))), shape=(len(different), len(keys)))
    sums: Float32Array = groups @ values
    return different, sums
