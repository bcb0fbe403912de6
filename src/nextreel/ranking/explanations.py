"""Why a movie was recommended: how much each movie of the history contributed to its score.

The contribution of a movie is the score with the whole history minus the score with that movie left out, as if it had
never been rated (occlusion; Zeiler & Fergus, ECCV 2014). This works for any model and states what the model would
really have scored. Contributions don't have to add up to the score, since movies of a history can say the same thing.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nextreel.arrays import Int64Array
from nextreel.data.timeline import Histories
from nextreel.errors import QueryError
from nextreel.models.base import Recommender
from nextreel.parallel import single_threaded_blas

EXPLAINED = 50
"""Default number of movies of the history, the latest, whose contributions are computed: each costs a scoring."""


class MovieContribution(NamedTuple):
    """The contribution of one movie of the history to the score of a recommended movie."""

    row: int
    """Row of the timeline with the user's latest rating of the movie."""
    movie: int
    """Index of the history's movie in the catalog."""
    contribution: float
    """The score minus that without the history's movie; negative if the movie lowered it."""


def explain(
    model: Recommender,
    histories: Histories,
    timestamps: Int64Array,
    movies: npt.NDArray[np.integer],
    latest: int = EXPLAINED,
) -> list[list[MovieContribution]]:
    """Compute how much each movie of the history contributed to the scores of one query's recommended movies.

    Parameters
    ----------
    model : Recommender
        A fitted model.
    histories, timestamps : Histories and int64[1]
        The query: exactly one history, and its timestamp in POSIX seconds.
    movies : int64[n]
        Indices of the movies to explain.
    latest : int
        Number of the latest movies in the history whose contributions are computed, at least 1. Earlier movies always
        stay in the history.

    Returns
    -------
    For each of `movies`, the contributions of the history's movies, largest first; an empty list if the model doesn't
    know the user. If the history has only one movie, its contribution is the difference to the score for an empty
    history.

    Raises
    ------
    QueryError
        There isn't exactly one history.
    """
    if len(histories) != 1:
        raise QueryError(f"{len(histories)} queries to explain; expected one")
    if not model.knows(histories)[0]:
        return [[] for _ in movies]
    _, row = histories.rows()
    row = row[-latest:]
    variants = _leave_out(histories, row)
    with single_threaded_blas():
        scores = model.score_movies(
            variants, np.repeat(timestamps, len(variants)), movies.astype(np.int64, copy=False)
        ).astype(np.float64)
    contributions = scores[0] - scores[1:]
    rows, left_out = row.tolist(), histories.timeline.movies[row].tolist()
    return [
        [MovieContribution(rows[i], left_out[i], of_movie[i]) for i in best_first]
        for of_movie, best_first in zip(
            contributions.T.tolist(), np.argsort(-contributions, axis=0).T.tolist(), strict=True
        )
    ]


def _leave_out(histories: Histories, rows: Int64Array) -> Histories:
    """Return len(rows) + 1 variants of one history: all of it, then for each of `rows` all but that row's movie."""
    timeline, history = histories.timeline, np.arange(histories.starts[0], histories.stops[0])
    kept = timeline.movies[history] != timeline.movies[rows][:, None]
    kept = np.vstack([np.ones_like(kept[:1]), kept])
    variant, position = np.nonzero(kept)
    return histories[np.zeros(len(kept), dtype=np.int64)].keep(variant, history[position])
