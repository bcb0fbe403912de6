"""How many users each two movies have in common, counted exactly for a few movies at a time.

Users with long histories decide the time: it is proportional to the sum of the squared lengths of all histories. The
memory isn't, since only a few blocks of the product of the two sparse matrices exist at a time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from scipy.sparse import csr_array

from nextreel.data.dataset import Dataset
from nextreel.machine import usable_threads
from nextreel.models.training.epochs import Training
from nextreel.tasks import run_in_threads

Context = TypeVar("Context")
Result = TypeVar("Result")

PAIRS_AT_ONCE = 4_000_000
"""Number of pairs of movies that a thread counts at once; bounds the memory."""
MATRIX_BYTES = 48
"""Memory for each interaction while the binary user-movie matrix and its transpose are built."""
STEPS_PER_PAIR, STEPS_PER_MOVIE = 1.6, 4000.0
"""Steps of a FitCost for each pair of interactions of one user, and for each movie."""


def map_common_users(
    by_user: csr_array,
    compute: Callable[[Context, int, csr_array], Result],
    context: Context,
    training: Training | None = None,
) -> Iterator[tuple[slice, Result]]:
    """Count the users that movies have in common, for blocks of movies, and yield what is computed of the counts.

    A block's counts are those of all users. So nothing has to be added up, the numbers are the same wherever blocks are
    computed, and no more than a few blocks exist at a time. To divide the users instead would take a matrix of all
    pairs of movies for each part of them.

    Parameters
    ----------
    by_user : sparse float32[n_users, n_movies]
        The binary user-movie matrix.
    compute : Callable[[Context, int, sparse float32[n_block, n_movies]], Result]
        A function of a module. It gets the context, the index of the block's first movie, and how many users each of
        its movies has in common with every movie of the catalog; the columns of a row aren't sorted.
    context : object
        What all blocks share.
    training : Training, optional
        Says where blocks are computed, by default in threads of this process.

    Yields
    ------
    slice, Result
        The movies of a block and what was computed for them, in any order of the blocks.
    """
    by_movie = by_user.T.tocsr()
    n_block = max(1, PAIRS_AT_ONCE // max(1, by_movie.shape[0]))
    counting = _Counting(by_user, by_movie, n_block, compute, context)
    run_tasks = (training and training.run_tasks) or run_in_threads
    for first, result in run_tasks(_compute_block, counting, range(0, by_movie.shape[0], n_block)):
        yield slice(first, first + n_block), result


@dataclass(frozen=True)
class _Counting:
    by_user: csr_array
    by_movie: csr_array
    n_block: int
    compute: Callable[[Any, int, csr_array], Any]
    context: Any


def _compute_block(counting: _Counting, first: int) -> Any:
    common_users = counting.by_movie[first : first + counting.n_block] @ counting.by_user
    return counting.compute(counting.context, first, common_users)


def counting_steps(dataset: Dataset) -> float:
    """Return the steps, as a FitCost has them, of counting the users that all movies of a data set have in common."""
    lengths = np.diff(dataset.timeline.offsets).astype(np.float64)
    steps = STEPS_PER_PAIR * float(lengths @ lengths) + STEPS_PER_MOVIE * dataset.n_movies
    return steps / usable_threads()
