"""A fitted model beside the interactions it answers from: queries in, lists of MovieIDs out.

`recommend` cuts the histories strictly before each query's moment; `Ranker` does the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from nextreel.data.dataset import Dataset, require_dataset
from nextreel.data.schema import MOVIE_ID, TIMESTAMP, USER_ID
from nextreel.models.base import Recommender, require_model
from nextreel.models.names import DEFAULT_MODEL
from nextreel.models.registry import create_model
from nextreel.prediction.queries import frame_queries
from nextreel.ranking.ranker import Ranker, Ranking


@dataclass(frozen=True)
class Predictor:
    """Answers queries with a fitted model.

    `dataset` supplies the histories. It may hold more than the model was fitted on (then the answers use what
    happened since), but its catalog must be the same.
    """

    model: Recommender
    dataset: Dataset

    def __post_init__(self) -> None:
        require_model(self.model)
        require_dataset(self.dataset)

    def recommend(
        self, queries: pl.DataFrame | Sequence[tuple[int, int]], k: int = 10, exclude_seen: bool = True
    ) -> pl.DataFrame:
        """The k movies to watch next for each query (UserID, Timestamp), rows of a frame or pairs.

        Raises QueryError for what is no query, named by its place, and for a k beyond the catalog.

        Returns
        -------
        UserID, Timestamp, Rank (from 1), MovieID, Score, Fallback; k rows a query, in the order of the
        queries. Fallback is null for a personal answer, "popularity" for a user the model doesn't know, and
        "list filled up" (without a Score) where fewer than k movies were left.
        """
        queries = frame_queries(queries)
        ranking = self._rank_queries(queries, k, exclude_seen)
        filler = np.isneginf(ranking.scores).ravel()
        fallback = np.where(np.repeat(ranking.personal, k), "", "popularity")
        return pl.DataFrame(
            {
                USER_ID: np.repeat(queries[USER_ID].to_numpy(), k),
                TIMESTAMP: np.repeat(queries[TIMESTAMP].to_numpy(), k),
                "Rank": np.tile(np.arange(1, k + 1, dtype=np.int32), len(queries)),
                MOVIE_ID: self.dataset.movie_ids[ranking.movies].ravel(),
                "Score": pl.Series(ranking.scores.ravel()).replace(-np.inf, None),
                "Fallback": pl.Series(np.where(filler, "list filled up", fallback)).replace("", None),
            }
        )

    def recommend_wide(self, queries: pl.DataFrame, k: int = 10, exclude_seen: bool = True) -> pl.DataFrame:
        """One row a query, in the order of the queries: UserID, Timestamp, MovieID1 (best) to MovieIDk."""
        queries = frame_queries(queries)
        ranking = self._rank_queries(queries, k, exclude_seen)
        movie_ids = self.dataset.movie_ids[ranking.movies]
        columns = {f"{MOVIE_ID}{place + 1}": movie_ids[:, place] for place in range(k)}
        return queries.with_columns(**columns)

    @cached_property
    def ranker(self) -> Ranker:
        """Ranks histories by movie index; the same path for every caller."""
        return Ranker.of(self.model, self.dataset)

    def _rank_queries(self, queries: pl.DataFrame, k: int, exclude_seen: bool) -> Ranking:
        user_ids, at = queries[USER_ID].to_numpy(), queries[TIMESTAMP].to_numpy()
        return self.ranker.rank(self.dataset.histories(user_ids, at), at, k, exclude_seen)


def fit(dataset: Dataset, model: str = DEFAULT_MODEL, **options: object) -> Predictor:
    """A predictor with the named model, fitted on the dataset; options are those of the model's config."""
    require_dataset(dataset)
    return Predictor(create_model(model, options).fit(dataset), dataset)
