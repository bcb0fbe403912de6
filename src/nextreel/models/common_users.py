"""How many users each two movies have in common, counted exactly for a few movies at a time.

Users with long histories decide the time: it is proportional to the sum of the squared lengths of all histories. The
memory isn't, since only a block of the product of the two sparse matrices exists at a time.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from scipy.sparse import csr_array

PAIRS_AT_ONCE = 4_000_000
"""Number of pairs of movies that a thread counts at once; bounds the memory."""


def visit_common_users(by_user: csr_array, visit: Callable[[int, csr_array], None]) -> None:
    """Count the users that movies have in common, and call `visit` with the counts of a few movies after another.

    Blocks of movies are counted on as many threads as there are cores, or as the environment variable OMP_NUM_THREADS
    allows. `visit` is called by these threads, in any order.

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
    n_threads = int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1))

    def count(first: int) -> None:
        visit(first, by_movie[first : first + n_block] @ by_user)

    with ThreadPoolExecutor(n_threads) as pool:
        for _ in pool.map(count, range(0, n_movies, n_block)):
            pass  # Only to raise what a thread raised.
