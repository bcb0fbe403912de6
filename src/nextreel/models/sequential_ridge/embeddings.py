"""Movie embeddings: two unit vectors for each movie, from which users and which baskets movies have in common.

The eigenvectors of co-occurrences are computed for the learned movies, those with enough ratings. The rare movies get
their Nyström extension (Williams & Seeger, "Using the Nyström Method to Speed Up Kernel Machines", NIPS 2000): the sum
of their neighbours' vectors, weighted by the co-occurrences and scaled by the eigenvalues, which is what an eigenvector
is made of, too.
"""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array, vstack

from nextreel.arrays import Float32Array, Float64Array, Int32Array
from nextreel.data.timeline import Histories
from nextreel.models.sequential_ridge.baskets import (
    BASKET_DECAY,
    BasketSequences,
    decay_matrix,
    group_events,
    select_movies,
)
from nextreel.models.sequential_ridge.low_rank import Multiply, leading_eigenvectors, unit_rows
from nextreel.parallel import map_in_threads
from nextreel.tasks import RunTasks, results_in_order, run_in_threads

SHRINKAGE = 20.0
"""Added to each movie's count when co-occurrences are normalised. Without it, pairs of rare movies would dominate the
embeddings; with a large value, popularity would."""
VECTORS_AT_ONCE = 32
"""About how many vectors one thread multiplies by the users that movies have in common."""
MIN_EIGENVALUE = 1e-9
"""Smallest eigenvalue, relative to the largest, that an embedding is made from; smaller ones are rounding errors."""


def embed_movies(
    parts: Sequence[Histories],
    learned: Int32Array,
    rare: Int32Array,
    dimensions: int,
    random: np.random.Generator,
    run_tasks: RunTasks = run_in_threads,
) -> Float32Array:
    """Return two embeddings of each movie, float32[2, n_movies, dimensions], as unit vectors.

    The first comes from which users two movies have in common; each user is a vector of length 1, so that users with
    many interactions don't dominate. The second comes from how often two movies are in the same basket or in baskets
    close to each other. Movies that have the same neighbours get similar vectors.

    Parameters
    ----------
    parts : sequence of Histories
        The whole histories of all users, in parts.
    learned, rare : int32[n_movies] each
        Number of each movie among the learned movies, and among the rare ones; -1 for the others, which get zeros.
    dimensions : int
        Length of an embedding.
    random : np.random.Generator
        Draws the subspaces that the search for eigenvectors starts from.
    run_tasks : RunTasks
        Where the interactions of a part are counted.
    """
    n_learned = int(learned.max()) + 1
    users, rare_users, nearby = [], [], np.zeros((n_learned, n_learned))
    counted = run_tasks(_count_part, (parts, learned, rare), range(len(parts)))
    for of_part, rare_of_part, nearby_in_part in results_in_order(counted):
        users.append(of_part)
        rare_users.append(rare_of_part)
        nearby += nearby_in_part.toarray()
    by_user, rare_by_user = vstack(users, format="csr"), vstack(rare_users, format="csr")
    nearby += nearby.T.copy()
    counts = np.bincount(by_user.indices, minlength=n_learned).astype(np.float64)

    embeddings = np.zeros((2, len(learned), dimensions), dtype=np.float32)
    is_learned, is_rare = learned >= 0, rare >= 0
    vectors, extension = _leading_directions(
        lambda v: _multiply_shared(by_user, v), counts, dimensions, random
    )
    width = vectors.shape[1]
    embeddings[0, is_learned, :width] = unit_rows(vectors)
    embeddings[0, is_rare, :width] = unit_rows(rare_by_user.T @ (by_user @ extension))
    vectors, extension = _leading_directions(lambda v: nearby @ v, np.diag(nearby), dimensions, random)
    embeddings[1, is_learned, :width] = unit_rows(vectors)
    embeddings[1, is_rare, :width] = unit_rows(_sum_nearby(parts, learned, rare, extension, run_tasks))
    return embeddings


