"""Recommendation lists of an engine and of a predictor, in a form in which they can be compared."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from nextreel.data.dataset import Dataset
from nextreel.data.ids import Id
from nextreel.data.schema import INTERACTIONS, MOVIE_ID
from nextreel.prediction.predictor import Predictor
from nextreel.serving.inference.list_requests import RecommendationRequest, RecommendationResult
from nextreel.serving.storage.store import NewInteraction
from tests.serving.servers import LATE

ScoredList = list[tuple[Id, float]]
"""MovieID and score of each movie, best first."""

UNKNOWN_USERS = (90_001, 90_002)


def scored_lists(results: Sequence[RecommendationResult]) -> list[ScoredList]:
    return [[(movie["movie_id"], movie["score"]) for movie in result.movies] for result in results]


def movie_ids(results: Sequence[RecommendationResult]) -> list[list[Id]]:
    return [[movie["movie_id"] for movie in result.movies] for result in results]


def offline_lists(predictor: Predictor, queries: pl.DataFrame, k: int = 10) -> list[ScoredList]:
    """Return the lists of Predictor for the same queries, without movies that only fill up a list."""
    recommended = predictor.recommend(queries, k)
    rows = [list(zip(part[MOVIE_ID], part["Score"], strict=True)) for part in recommended.iter_slices(k)]
    return [[(movie, score) for movie, score in row if score is not None] for row in rows]


def draw_queries(dataset: Dataset, count: int, seed: int = 0) -> pl.DataFrame:
    """Draw queries at the time of a rating, a second later, and long after; and one for each unknown user."""
    random = np.random.default_rng(seed)
    row = random.integers(0, len(dataset.timeline), count)
    users = dataset.user_ids[dataset.timeline.users[row]]
    timestamps = dataset.timeline.timestamps[row] + random.choice([0, 1, 10**7], count)
    return pl.DataFrame({"UserID": [*users, *UNKNOWN_USERS], "Timestamp": [*timestamps, LATE, 0]})


def to_requests(queries: pl.DataFrame, k: int = 10) -> list[RecommendationRequest]:
    return [RecommendationRequest(user_id, timestamp, k) for user_id, timestamp in queries.iter_rows()]


def draw_ratings(dataset: Dataset, count: int, seed: int = 1) -> list[NewInteraction]:
    """Draw ratings by known and unknown users, in the past and later; some movies are rated again."""
    random = np.random.default_rng(seed)
    rows = zip(
        random.choice([*dataset.user_ids[:8], 90_001], count).tolist(),
        random.choice(dataset.movie_ids[:40], count).tolist(),
        random.integers(1, 6, count).tolist(),
        random.choice([*dataset.timeline.timestamps[:200], *range(LATE, LATE + 50)], count).tolist(),
        strict=True,
    )
    return [NewInteraction(*row) for row in rows]


def with_ratings(predictor: Predictor, ratings: Sequence[NewInteraction]) -> Predictor:
    """Return the predictor as if these ratings had been the last rows of its data set's file."""
    more = pl.DataFrame([vars(rating) for rating in ratings]).rename(
        {"user_id": "UserID", "movie_id": "MovieID", "rating": "Rating", "timestamp": "Timestamp"}
    )
    interactions = pl.concat([predictor.dataset.interactions(), more.cast(INTERACTIONS.schema)])
    return Predictor(predictor.model, predictor.dataset.with_interactions(interactions))
