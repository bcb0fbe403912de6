"""Users as sparse vectors over the movies, which linear models multiply.

The entry of a movie in a user's vector is the weight of that interaction: the latest has weight 1, and the
weight halves with every `half_life` interactions before it (a time-decaying profile after Ding & Li, "Time
Weight Collaborative Filtering", CIKM 2005, with positions in place of days).
"""

from typing import Annotated

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array

from nextreel.data.dataset import Dataset
from nextreel.data.timeline import NEVER, Histories
from nextreel.options import Range

# A half-life of one interaction knows only the latest movie; one of a hundred is close to equal weights.
HalfLife = Annotated[float | None, Field(gt=0), Range(1.0, 100.0, log=True)]
"""Type of the option `half_life`."""
# From next to nothing to the weight of a liked movie.
UnlikedWeight = Annotated[float, Field(gt=0, le=1), Range(0.05, 1.0)]
"""Type of the option `unliked_weight`."""

HALVINGS_KEPT = 24
"""Half-lives after which an interaction is left out: beside a weight of 1, float32 can't tell it from nothing."""


def build_profiles(
    histories: Histories, n_movies: int, half_life: float | None = None, unliked_weight: float = 1.0
) -> csr_array:
    """The vector of each history.

    Parameters
    ----------
    half_life : float | None
        In interactions; None gives all the same weight.
    unliked_weight : float
        Factor on the weight of interactions whose rating isn't a positive.

    Returns
    -------
    Sparse float32[n_queries, n_movies]; each row's entries stand in the order of time, oldest first.
    """
    query, row = histories.rows()
    stops = np.cumsum(np.bincount(query, minlength=len(histories)))
    weights = np.where(histories.timeline.is_positive(row), 1.0, unliked_weight)
    if half_life is not None:
        age = stops[query] - 1 - np.arange(len(query))
        recent = age <= HALVINGS_KEPT * half_life
        query, row, weights = query[recent], row[recent], weights[recent] * np.exp2(-age[recent] / half_life)
        stops = np.cumsum(np.bincount(query, minlength=len(histories)))
    return csr_array(
        (weights.astype(np.float32), histories.timeline.movies[row], np.concatenate([[0], stops])),
        shape=(len(histories), n_movies),
    )


def build_interaction_matrix(dataset: Dataset) -> csr_array:
    """Sparse float32[n_users, n_movies]: 1 where the user has rated the movie."""
    always = np.full(dataset.n_users, NEVER)
    return build_profiles(dataset.histories(dataset.user_ids, always), dataset.n_movies)
