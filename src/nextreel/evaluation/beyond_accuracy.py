"""Properties of recommendation lists other than accuracy.

novelty         Mean self-information of the movies in a list, -log2 p bits (Zhou et al., PNAS 2010; Castells et al.,
                "Novelty and Diversity in Recommender Systems", 2015). p is the share of users who had rated the movie
                by the query's timestamp among all users who had rated anything by then, with 1 added to both counts.
popularity      Mean of the same share over the list, with nothing added (the average recommendation popularity of
                Abdollahpouri et al., FLAIRS 2019).
variety         1 minus the mean cosine similarity of the genres of two movies in the list: intra-list diversity.
miscalibration  KL divergence of the genres in the list from the genres that the user liked (Steck, "Calibrated
                Recommendations", RecSys 2018). Only queries whose history holds a positive count.
coverage        Share of the catalog that is in at least one list.
gini            Gini coefficient of how often each movie of the catalog is recommended: 0 if all are recommended
                equally often, nearly 1 if a single movie is.

Variety and miscalibration are left out if the catalog has no genres.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from nextreel.arrays import Float32Array, Int32Array, Int64Array
from nextreel.evaluation.bootstrap import Estimate, UserBootstrap
from nextreel.evaluation.protocol import EvaluationQueries
from nextreel.evaluation.rater_counts import RaterCounts
from nextreel.ranking.genres import divergence, liked_genres, share_genres, variety

QUERIES_PER_BATCH = 2_000
"""Number of queries whose lists are measured per batch, which limits how many genre vectors are in memory at once."""


@dataclass(frozen=True)
class ListFigures:
    """Properties of one model's recommendation lists other than accuracy, such as novelty and coverage."""

    by_query: dict[str, Estimate]
    """Novelty, popularity, variety and miscalibration (see the module) by name: means over the queries."""
    overall: dict[str, float]
    """Coverage and gini of all lists together; without intervals, as they depend on the number of lists."""


@dataclass(frozen=True)
class ListMeasurer:
    """Measures properties other than accuracy of the lists that different models returned for the same queries."""

    queries: EvaluationQueries
    genres: Float32Array
    """float32[n_movies, n_genres]: share of each genre in each movie; rows sum to 1, or to 0 without genres."""
    liked: Float32Array
    """float32[n_queries, n_genres]: share of each genre in the positives of the query's history; all 0 without one."""

    @classmethod
    def of(cls, queries: EvaluationQueries) -> Self:
        """Create a measurer for these queries, with the genres of the catalog and of each query's history."""
        genres = share_genres(queries.dataset.movies)
        liked = [liked_genres(queries.histories[batch], genres) for batch in _split_batches(len(queries))]
        return cls(queries, genres, np.concatenate(liked))

    def describe(self, movies: Int32Array, bootstrap: UserBootstrap) -> ListFigures:
        """Measure one model's recommendation lists; `movies` is int32[n_queries, k] of movie indices."""
        raters, users = self._rater_counts.count(movies, self.queries.timestamps)
        values = {
            "novelty": -np.log2((raters + 1) / (users + 1)[:, None]).mean(axis=1),
            "popularity": (raters / np.maximum(users, 1)[:, None]).mean(axis=1),
        }
        by_query = {name: bootstrap.estimate(column) for name, column in values.items()}
        n_movies, n_genres = self.genres.shape
        if n_genres:
            by_query |= self._describe_genres(movies, bootstrap)
        counts = np.bincount(movies.ravel(), minlength=n_movies)
        return ListFigures(by_query, {"coverage": float((counts > 0).mean()), "gini": gini(counts)})

    def _describe_genres(self, movies: Int32Array, bootstrap: UserBootstrap) -> dict[str, Estimate]:
        """Return the estimates that need genres: variety, unless lists hold one movie only, and miscalibration, if any
        history has a positive."""
        varieties, divergences = np.empty((2, len(movies)))
        has_pairs = movies.shape[1] > 1
        for batch in _split_batches(len(movies)):
            shares = self.genres[movies[batch]]
            varieties[batch] = variety(shares) if has_pairs else 0.0
            divergences[batch] = divergence(self.liked[batch], shares.sum(axis=1))
        has_positives = self.liked.sum(axis=1) > 0
        estimates = {}
        if has_pairs:
            estimates["variety"] = bootstrap.estimate(varieties)
        if has_positives.any():
            estimates["miscalibration"] = bootstrap.estimate(divergences, has_positives)
        return estimates

    @cached_property
    def _rater_counts(self) -> RaterCounts:
        return RaterCounts.of(self.queries.dataset.timeline)


def gini(counts: npt.NDArray[np.integer]) -> float:
    """Return the Gini coefficient of `counts`, int[n_movies]: 0 if all are equal, nearly 1 if only one is above 0."""
    ascending = np.sort(counts)
    n, total = len(counts), int(counts.sum())
    if not total:
        return 0.0
    return float(((2 * np.arange(1, n + 1) - n - 1) * ascending).sum() / (n * total))


def _split_batches(n: int) -> list[Int64Array]:
    return np.array_split(np.arange(n), 1 + n // QUERIES_PER_BATCH)
