"""Evaluating one model: its metrics with intervals, its slices, and what a reader must know."""

from dataclasses import asdict, dataclass, replace
from typing import cast

import numpy as np
import polars as pl

from nextreel.arrays import BoolArray, Int64Array
from nextreel.data.dataset import Dataset, require_dataset
from nextreel.data.schema import INTERACTIONS, MOVIE_ID, TIMESTAMP, USER_ID
from nextreel.data.value_checks import check_frame
from nextreel.evaluation.bootstrap import Estimate, estimate_mean
from nextreel.evaluation.metrics import ranks_of, score_ranks
from nextreel.evaluation.protocol import TEST_PART, EvaluationQueries, HistoryMode, freeze_histories
from nextreel.evaluation.slices import estimate_slices, slice_by_gap, slice_by_length
from nextreel.models.base import Recommender, require_model
from nextreel.wording import number_of


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
    history: HistoryMode = "frozen",
    k: int = 10,
    threshold: float | None = None,
    exclude_seen: bool = True,
) -> Evaluation:
    """Ask the model about every row of `test` with Rating >= threshold, by default the data set's positive rating.

    A movie outside the catalog counts as not recommended; its query is kept.
    """
    require_model(model)
    require_dataset(train)
    threshold = train.positive_rating if threshold is None else threshold
    questions = EvaluationQueries.from_split(train, test, history, threshold)
    ranking, relevant = questions.rank_with(model, k, exclude_seen), questions.relevant
    ranks = ranks_of(ranking.movies, relevant)
    return Evaluation(
        questions.queries,
        ranks,
        personal=int(ranking.personal.sum()),
        outside_catalog=int((relevant < 0).sum()),
        learned_too=_count_learned(train, check_frame(test, INTERACTIONS, TEST_PART)),
        protocol={"history": history, "k": k, "threshold": threshold, "exclude_seen": exclude_seen},
        metrics={
            name: estimate_mean(values, questions.users) for name, values in score_ranks(ranks, [k]).items()
        },
        slices=slice_by_gap(questions.histories, questions.timestamps) | slice_by_length(questions.histories),
    )


def _count_learned(train: Dataset, test: pl.DataFrame) -> int:
    """Rows of `test` that stand in `train` too: of the same user, second and movie."""
    user_ids, timestamps = test[USER_ID].to_numpy(), test[TIMESTAMP].to_numpy()
    before, until = train.histories(user_ids, timestamps), freeze_histories(train, user_ids, timestamps)
    query, row = replace(until, starts=before.stops).rows()
    movie = train.index_of_movies(test[MOVIE_ID].to_numpy())
    return len(np.unique(query[train.timeline.movies[row] == movie[query]]))
