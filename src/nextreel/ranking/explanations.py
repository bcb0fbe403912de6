"""Why a movie was recommended: what each movie of the history did to its score.

The contribution of a movie of the history is the score with the whole history minus the score with that movie left
out, as if it had never been rated (occlusion; Zeiler & Fergus, ECCV 2014). It is what the model would really have said,
whatever the model; contributions needn't add up to the score, as movies of a history overlap in what they say.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nextreel.arrays import Int64Array
from nextreel.data.timeline import Histories
from nextreel.errors import QueryError
from nextreel.models.base import Recommender

EXPLAINED = 50
"""How many of the latest movies in the history are left out in turn, unless asked otherwise."""


@dataclass(frozen=True)
class Reason:
    """What one movie of the history did to the score of a recommended one."""

    row: int
    """Row of the timeline: the rating that stands."""
    movie: int
    """Index of the history's movie."""
    contribution: float
    """In units of the score; negative if it lowered the score."""


def explain(
    model: Recommender,
    histories: Histories,
    timestamps: Int64Array,
    movies: npt.NDArray[np.integer],
    latest: int = EXPLAINED,
) -> list[list[Reason]]:
    """The reasons of one query's recommended movies, for each of them the strongest support first.

    Parameters
    ----------
    model : Recommender
        Fitted.
    histories, timestamps : Histories and int64[1]
        The query, one of them.
    movies : int64[n]
        Indices of the movies to explain.
    latest : int
        How many of the latest movies in the history may be reasons, at least 1; each costs as much as a query. The
        earlier ones stay in the history all the time.

    Returns
    -------
    A list for each of `movies`. It is empty if the model has nothing personal to say. Where the only movie is left out,
    what stands against it is the model's score for no history.
    """
    if len(histories) != 1:
        raise QueryError(f"{len(histories)} queries to explain; expected one")
    if not model.knows(histories)[0]:
        return [[] for _ in movies]
    _, row = histories.rows()
    row = row[-latest:]
    variants = leave_out(histories, row)
    scores = model.score(variants, np.repeat(timestamps, len(variants)))[:, movies].astype(np.float64)
    contributions = scores[0] - scores[1:]
    timeline = histories.timeline
    return [
        [Reason(int(row[i]), int(timeline.movies[row[i]]), float(effect[i])) for i in np.argsort(-effect)]
        for effect in contributions.T
    ]


def leave_out(histories: Histories, rows: Int64Array) -> Histories:
    """One query's history, whole, and then without the movie of each of `rows`: len(rows) + 1 histories."""
    timeline, slice_ = histories.timeline, np.arange(histories.starts[0], histories.stops[0])
    kept = timeline.movies[slice_] != timeline.movies[rows][:, None]
    kept = np.vstack([np.ones_like(kept[:1]), kept])
    variant, place = np.nonzero(kept)
    return histories[np.zeros(len(kept), dtype=np.int64)].keep(variant, slice_[place])
