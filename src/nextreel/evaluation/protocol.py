"""The protocol: each positive of the test part is a query, and its movie is the one relevant answer.

`frozen`  The user's history ends with the train part, as in the course's notebook and in most papers. Rows of
          the query's own second count if they stand in the train part: there the file's order says that they
          came first.
`live`    The history holds everything strictly before the query's Timestamp, earlier test rows included:
          what a server would know by then, so that its figure is what the server would have answered.

The model itself is the same; it isn't fitted again. The answers come from the same code that serves them.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self, get_args

import polars as pl

from nextreel.arrays import BoolArray, Int64Array
from nextreel.data.dataset import Dataset, require_dataset
from nextreel.data.schema import INTERACTIONS, MOVIE_ID, RATING, TIMESTAMP, USER_ID
from nextreel.data.timeline import Histories
from nextreel.data.value_checks import check_frame
from nextreel.errors import ConfigError, DataError
from nextreel.models.base import Recommender
from nextreel.ranking.ranker import Ranker, Ranking

HistoryMode = Literal["frozen", "live"]
TEST_PART = "the test part"


@dataclass(frozen=True)
class EvaluationQueries:
    """The queries of a test part, each with what is known by its moment."""

    queries: pl.DataFrame
    """UserID, MovieID, Timestamp of each positive: who is asked about, the relevant movie, when."""
    dataset: Dataset
    """The interactions that the histories are cut from, on the train part's catalog."""
    histories: Histories

    @classmethod
    def from_split(
        cls, train: Dataset, test: pl.DataFrame, history: HistoryMode, threshold: float | None = None
    ) -> Self:
        """A query for every row of `test` with Rating >= threshold, by default the data set's positive rating.

        Raises DataError if there is none or a table isn't in form, ConfigError for a history of another name.
        """
        require_dataset(train)
        if history not in get_args(HistoryMode):
            raise ConfigError(f"history is {history!r}; expected frozen or live")
        threshold = train.positive_rating if threshold is None else threshold
        test = check_frame(test, INTERACTIONS, TEST_PART)
        queries = test.filter(pl.col(RATING) >= threshold).select(USER_ID, MOVIE_ID, TIMESTAMP)
        if queries.is_empty():
            raise DataError(
                f"the test part has no rating of at least {threshold:g}, so there is nothing to ask"
            )
        users, timestamps = queries[USER_ID].to_numpy(), queries[TIMESTAMP].to_numpy()
        if history == "frozen":
            return cls(queries, train, freeze_histories(train, users, timestamps))
        rows = train.interactions()
        known = train.with_rows(pl.concat([rows, test]))
        return cls(queries, known, known.histories(users, timestamps))

    def __len__(self) -> int:
        return len(self.queries)

    def __getitem__(self, part: BoolArray) -> Self:
        return replace(self, queries=self.queries.filter(part), histories=self.histories[part])

    @property
    def users(self) -> Int64Array:
        """int64[n_queries]: UserID."""
        return self.queries[USER_ID].to_numpy()

    @property
    def timestamps(self) -> Int64Array:
        """int64[n_queries]: POSIX seconds."""
        return self.queries[TIMESTAMP].to_numpy()

    @property
    def relevant(self) -> Int64Array:
        """int64[n_queries]: index of the relevant movie, -1 for one outside the catalog."""
        return self.dataset.index_of_movies(self.queries[MOVIE_ID].to_numpy())

    def rank_with(self, model: Recommender, k: int = 10, exclude_seen: bool = True) -> Ranking:
        """A fitted model's answers."""
        return Ranker.of(model, self.dataset).rank(self.histories, self.timestamps, k, exclude_seen)


def freeze_histories(train: Dataset, user_ids: Int64Array, timestamps: Int64Array) -> Histories:
    """The users' histories as the train part has them; never a row later than the query's second."""
    return train.histories(user_ids, timestamps + 1)
