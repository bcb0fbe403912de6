"""The protocol: each positive of the test part is a query, and its movie is the one relevant answer.

`frozen`  The user's history ends with the train part, as in the course's notebook and in most papers. Rows of
          the query's own second count if they stand in the train part: there the file's order says that they
          came first.
`live`    The history holds everything strictly before the query's Timestamp, earlier test rows included:
          what a server would know by then, so that its figure is what the server would have answered.

The model itself is the same; it isn't fitted again. The answers come from the same code that serves them.
"""

from dataclasses import asdict, dataclass, replace
from typing import Literal, Self, cast, get_args

import numpy as np
import polars as pl

from nextreel.arrays import BoolArray, Int64Array
from nextreel.data.dataset import Dataset, require_dataset
from nextreel.data.schema import INTERACTIONS, MOVIE_ID, POSITIVE, RATING, TIMESTAMP, USER_ID
from nextreel.data.timeline import Histories
from nextreel.data.value_checks import in_form
from nextreel.errors import ConfigError, DataError
from nextreel.evaluation.bootstrap import Estimate, estimate_mean
from nextreel.evaluation.metrics import ranks_of, score_ranks
from nextreel.evaluation.slices import estimate_slices, slice_by_gap, slice_by_length
from nextreel.models.base import Recommender, require_model
from nextreel.ranking.ranker import Ranker, Ranking
from nextreel.wording import number_of

History = Literal["frozen", "live"]
TEST_PART = "the test part"


@dataclass(frozen=True)
class Questions:
    """The queries of a test part, each with what is known by its moment."""

    queries: pl.DataFrame
    """UserID, MovieID, Timestamp of each positive: who is asked about, the relevant movie, when."""
    known: Dataset
    """The interactions that the histories are cut from, on the train part's catalog."""
    histories: Histories

    @classmethod
    def pose(cls, train: Dataset, test: pl.DataFrame, history: History, threshold: float = POSITIVE) -> Self:
        """A query for every row of `test` with Rating >= threshold.

        Raises DataError if there is none or a table isn't in form, ConfigError for a history of another name.
        """
        require_dataset(train)
        if history not in get_args(History):
            raise ConfigError(f"history is {history!r}; expected frozen or live")
        test = in_form(test, INTERACTIONS, TEST_PART)
        queries = test.filter(pl.col(RATING) >= threshold).select(USER_ID, MOVIE_ID, TIMESTAMP)
        if queries.is_empty():
            raise DataError(
                f"the test part has no rating of at least {threshold:g}, so there is nothing to ask"
            )
        users, at = queries[USER_ID].to_numpy(), queries[TIMESTAMP].to_numpy()
        if history == "frozen":
            return cls(queries, train, freeze_histories(train, users, at))
        rows = train.interactions()
        known = train.with_interactions(pl.concat([rows, test]))
        return cls(queries, known, known.histories(users, at))

    def __len__(self) -> int:
        return len(self.queries)

    def __getitem__(self, part: BoolArray) -> Self:
        return replace(self, queries=self.queries.filter(part), histories=self.histories[part])

    @property
    def users(self) -> Int64Array:
        """int64[n_queries]: UserID."""
        return self.queries[USER_ID].to_numpy()

    @property
    def at(self) -> Int64Array:
        """int64[n_queries]: POSIX seconds."""
        return self.queries[TIMESTAMP].to_numpy()

    @property
    def relevant(self) -> Int64Array:
        """int64[n_queries]: index of the relevant movie, -1 for one outside the catalog."""
        return self.known.index_of_movies(self.queries[MOVIE_ID].to_numpy())

    def ask(self, model: Recommender, k: int = 10, exclude_seen: bool = True) -> Ranking:
        """A fitted model's answers."""
        return Ranker.of(model, self.known).rank(self.histories, self.at, k, exclude_seen)


