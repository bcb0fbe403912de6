"""A backtest of one person's own history: what would the model have recommended, and did the person watch it?

For each day on which the person watched movies for the first time, the model is asked as of the beginning of the day,
with what was watched before. A movie of the day is a hit if it is among the k recommended ones. Days with more movies
than anybody watches are left out: somebody marked these movies as watched on that day. The interval resamples days, as
the movies of one day share a list. Popularity, asked in the same way, shows what the same person's taste for what
everybody watches would give.
"""

from dataclasses import dataclass

import numpy as np

from nextreel.arrays import Float64Array, Int64Array
from nextreel.data.times import DAY
from nextreel.errors import QueryError
from nextreel.evaluation.bootstrap import Estimate, estimate_mean
from nextreel.evaluation.metrics import ranks_of
from nextreel.prediction.own_history import OwnHistory
from nextreel.prediction.predictor import Predictor
from nextreel.ranking.ranker import Ranker

LEAST_HISTORY = 5
"""Number of movies that must come before a day for the model to be asked: with fewer it knows the person hardly."""
MOST_A_DAY = 10
"""Number of movies that a person can watch on a day, generously; days with more are left out."""


@dataclass(frozen=True)
class AskedFilm:
    """A movie that the person watched, and where it was in the list of that day."""

    movie: int
    """Index of the movie in the catalog."""
    day: int
    """First second of the day, POSIX seconds."""
    rank: int
    """Rank in the list, from 1; 0 if the list didn't have it."""


@dataclass(frozen=True)
class OwnBacktest:
    """The result of a backtest."""

    k: int
    """Length of the lists."""
    films: tuple[AskedFilm, ...]
    """The movies that the model was asked about, in the order of time."""
    n_days: int
    """Number of lists."""
    n_marked: int
    """Number of movies left out because too many have the date of their day."""
    hit_rate: Estimate
    """Share of the movies that were in the list of their day."""
    popularity: Estimate
    """The same for lists of what was popular then."""
    learned_from_later: bool
    """Whether the model has learned from other people's ratings after the first of these days."""


def backtest_history(predictor: Predictor, history: OwnHistory, k: int = 10) -> OwnBacktest:
    """Ask the model about every day of a person's history.

    Raises
    ------
    QueryError
        The history has too few movies with a date, or k is out of range.
    """
    _, first = np.unique(history.movies, return_index=True)
    rows = np.sort(first)
    movies, days = history.movies[rows].astype(np.int64), history.timestamps[rows] // DAY * DAY
    _, of_day, counts = np.unique(days, return_inverse=True, return_counts=True)
    is_marked = counts[of_day] > MOST_A_DAY
    n_before = np.searchsorted(history.timestamps[rows], days)
    asked = np.flatnonzero(~is_marked & (n_before >= LEAST_HISTORY))
    if not len(asked):
        raise QueryError(
            f"a backtest needs movies watched on other days than the first {LEAST_HISTORY}; this history has "
            f"{len(rows)} movies on {len(counts)} days"
        )
    timestamps, of_query = np.unique(days[asked], return_inverse=True)
    ranker = predictor.ranker
    by_popularity = Ranker(ranker.popularity, ranker.popularity, ranker.released_at)
    ranks = _find_ranks(ranker, history, timestamps, of_query, movies[asked], k)
    popular = _find_ranks(by_popularity, history, timestamps, of_query, movies[asked], k)
    data_until = int(predictor.dataset.timeline.timestamps.max(initial=0))
    return OwnBacktest(
        k,
        tuple(
            AskedFilm(int(movie), int(day), int(rank))
            for movie, day, rank in zip(movies[asked], days[asked], ranks, strict=True)
        ),
        len(timestamps),
        int(is_marked.sum()),
        estimate_mean(_is_hit(ranks), of_query),
        estimate_mean(_is_hit(popular), of_query),
        not predictor.model.uses_only_past and int(timestamps[0]) <= data_until,
    )


def _find_ranks(
    ranker: Ranker,
    history: OwnHistory,
    timestamps: Int64Array,
    of_query: Int64Array,
    movies: Int64Array,
    k: int,
) -> Int64Array:
    """Return int64[n_movies]: the rank of each movie in the list of its query, 0 if the list doesn't have it."""
    ranking = ranker.rank(history.as_of(timestamps), timestamps, k)
    return ranks_of(ranking.movies[of_query], movies)


def _is_hit(ranks: Int64Array) -> Float64Array:
    return (ranks > 0).astype(np.float64)
