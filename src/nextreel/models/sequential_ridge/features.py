"""The features of a history: x, the movies of its latest baskets, and z, the taste of its user and its length.

They are computed in two ways with the same result: for the histories of queries, each by itself, and for the rows of
the regression, where the histories of a user's rows grow by one interaction at a time and share most of the work.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from nextreel.arrays import BoolArray, Float32Array, Int32Array, Int64Array
from nextreel.data.timeline import Histories
from nextreel.models.sequential_ridge.baskets import (
    BASKET_DECAY,
    MIN_WEIGHT,
    BasketSequences,
    decay_matrix,
    group_events,
    running_sum,
    starts_basket,
)
from nextreel.models.sequential_ridge.low_rank import unit_rows

SLOW_DECAY, FAST_DECAY = 0.8, 0.4
"""Weights of a basket relative to the user's next one in the two decaying sums of embeddings that describe a taste: the
slow sum covers about the ten latest baskets, the fast one little more than the latest two."""
LARGEST_SPARSITY = 2
"""Number of cells for each entry up to which a matrix of histories and their movies is multiplied as a dense one, which
takes a tenth of the time; the variants of one history that explain a recommendation nearly fill such a matrix."""
LENGTH_CLASSES = 12
"""Number of classes of history length: 1, 2 to 3, 4 to 7, and so on; the last begins at 2048 interactions."""


@dataclass(frozen=True)
class FeatureMap:
    """Computes the features of histories: x, the latest baskets' movies, and z, the user's taste and the length."""

    embeddings: Float32Array
    """float32[2, n_movies, dimensions]: two unit vectors for each movie, the first made from which users movies have
    in common, the second from which movies are rated close to each other."""
    is_known: BoolArray
    """bool[n_movies]: whether the movie has embeddings; others are left out of a history."""
    mixing: Float32Array
    """float32[4 * dimensions + 1, hidden]: H, the fixed random matrix in the package's formulas; its last row is a
    constant added for each history."""

    @property
    def n_dense(self) -> int:
        """Number of dense features of a history (z in the package's formulas)."""
        n_inputs, hidden = self.mixing.shape
        return int(n_inputs - 1 + LENGTH_CLASSES + hidden)

    def of_histories(self, histories: Histories, columns: Int32Array) -> tuple[csr_array, Float32Array]:
        """Return the features x and z of each history: sparse float32[n, n_columns], and float32[n, n_dense].

        Parameters
        ----------
        histories : Histories
        columns : int32[n_movies]
            Column of each movie in x, numbered from 0; movies with -1 have none.
        """
        timeline = histories.timeline
        query, row = histories.rows()
        known = self.is_known[timeline.movies[row]]
        query, row = query[known], row[known]
        movie = timeline.movies[row]
        bounds = np.searchsorted(query, np.arange(len(histories) + 1))
        basket: Int64Array = np.cumsum(starts_basket(query, timeline.timestamps[row]))
        age = (basket[bounds[query + 1] - 1] - basket).astype(
            np.float32
        )  # 0 in the latest basket, then 1, 2, ...

        def sum_movies(weights: Float32Array, column: Int32Array, n_columns: int) -> csr_array:
            kept = (weights >= MIN_WEIGHT) & (column >= 0)
            kept_bounds = np.append(0, np.cumsum(kept))[bounds]
            return csr_array((weights[kept], column[kept], kept_bounds), shape=(len(histories), n_columns))

        by_user, by_basket = self.embeddings
        cells, distinct = _find_cells(query, movie, len(histories))
        if len(distinct):
            by_user, by_basket = by_user[distinct], by_basket[distinct]

        def weigh(weights: Float32Array) -> csr_array | Float32Array:
            """Return the weights as a matrix of histories and movies, or of histories and `distinct` movies."""
            if not len(distinct):
                return sum_movies(weights, movie, len(self.is_known))
            dense = np.zeros((len(histories), len(distinct)), dtype=np.float32)
            dense.reshape(-1)[cells] = np.where(weights >= MIN_WEIGHT, weights, 0)
            return dense

        liked = timeline.is_positive(row)
        z = self._combine(
            weigh(np.ones_like(age)) @ by_user,
            weigh(liked.astype(np.float32)) @ by_user,
            weigh(SLOW_DECAY**age) @ by_basket,
            weigh(FAST_DECAY**age) @ by_basket,
            np.diff(bounds),
        )
        return sum_movies(BASKET_DECAY**age, columns[movie], int(columns.max(initial=-1)) + 1), z

    def of_rows(self, sequences: BasketSequences, rows: Int64Array) -> Float32Array:
        """Return the dense features z, as `of_histories` does, of the history that ends with each event in `rows`.

        Decaying sums are computed once for each whole basket; what comes after the given event in its basket is then
        subtracted.
        """
        by_user, by_basket = (embeddings[sequences.movies] for embeddings in self.embeddings)
        users, baskets = sequences.users, sequences.baskets
        basket_sums = group_events(baskets) @ by_basket
        later = basket_sums[baskets[rows]] - running_sum(baskets, by_basket, rows)

        def decayed_sum(decay: float) -> Float32Array:
            whole_baskets = decay_matrix(sequences.basket_users, decay) @ basket_sums
            sums: Float32Array = whole_baskets[baskets[rows]] - later
            return sums

        is_liked = sequences.liked[:, None].astype(np.float32)
        liked = running_sum(users, by_user * is_liked, rows)
        # Where nothing was liked yet, rounding errors are left, which scaling to length 1 would make a taste.
        liked *= running_sum(users, is_liked, rows) > 0
        return self._combine(
            running_sum(users, by_user, rows),
            liked,
            decayed_sum(SLOW_DECAY),
            decayed_sum(FAST_DECAY),
            sequences.places[rows] + 1,
        )

    def _combine(
        self,
        rated: Float32Array,
        liked: Float32Array,
        slow: Float32Array,
        fast: Float32Array,
        lengths: Int64Array,
    ) -> Float32Array:
        """Return z, the dense features of histories, float32[n, n_dense].

        Parameters
        ----------
        rated, liked, slow, fast : float32[n, dimensions]
            Sums of embeddings over the history, over its liked part, and over its latest baskets with either decay.
        lengths : int64[n]
            Number of interactions in the history.
        """
        n_taste, (n, dimensions) = len(self.mixing) - 1, rated.shape
        z = np.zeros((n, self.n_dense), dtype=np.float32)
        sums = np.concatenate([rated, liked, slow, fast], axis=1)
        taste = z[:, :n_taste] = unit_rows(sums.reshape(-1, dimensions)).reshape(n, n_taste)
        classes = np.minimum(np.log2(np.maximum(lengths, 1)).astype(np.int64), LENGTH_CLASSES - 1)
        z[np.arange(n), n_taste + classes] = 1
        random_features = taste @ self.mixing[:-1]
        random_features += self.mixing[-1]
        np.maximum(random_features, 0, out=z[:, n_taste + LENGTH_CLASSES :])
        return z


def _find_cells(query: Int64Array, movie: Int32Array, n_queries: int) -> tuple[Int64Array, Int32Array]:
    """Return where the movies of histories stand in a dense matrix, if they would fill much of it.

    Parameters
    ----------
    query, movie : int64[n_rows] and int32[n_rows]
        The history of each row, ascending, and its movie.
    n_queries : int
        Number of histories.

    Returns
    -------
    cells : int64[n_rows]
        Position of each row in the flat matrix [n_queries, n_distinct].
    distinct : int32[n_distinct]
        The movies, ascending, or those of a single history in its order; none if the matrix would be too sparse (see
        LARGEST_SPARSITY).
    """
    if n_queries == 1:  # sorting the movies of one history takes longer than a sum over all of its rows
        return np.arange(len(movie)), movie
    nothing = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int32)
    # The longest history alone has as many distinct movies: few batches get further than this.
    if not len(movie) or n_queries * int(np.bincount(query).max()) > LARGEST_SPARSITY * len(movie):
        return nothing
    distinct, number = np.unique(movie, return_inverse=True)
    if n_queries * len(distinct) > LARGEST_SPARSITY * len(movie):
        return nothing
    return query * len(distinct) + number, distinct