def _count_part(
    shared: tuple[Sequence[Histories], Int32Array, Int32Array], number: int
) -> tuple[csr_array, csr_array, csr_array]:
    """Return the vectors of a part's users, over the learned and over the rare movies, and what is close in baskets."""
    parts, learned, rare = shared
    sequences = BasketSequences.of(parts[number])
    baskets = _basket_vectors(sequences, learned)
    decayed = decay_matrix(sequences.basket_users, BASKET_DECAY) @ baskets
    of_users = (_user_vectors(sequences, columns) for columns in (learned, rare))
    return *of_users, decayed.T @ baskets


def _multiply_shared(by_user: csr_array, vectors: Float64Array) -> Float64Array:
    """Return what the users that movies have in common make of vectors, several of which are computed at once."""
    blocks = np.array_split(vectors, max(1, vectors.shape[1] // VECTORS_AT_ONCE), axis=1)
    products = map_in_threads(lambda v: by_user.T @ (by_user @ np.ascontiguousarray(v)), blocks)
    return np.concatenate(list(products), axis=1)


def _user_vectors(sequences: BasketSequences, columns: Int32Array) -> csr_array:
    """Return sparse float64[n_users, n_columns]: the users' events as vectors that have length 1 over all movies."""
    n_events = np.bincount(sequences.users)
    users = csr_array(
        (
            1 / np.sqrt(n_events[sequences.users]),
            np.arange(len(sequences.users)),
            np.append(0, np.cumsum(n_events)),
        )
    )
    return users @ select_movies(sequences.movies, columns)


def _basket_vectors(sequences: BasketSequences, columns: Int32Array) -> csr_array:
    """Return sparse float32[n_baskets, n_columns]: 1 where the basket holds the movie."""
    return group_events(sequences.baskets) @ select_movies(sequences.movies, columns)


def _leading_directions(
    cooccurrences: Multiply, counts: Float64Array, dimensions: int, random: np.random.Generator
) -> tuple[Float64Array, Float64Array]:
    """Return the movies' vectors, float64[n_movies, k], from the leading eigenvectors of their co-occurrences.

    The co-occurrences of two movies are first divided by the square roots of both movies' counts plus SHRINKAGE.
    The second result, float64[n_movies, k], times the co-occurrences of any movie with these is a multiple of that
    movie's vector. k is `dimensions`, but at most n_movies.
    """
    scale = 1 / np.sqrt(counts + SHRINKAGE)
    values, vectors = leading_eigenvectors(
        lambda v: scale[:, None] * cooccurrences(scale[:, None] * v), len(counts), dimensions, random
    )
    roots = np.sqrt(np.maximum(values, 0))
    inverse = np.where(values > MIN_EIGENVALUE * values[-1], 1 / np.maximum(roots, np.finfo(float).tiny), 0)
    return vectors * roots, scale[:, None] * vectors * inverse


def _sum_nearby(
    parts: Sequence[Histories],
    learned: Int32Array,
    rare: Int32Array,
    vectors: Float64Array,
    run_tasks: RunTasks,
) -> Float64Array:
    """Return the vectors of the learned movies in the same or close baskets, summed up for each rare movie.

    `vectors` is float64[n_learned, k], the result float64[n_rare, k].
    """
    total = np.zeros((int(rare.max()) + 1, vectors.shape[1]))
    if len(total):
        shared = parts, learned, rare, vectors
        for sums in results_in_order(run_tasks(_sum_nearby_in_part, shared, range(len(parts)))):
            total += sums
    return total


def _sum_nearby_in_part(
    shared: tuple[Sequence[Histories], Int32Array, Int32Array, Float64Array], number: int
) -> Float64Array:
    parts, learned, rare, vectors = shared
    sequences = BasketSequences.of(parts[number])
    rare_baskets = _basket_vectors(sequences, rare)
    with_rare = np.flatnonzero(np.diff(rare_baskets.indptr))
    decay = decay_matrix(sequences.basket_users, BASKET_DECAY)
    near = (decay + decay.T).tocsr()[with_rare] @ _basket_vectors(sequences, learned)
    sums: Float64Array = rare_baskets[with_rare].T @ (near @ vectors)
    return sums
