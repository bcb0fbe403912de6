"""The evaluation protocol: every positive of the test part is a query whose only relevant movie is the one rated.

`frozen`  The user's history ends with the train part, as in the course's notebook and in most papers.
`live`    The history holds everything before the query, earlier test rows included. A server would have known the
          same, so the figures show how well it would have recommended.

What comes before a query in its own second is a rule of its own, `ties`:

`strict`      Nothing: a history holds rows with an earlier Timestamp. This is the default of `live`, and what a server
              knows before the user rates.
`file-order`  The rows that stand before the query in the file, train rows before test rows. This is the default of
              `frozen`, and what a stable sort by time gives in most papers.

The model is fitted once, on the train part, and is the same under both. Queries are ranked by the code that serves
them, `nextreel.ranking`.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self, get_args

import numpy as np
import polars as pl
from narwhals.typing import IntoFrame

from nextreel.arrays import BoolArray, Int64Array
from nextreel.data.dataset import Dataset, require_dataset
from nextreel.data.ids import encode_ids
from nextreel.data.schema import INTERACTIONS, MOVIE_ID, RATING, TIMESTAMP, USER_ID
from nextreel.data.timeline import Histories, Ties, require_ties
from nextreel.errors import ConfigError, DataError
from nextreel.models.base import Recommender
from nextreel.ranking.ranker import Ranker, Ranking
from nextreel.wording import number_of

HistoryMode = Literal["frozen", "live"]
DEFAULT_TIES: dict[HistoryMode, Ties] = {"frozen": "file-order", "live": "strict"}
"""The rule for rows of the query's own second under each history mode, unless the caller names one."""
QUERIES_AT_ONCE = 10_000
"""Queries whose histories are searched together, which bounds the memory."""


@dataclass(frozen=True)
class EvaluationQueries:
    """The queries of a test part and the history that each one may use."""

    rows: pl.DataFrame
    """UserID, MovieID and Timestamp of every positive of the test part: the query and its relevant movie."""
    dataset: Dataset
    """The interactions that the histories are cut from, with the catalog of the train part."""
    histories: Histories
    """The history of each query, in the order of `rows`."""

    @classmethod
    def from_split(
        cls,
        train: Dataset,
        test: IntoFrame,
        mode: HistoryMode,
        threshold: float | None = None,
        ties: Ties | None = None,
    ) -> Self:
        """Create a query for every row of `test` with Rating >= threshold, by default that of a positive in `train`.

        `ties` is by default the rule of the mode, see `DEFAULT_TIES`.

        Raises
        ------
        DataError
            `train` isn't a data set, `test` is malformed, or no row of it reaches the threshold.
        ConfigError
            `mode` isn't one of the history modes, or `ties` no rule for equal timestamps.
        """
        require_dataset(train)
        require_history_mode(mode)
        return cls.from_checked_split(train, check_test_part(test, train), mode, threshold, ties)

    @classmethod
    def from_checked_split(
        cls,
        train: Dataset,
        test: pl.DataFrame,
        mode: HistoryMode,
        threshold: float | None = None,
        ties: Ties | None = None,
    ) -> Self:
        """Do the same as `from_split` with arguments that have been checked already.

        Raises DataError if no row of `test` reaches the threshold.
        """
        threshold = train.positive_rating if threshold is None else threshold
        ties = choose_ties(mode, ties)
        is_query = pl.col(RATING) >= threshold
        rows = test.filter(is_query).select(USER_ID, MOVIE_ID, TIMESTAMP)
        if rows.is_empty():
            raise DataError(f"the test part has no rating of at least {threshold:g}, so there are no queries")
        users, timestamps = encode_ids(rows[USER_ID]), rows[TIMESTAMP].to_numpy()
        if mode == "frozen":
            return cls(rows, train, train.histories(users, timestamps, ties))
        all_rows = train.with_rows(pl.concat([train.interactions(), test]))
        histories = all_rows.histories(users, timestamps, ties)
        if ties == "file-order":
            not_before = _count_tied_from_here(test, train).filter(test.select(is_query).to_series())
            histories = histories.without_last(not_before.to_numpy())
        return cls(rows, all_rows, histories)

    @classmethod
    def from_rows(cls, queries: pl.DataFrame, learned: Dataset, interactions: pl.DataFrame) -> Self:
        """Create queries for a model that was fitted on `learned`, each with its live history from `interactions`.

        The frames aren't checked: `queries` has UserID, MovieID and Timestamp of the positives; `interactions` are of
        the same data set as `learned`, and those with movies outside the model's catalog are left out.
        """
        dataset = learned.with_rows(interactions)
        histories = dataset.histories(encode_ids(queries[USER_ID]), queries[TIMESTAMP].to_numpy())
        return cls(queries, dataset, histories)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, part: BoolArray) -> Self:
        return replace(self, rows=self.rows.filter(part), histories=self.histories[part])

    @property
    def users(self) -> Int64Array:
        """int64[n_queries]: UserID, or the code of a text id, of each query."""
        return encode_ids(self.rows[USER_ID])

    @property
    def timestamps(self) -> Int64Array:
        """int64[n_queries]: timestamp of each query, POSIX seconds."""
        return self.rows[TIMESTAMP].to_numpy()

    @property
    def relevant(self) -> Int64Array:
        """int64[n_queries]: index of each query's relevant movie, -1 if it isn't in the catalog."""
        return self.dataset.index_of_movies(encode_ids(self.rows[MOVIE_ID]))

    def asks_for_seen(self) -> BoolArray:
        """Return bool[n_queries]: whether the history of each query holds its relevant movie, from an earlier second.

        With seen movies excluded, no list can hold it: in a log of plays or clicks, people do the same again. A row in
        the query's own second is the query itself, which a model has learned from; that is a leak, not a repeat.
        """
        found = np.zeros(len(self), dtype=np.bool_)
        relevant, timestamps = self.relevant, self.timestamps
        for start in range(0, len(self), QUERIES_AT_ONCE):
            part = slice(start, start + QUERIES_AT_ONCE)
            query, row = self.histories[part].rows()
            timeline = self.histories.timeline
            is_it = timeline.movies[row] == relevant[part][query]
            is_it &= timeline.timestamps[row] < timestamps[part][query]
            found[start + query[is_it]] = True
        return found

    def rank_with(self, model: Recommender, k: int = 10, exclude_seen: bool = True) -> Ranking:
        """Return the k best movies of a fitted model for every query; NotFittedError if it isn't fitted."""
        return Ranker.of(model, self.dataset).rank(self.histories, self.timestamps, k, exclude_seen)


