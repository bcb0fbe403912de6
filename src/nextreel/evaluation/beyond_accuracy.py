"""What lists are like beyond their accuracy: novelty, popularity, variety and calibration of each, coverage of all.

novelty         Mean self-information of a list's movies in bits, -log2 p (Zhou et al., PNAS 2010; Castells et al.,
                "Novelty and Diversity in Recommender Systems", 2015), where p is the share of the users known by the
                query's moment who had rated the movie by then, with one added to both counts.
popularity      Mean of that share over the list, with nothing added (the average recommendation popularity of
                Abdollahpouri et al., FLAIRS 2019).
variety         1 minus the mean cosine of the genres of two movies of the list: intra-list diversity.
miscalibration  KL divergence of the list's genres from those of what the user liked (Steck, "Calibrated
                Recommendations", RecSys 2018); only where the history holds something liked.
coverage        Share of the catalog that stands in any of the lists.
gini            Gini coefficient of how often each movie of the catalog is recommended: 0 is evenly, 1 one movie only.

A catalog that names no genres has no variety and no miscalibration.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from nextreel.arrays import Float32Array, Float64Array, Int32Array, Int64Array
from nextreel.data.rater_counts import RaterCounts
from nextreel.evaluation.bootstrap import Estimate, UserBootstrap
from nextreel.evaluation.protocol import EvaluationQueries
from nextreel.ranking.genres import divergence, liked_genres, share_genres, variety

QUERIES_AT_ONCE = 2_000


@dataclass(frozen=True)
class ListFigures:
    """Figures of one model's lists."""

    by_query: dict[str, Estimate]
    """novelty, popularity, variety, miscalibration: means over the queries."""
    overall: dict[str, float]
    """coverage and gini, of all lists together. They have no interval: both grow with the number of lists."""


@dataclass(frozen=True)
class ListMeasurer:
    """What the lists of any model are held against; made once for the same questions."""

    questions: EvaluationQueries
    genres: Float32Array
    """float32[n_movies, n_genres]: each movie's share of its genres."""
    liked: Float32Array
    """float32[n_queries, n_genres]: shares of what each history liked; all 0 where it liked nothing."""

    @classmethod
    def of(cls, questions: EvaluationQueries) -> Self:
        """Genres of the catalog and of the histories."""
        genres = share_genres(questions.dataset.movies)
        liked = [liked_genres(questions.histories[some], genres) for some in _batches(len(questions))]
        return cls(questions, genres, np.concatenate(liked))

    def describe(self, movies: Int32Array, bootstrap: UserBootstrap) -> ListFigures:
        """Figures of lists, int32[n_queries, k]."""
        raters, users = self._raters.count(movies, self.questions.timestamps)
        values = {
            "novelty": -np.log2((raters + 1) / (users + 1)[:, None]).mean(axis=1),
            "popularity": (raters / np.maximum(users, 1)[:, None]).mean(axis=1),
        }
        figures = {name: bootstrap.estimate(each) for name, each in values.items()}
        n_movies, n_genres = self.genres.shape
        if n_genres:
            varied, away = self._hold_against_genres(movies)
            calibrated = self.liked.sum(axis=1) > 0
            if movies.shape[1] > 1:
                figures["variety"] = bootstrap.estimate(varied)
            if calibrated.any():
                figures["miscalibration"] = bootstrap.estimate(away, calibrated)
        times = np.bincount(movies.ravel(), minlength=n_movies)
        return ListFigures(figures, {"coverage": float((times > 0).mean()), "gini": gini(times)})

    @cached_property
    def _raters(self) -> RaterCounts:
        return RaterCounts.of(self.questions.dataset.timeline)

    def _hold_against_genres(self, movies: Int32Array) -> tuple[Float64Array, Float64Array]:
        varied, away = np.empty((2, len(movies)))
        for some in _batches(len(movies)):
            shares = self.genres[movies[some]]
            # A list of one movie has no pairs.
            varied[some] = variety(shares) if movies.shape[1] > 1 else 0.0
            away[some] = divergence(self.liked[some], shares.sum(axis=1))
        return varied, away


def gini(times: npt.NDArray[np.integer]) -> float:
    """Gini coefficient of how often each movie is recommended."""
    ascending = np.sort(times)
    n, total = len(times), int(times.sum())
    if not total:
        return 0.0
    return float(((2 * np.arange(1, n + 1) - n - 1) * ascending).sum() / (n * total))


def _batches(n: int) -> list[Int64Array]:
    return np.array_split(np.arange(n), 1 + n // QUERIES_AT_ONCE)
