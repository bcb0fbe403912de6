"""How many users each two movies have in common, counted exactly for a few movies at a time.

Users with long histories decide the time: it is proportional to the sum of the squared lengths of all histories. The
memory isn't, since only a few blocks of the product of the two sparse matrices exist at a time.
"""

from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_array

from nextreel.data.dataset import Dataset
from nextreel.machine import usable_threads
from nextreel.parallel import map_in_threads

PAIRS_AT_ONCE = 4_000_000
"""Number of pairs of movies that a thread counts at once; bounds the memory."""
MATRIX_BYTES = 48
"""Memory for each interaction while the binary user-movie matrix and its transpose are built."""
STEPS_PER_PAIR, STEPS_PER_MOVIE = 1.6, 4000.0
"""Steps of a FitCost for each pair of interactions of one user, and for each movie."""


def visit_common_users(by_user: csr_array, visit: Callable[[int, csr_array], None]) -> None:
    """Count the users that movies have in common, and call `visit` with the counts of a few movies after another.

    The threads that count also call `visit`, in any order.

    Parameters
    ----------
    by_user : sparse float32[n_users, n_movies]
        The binary user-movie matrix.
    visit : Callable[[int, sparse float32[n_block, n_movies]], None]
        Gets the index of the block's first movie, and how many users each of its movies has in common with every movie
        of the catalog; the columns of a row aren't sorted.
    """
    by_movie = by_user.T.tocsr()
    n_movies = by_movie.shape[0]
    n_block = max(1, PAIRS_AT_ONCE // max(1, n_movies))

    def count(first: int) -> None:
        visit(first, by_movie[first : first + n_block] @ by_user)

    for _ in map_in_threads(count, range(0, n_movies, n_block)):
        pass  # Only to raise what a thread raised.


def counting_steps(dataset: Dataset) -> float:
    """Return the steps, as a FitCost has them, of counting the users that all movies of a data set have in common."""
    lengths = np.diff(dataset.timeline.offsets).astype(np.float64)
    steps = STEPS_PER_PAIR * float(lengths @ lengths) + STEPS_PER_MOVIE * dataset.n_movies
    return steps / usable_threads()