def describe_seen(n_queries: int, excluded: str, included: str) -> str:
    """Return a sentence on queries for movies that were seen before; the figures are texts such as "NDCG@10 0.1"."""
    asked = number_of(n_queries, "query asks", "queries ask")
    return (
        f"{asked} for a movie that the user has watched before. With seen movies excluded, these are misses: "
        f"{excluded}; with seen movies included: {included}."
    )


def require_history_mode(mode: str) -> None:
    """Raise ConfigError unless `mode` is a history mode, "frozen" or "live"."""
    if mode not in get_args(HistoryMode):
        raise ConfigError(f"history is {mode!r}; expected frozen or live")


def choose_ties(mode: HistoryMode, ties: Ties | None) -> Ties:
    """Return the rule for rows of the query's own second: `ties`, by default that of the history mode.

    Raises ConfigError if `ties` is no such rule.
    """
    if ties is None:
        return DEFAULT_TIES[mode]
    require_ties(ties)
    return ties


def _count_tied_from_here(test: pl.DataFrame, train: Dataset) -> pl.Series:
    """Count for each row of the test part the rows of its user and second from it on, those outside the catalog left
    out: int64[n_test_rows]."""
    in_catalog = pl.Series(train.index_of_movies(encode_ids(test[MOVIE_ID])) >= 0)
    counts = test.select(in_catalog.cast(pl.Int64).alias("rows"), USER_ID, TIMESTAMP).select(
        pl.col("rows").cum_sum(reverse=True).over(USER_ID, TIMESTAMP)
    )
    return counts["rows"]


def check_test_part(test: IntoFrame, train: Dataset) -> pl.DataFrame:
    """Return a test part with its columns in their standard order and types; DataError says what is malformed."""
    return train.check(test, INTERACTIONS, "the test part")


def freeze_histories(train: Dataset, user_ids: Int64Array, timestamps: Int64Array) -> Histories:
    """Return each query's history: the user's rows in the train part up to and including the query's own second."""
    return train.histories(user_ids, timestamps, "file-order")
