"""One list for several people: what should they watch together, as of one moment?

Each person's scores are those of their own list, from the same path (`Ranker.rank`), with what they have seen and what
isn't out masked in the same way. Scores of different histories have no common unit, so each person's are standardised
over the movies that may be recommended to all: mean 0 and standard deviation 1. Two rules make one score of them:

- `mean`: the mean of the standardised scores ("average without misery" without its threshold).
- `least-misery`: the lowest of them, so that nobody is left out (O'Connor et al., "PolyLens", ECSCW 2001).

Masthoff, "Group Recommender Systems", in Recommender Systems Handbook, 2015, compares these and others.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from nextreel.arrays import BoolArray, Float32Array, Float64Array, Int32Array
from nextreel.data.timeline import Histories
from nextreel.errors import QueryError
from nextreel.ranking.ranker import Ranker

JointRule = Literal["mean", "least-misery"]
"""How the people's scores become one."""
MOST_PEOPLE = 10
"""Greatest number of people of one list."""


@dataclass(frozen=True)
class JointRanking:
    """The movies for several people, best first; fewer than k if fewer may be recommended to all."""

    movies: Int32Array
    """int32[n]: movie indices, best first."""
    scores: Float64Array
    """float64[n]: the joint scores, in standard deviations."""
    percentiles: Float64Array
    """float64[n_people, n]: how well each movie suits each person: the share of the movies that could have been
    recommended to them and that they would like no more, in percent; 100 for the first of their own list."""
    personal: BoolArray
    """bool[n_people]: False for a person whom the model doesn't know; popularity scored the movies for them."""


def rank_jointly(
    ranker: Ranker,
    histories: Histories,
    k: int = 10,
    rule: JointRule = "mean",
    exclude_seen: bool = True,
    allowed: BoolArray | None = None,
) -> JointRanking:
    """Return the best movies for several people.

    Parameters
    ----------
    ranker : Ranker
        Makes the lists of one person.
    histories : Histories
        The history of each person, all cut at the same time.
    k : int
        Greatest length of the list.
    rule : JointRule
        How the people's scores become one.
    exclude_seen : bool
        Leave out what anybody of them has seen.
    allowed : bool[n_movies] | None
        The movies that may be recommended; None allows all.

    Raises
    ------
    QueryError
        There are no people or too many, k is out of range, or there is no such rule.
    """
    if rule not in get_args(JointRule):
        raise QueryError(f"the rule is {rule!r}; expected {' or '.join(get_args(JointRule))}")
    if not 1 <= len(histories) <= MOST_PEOPLE:
        raise QueryError(f"{len(histories)} people; a joint list is for 1 to {MOST_PEOPLE}")
    ranker.check_k(k)
    scores, personal = _score_all(ranker, histories, exclude_seen, allowed)
    may_be_listed = np.isfinite(scores).all(axis=0)
    candidates = np.flatnonzero(may_be_listed)
    if not len(candidates):
        none = np.empty((len(histories), 0))
        return JointRanking(np.empty(0, np.int32), np.empty(0), none, personal)
    standardised = np.stack([_standardise(of_person[candidates]) for of_person in scores])
    joint = standardised.mean(axis=0) if rule == "mean" else standardised.min(axis=0)
    # Of equally low scores, the higher mean decides, then the lower index, as in a list for one person.
    best = np.lexsort((candidates, -standardised.mean(axis=0), -joint))[:k]
    movies = candidates[best].astype(np.int32)
    percentiles = np.stack([_find_percentiles(of_person, movies) for of_person in scores])
    return JointRanking(movies, joint[best], percentiles, personal)


def _score_all(
    ranker: Ranker, histories: Histories, exclude_seen: bool, allowed: BoolArray | None
) -> tuple[Float32Array, BoolArray]:
    """Return float32[n_people, n_movies]: each person's score of each movie, -inf for those not for them."""
    ranking = ranker.rank(histories, histories.as_of, ranker.n_movies, exclude_seen, allowed)
    scores = np.empty_like(ranking.scores)
    np.put_along_axis(scores, ranking.movies.astype(np.int64), ranking.scores, axis=1)
    return scores, ranking.personal


def _standardise(scores: Float32Array) -> Float64Array:
    """Return the scores with mean 0 and standard deviation 1; all 0 if they are equal."""
    centred = scores.astype(np.float64) - scores.mean(dtype=np.float64)
    deviation = centred.std()
    standardised: Float64Array = centred / deviation if deviation > 0 else np.zeros_like(centred)
    return standardised


def _find_percentiles(scores: Float32Array, movies: Int32Array) -> Float64Array:
    ascending = np.sort(scores[np.isfinite(scores)])
    no_better = np.searchsorted(ascending, scores[movies], side="right")
    percentiles: Float64Array = 100.0 * no_better / len(ascending)
    return percentiles