@dataclass(frozen=True)
class Evaluation:
    """One model's figures under one protocol."""

    queries: pl.DataFrame
    """UserID, MovieID, Timestamp of the positives that were asked about."""
    ranks: Int64Array
    """int64[n_queries]: where the relevant movie stood in the list, from 1; 0 if it wasn't there."""
    personal: int
    """Queries that the model answered itself; popularity answered the others."""
    outside_catalog: int
    """Queries whose movie the model can't recommend; they count as not recommended."""
    learned_too: int
    """Rows of the test part that stand in the train part too: a leak."""
    protocol: dict[str, object]
    """How the figures were made: history, k, threshold, exclude_seen."""
    metrics: dict[str, Estimate]
    """By name, such as NDCG@10."""
    slices: dict[str, BoolArray]
    """bool[n_queries] by name: parts of the queries by their gap and by the length of their history."""

    @property
    def n_users(self) -> int:
        """Users with a query."""
        return self.queries[USER_ID].n_unique()

    def facts(self) -> dict[str, object]:
        """All but the single queries, in the form of JSON."""
        return {
            "protocol": self.protocol,
            "queries": len(self.queries),
            "users": self.n_users,
            "answered_by_popularity": len(self.queries) - self.personal,
            "outside_catalog": self.outside_catalog,
            "learned_too": self.learned_too,
            "metrics": {name: asdict(estimate) for name, estimate in self.metrics.items()},
            "slices": {
                name: {"queries": int(self.slices[name].sum())} | {m: asdict(e) for m, e in estimates.items()}
                for name, estimates in self.slice_metrics().items()
            },
        }

    def slice_metrics(self) -> dict[str, dict[str, Estimate]]:
        """The metrics of each slice that has queries."""
        users, k = self.queries[USER_ID].to_numpy(), cast("int", self.protocol["k"])
        return estimate_slices(self.slices, self.ranks, users, k)

    def notes(self) -> list[str]:
        """What a reader of the figures must know, as sentences."""
        notes = []
        if self.learned_too:
            rows = number_of(self.learned_too, "row of the test part was", "rows of the test part were")
            notes.append(f"A leak: {rows} learned from too.")
        unknown = "users that the model doesn't know"
        if by_popularity := len(self.queries) - self.personal:
            queries = number_of(by_popularity, f"query of {unknown} was", f"queries of {unknown} were")
            notes.append(f"{queries} answered by popularity.")
        if self.outside_catalog:
            queries = number_of(self.outside_catalog, "query asks", "queries ask")
            notes.append(f"{queries} for a movie outside the catalog; that counts as missed.")
        return notes


def evaluate(
    model: Recommender,
    train: Dataset,
    test: pl.DataFrame,
    history: History = "frozen",
    k: int = 10,
    threshold: float = POSITIVE,
    exclude_seen: bool = True,
) -> Evaluation:
    """Ask the model about every row of `test` with Rating >= threshold.

    A movie outside the catalog counts as not recommended; its query is kept.
    """
    require_model(model)
    questions = Questions.pose(train, test, history, threshold)
    ranking, relevant = questions.ask(model, k, exclude_seen), questions.relevant
    ranks = ranks_of(ranking.movies, relevant)
    return Evaluation(
        questions.queries,
        ranks,
        personal=int(ranking.personal.sum()),
        outside_catalog=int((relevant < 0).sum()),
        learned_too=_count_learned(train, in_form(test, INTERACTIONS, TEST_PART)),
        protocol={"history": history, "k": k, "threshold": threshold, "exclude_seen": exclude_seen},
        metrics={
            name: estimate_mean(values, questions.users) for name, values in score_ranks(ranks, [k]).items()
        },
        slices=slice_by_gap(questions.histories, questions.at) | slice_by_length(questions.histories),
    )


def freeze_histories(train: Dataset, user_ids: Int64Array, at: Int64Array) -> Histories:
    """The users' histories as the train part has them; never a row later than the query's second."""
    return train.histories(user_ids, at + 1)


def _count_learned(train: Dataset, test: pl.DataFrame) -> int:
    """Rows of `test` that stand in `train` too: of the same user, second and movie."""
    user_ids, at = test[USER_ID].to_numpy(), test[TIMESTAMP].to_numpy()
    before, until = train.histories(user_ids, at), freeze_histories(train, user_ids, at)
    query, row = replace(until, starts=before.stops).rows()
    movie = train.index_of_movies(test[MOVIE_ID].to_numpy())
    return len(np.unique(query[train.timeline.movies[row] == movie[query]]))
