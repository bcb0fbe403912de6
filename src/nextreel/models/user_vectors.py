"""Users as sparse vectors over the movies, the input of the linear models.

A movie's entry in a user's vector is the weight of that interaction: 1 for the latest, halved with every `half_life`
interactions that came after it (a time-decaying profile after Ding & Li, "Time Weight Collaborative Filtering",
CIKM 2005, with positions in place of days).
"""

from typing import Annotated

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array, get_index_dtype

from nextreel.arrays import Int32Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import NEVER, Histories
from nextreel.options import Range

# A half-life of one interaction is close to the latest movie alone, one of a hundred close to equal weights.
HalfLife = Annotated[float | None, Field(gt=0), Range(1.0, 100.0, log=True)]
"""Type of the option `half_life`, the number of interactions after which the weight of one in a user's vector halves;
None gives all the same weight."""
# From next to nothing to the weight of a liked movie.
UnlikedWeight = Annotated[float, Field(gt=0, le=1), Range(0.05, 1.0)]
"""Type of the option `unliked_weight`, the weight of a movie that the user didn't like, relative to a liked one."""
HALVINGS_KEPT = 24
"""Age in half-lives beyond which an interaction is left out of a user's vector: float32 can't add its weight to a
weight of 1."""


def build_profiles(
    histories: Histories,
    n_columns: int,
    half_life: float | None = None,
    unliked_weight: float = 1.0,
    columns: Int32Array | None = None,
) -> csr_array:
    """Build a vector over the movies from each history, with the weights of its interactions as entries.

    Parameters
    ----------
    half_life : float | None
        Number of interactions after which a weight halves; None gives all interactions the same weight.
    unliked_weight : float
        Factor on the weight of an interaction that isn't a positive.
    columns : int32[n_movies] | None
        Column of each movie; movies with -1 have none. None gives each movie its index.

    Returns
    -------
    Sparse float32[n_queries, n_columns]; the entries of a row stand in order of time, oldest first.
    """
    query, row = histories.rows()
    weights = np.where(histories.timeline.is_positive(row), 1.0, unliked_weight)
    if half_life is not None:
        stops = np.cumsum(np.bincount(query, minlength=len(histories)))
        age = stops[query] - 1 - np.arange(len(query))
        recent = age <= HALVINGS_KEPT * half_life
        query, row, weights = query[recent], row[recent], weights[recent] * np.exp2(-age[recent] / half_life)
    column = histories.timeline.movies[row]
    if columns is not None:
        column = columns[column]
        kept = column >= 0
        query, column, weights = query[kept], column[kept], weights[kept]
    stops = np.cumsum(np.bincount(query, minlength=len(histories)))
    # Without wide numbers, scipy neither copies the movies nor, in a product, the other factor.
    bounds = np.concatenate([[0], stops]).astype(get_index_dtype(maxval=len(column)))
    return csr_array((weights.astype(np.float32), column, bounds), shape=(len(histories), n_columns))


def build_interaction_matrix(dataset: Dataset) -> csr_array:
    """Build the binary user-movie matrix, sparse float32[n_users, n_movies]: 1 where the user rated the movie."""
    always = np.full(dataset.n_users, NEVER)
    return build_profiles(dataset.histories(dataset.user_ids, always), dataset.n_movies)
