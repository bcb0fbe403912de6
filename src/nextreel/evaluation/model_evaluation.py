"""The evaluation of one model on a test part: metrics with intervals, slices, and notes for the reader."""

from dataclasses import asdict, dataclass, field, replace
from typing import cast

import numpy as np
import polars as pl
from narwhals.typing import IntoFrame
from pydantic import JsonValue

from nextreel.arrays import BoolArray, Int64Array
from nextreel.data.dataset import Dataset, require_dataset
from nextreel.data.ids import encode_ids
from nextreel.data.schema import MOVIE_ID, TIMESTAMP, USER_ID
from nextreel.data.timeline import Ties
from nextreel.errors import DataError
from nextreel.evaluation.bootstrap import Estimate, estimate_mean
from nextreel.evaluation.metrics import ranks_of, score_ranks
from nextreel.evaluation.protocol import (
    EvaluationQueries,
    HistoryMode,
    check_test_part,
    choose_ties,
    describe_seen,
    freeze_histories,
    require_history_mode,
)
from nextreel.evaluation.slices import estimate_slices, slice_by_gap, slice_by_length
from nextreel.models.base import Recommender, require_model
from nextreel.notebook_html import to_html
from nextreel.prediction.predictor import Predictor
from nextreel.wording import number_of


@dataclass(frozen=True)
class Evaluation:
    """Metrics of one model on the queries of a test part, with the settings that they were computed under."""

    queries: pl.DataFrame
    """UserID, MovieID and Timestamp of every positive in the test part: the queries and their relevant movies."""
    ranks: Int64Array
    """int64[n_queries]: rank of the relevant movie in the recommendation list, from 1; 0 if it isn't in the list."""
    personal: int
    """Number of queries that the model ranked itself; the others were ranked by popularity."""
    outside_catalog: int
    """Number of queries whose movie isn't in the catalog, so that no model can recommend it; they count as misses."""
    learned_too: int
    """Number of test rows that are in the train part too, so that the model has learned them: a leak."""
    protocol: dict[str, JsonValue]
    """The settings of the evaluation: history mode, ties, list length k, threshold of a positive, whether seen movies
    are excluded."""
    metrics: dict[str, Estimate]
    """Mean of each metric over all queries, by a name such as NDCG@10."""
    slices: dict[str, BoolArray]
    """bool[n_queries] by name of the slice: marks its queries. Slices are by time since the last interaction and by
    length of the history."""

    asks_for_seen: int = 0
    """Number of queries for a movie in the user's history: with seen movies excluded, all of them are misses."""
    metrics_otherwise: dict[str, Estimate] = field(default_factory=dict)
    """The metrics with seen movies included if `metrics` excludes them, and the other way round; empty without a query
    for a seen movie."""

    @property
    def n_users(self) -> int:
        """Number of users with at least one query."""
        return self.queries[USER_ID].n_unique()

    def facts(self) -> dict[str, JsonValue]:
        """Return the evaluation except results of single queries, in the form that is written as JSON."""
        return {
            "protocol": self.protocol,
            "queries": len(self.queries),
            "users": self.n_users,
            "answered_by_popularity": len(self.queries) - self.personal,
            "outside_catalog": self.outside_catalog,
            "learned_too": self.learned_too,
            "metrics": {name: asdict(estimate) for name, estimate in self.metrics.items()},
            **self._seen_facts(),
            "slices": {
                name: {"queries": int(self.slices[name].sum())}
                | {metric: asdict(estimate) for metric, estimate in metrics.items()}
                for name, metrics in self.slice_metrics().items()
            },
        }

    def _seen_facts(self) -> dict[str, JsonValue]:
        if not self.asks_for_seen:
            return {}
        otherwise = "included" if self.protocol["exclude_seen"] else "excluded"
        figures: dict[str, JsonValue] = {
            name: asdict(estimate) for name, estimate in self.metrics_otherwise.items()
        }
        return {"asks_for_seen": self.asks_for_seen, f"metrics_with_seen_{otherwise}": figures}

    def slice_metrics(self) -> dict[str, dict[str, Estimate]]:
        """Return the metrics of every slice that has queries, by slice and then by metric."""
        users, k = encode_ids(self.queries[USER_ID]), cast("int", self.protocol["k"])
        return estimate_slices(self.slices, self.ranks, users, k)

    def notes(self) -> list[str]:
        """Return sentences on what a reader must know to interpret the metrics, such as a leak into training."""
        notes = []
        if self.learned_too:
            rows = number_of(self.learned_too, "row of the test part is", "rows of the test part are")
            notes.append(f"A leak: {rows} in the train part too.")
        if by_popularity := len(self.queries) - self.personal:
            unknown = "users that the model doesn't know"
            queries = number_of(by_popularity, f"query of {unknown} was", f"queries of {unknown} were")
            notes.append(f"{queries} answered by popularity.")
        if self.outside_catalog:
            queries = number_of(self.outside_catalog, "query asks", "queries ask")
            notes.append(f"{queries} for a movie outside the catalog, which counts as a miss.")
        if self.asks_for_seen:
            shown, otherwise = (
                ", ".join(f"{name} {estimate.mean:.4f}" for name, estimate in metrics.items())
                for metrics in (self.metrics, self.metrics_otherwise)
            )
            both = (shown, otherwise) if self.protocol["exclude_seen"] else (otherwise, shown)
            notes.append(describe_seen(self.asks_for_seen, *both))
        return notes

    def __repr__(self) -> str:
        metrics = ", ".join(f"{name} {estimate}" for name, estimate in self.metrics.items())
        return f"Evaluation({self._describe()}: {metrics})"

    def _repr_html_(self) -> str:
        rows = [
            (name, f"{estimate.mean:.4f}", f"{estimate.low:.4f} to {estimate.high:.4f}")
            for name, estimate in self.metrics.items()
        ]
        return to_html(f"Evaluation: {self._describe()}", rows, ("", "mean", "95 % interval"), self.notes())

    def _describe(self) -> str:
        queries = number_of(len(self.queries), "query", "queries")
        protocol = f"{self.protocol['history']} histories, {self.protocol['ties']} ties"
        return f"{queries} of {number_of(self.n_users, 'user')}, {protocol}"


def evaluate(
    model: Predictor | Recommender,
    train: Dataset | IntoFrame | None = None,
    test: IntoFrame | None = None,
    history: HistoryMode = "frozen",
    k: int = 10,
    threshold: float | None = None,
    exclude_seen: bool = True,
    ties: Ties | None = None,
) -> Evaluation:
    """Evaluate a fitted model on a test part: every row with Rating >= threshold is a query.

    A query whose movie isn't in the catalog is kept and counts as a miss. `evaluate(predictor, test)` is enough.

    Parameters
    ----------
    model : Predictor | Recommender
        A predictor whose dataset is the train part, or the model itself, fitted on `train`.
    train : Dataset
        The train part; with a predictor it may be left out.
    test : DataFrame
        The test part, a frame as `Dataset.from_frames` takes it: UserID, MovieID, Rating, Timestamp.
    history : "frozen" or "live"
        Whether histories end with the train part or hold everything before the query.
    k : int
        Length of the recommendation lists and cutoff of the metrics.
    threshold : float, optional
        Lowest rating of a query; by default the lowest positive rating of the data set.
    exclude_seen : bool
        Whether movies in the history are left out of the lists.
    ties : "strict" or "file-order", optional
        Whether rows of the query's own second that stand before it in the file are in its history. By default they are
        in a frozen history, as in most papers, and not in a live one, as on a server.

    Raises
    ------
    ConfigError
        `model` isn't a model, `history` is neither frozen nor live, or `ties` neither strict nor file-order.
    DataError
        `train` isn't a data set, `test` is missing or malformed, or no row of it reaches the threshold.
    NotFittedError
        The model isn't fitted.
    QueryError
        k is less than 1 or exceeds the size of the catalog.
    """
    if isinstance(model, Predictor):
        if test is None and not isinstance(train, Dataset):
            train, test = None, train
        train = model.dataset if train is None else train
        model = model.model
    require_model(model)
    require_dataset(train)
    train = cast("Dataset", train)
    require_history_mode(history)
    if test is None:
        raise DataError(
            "there is no test part; expected evaluate(predictor, test), with a frame of interactions"
        )
    test = check_test_part(test, train)
    threshold = train.positive_rating if threshold is None else threshold
    ties = choose_ties(history, ties)
    queries = EvaluationQueries.from_checked_split(train, test, history, threshold, ties)
    ranking, relevant = queries.rank_with(model, k, exclude_seen), queries.relevant
    ranks = ranks_of(ranking.movies, relevant)
    asks_for_seen = int(queries.asks_for_seen().sum())
    metrics_otherwise: dict[str, Estimate] = {}
    if asks_for_seen:
        other_ranks = ranks_of(queries.rank_with(model, k, not exclude_seen).movies, relevant)
        metrics_otherwise = _estimate_metrics(other_ranks, k, queries.users)
    return Evaluation(
        queries.rows,
        ranks,
        personal=int(ranking.personal.sum()),
        outside_catalog=int((relevant < 0).sum()),
        learned_too=_count_learned(train, test),
        protocol={
            "history": history,
            "ties": ties,
            "k": k,
            "threshold": threshold,
            "exclude_seen": exclude_seen,
        },
        metrics=_estimate_metrics(ranks, k, queries.users),
        asks_for_seen=asks_for_seen,
        metrics_otherwise=metrics_otherwise,
        slices=slice_by_gap(queries.histories, queries.timestamps) | slice_by_length(queries.histories),
    )


def _estimate_metrics(ranks: Int64Array, k: int, users: Int64Array) -> dict[str, Estimate]:
    return {name: estimate_mean(values, users) for name, values in score_ranks(ranks, [k]).items()}


def _count_learned(train: Dataset, test: pl.DataFrame) -> int:
    """Count the rows of `test` that are in `train` too, with the same user, movie and second."""
    user_ids, timestamps = encode_ids(test[USER_ID]), test[TIMESTAMP].to_numpy()
    earlier, until = train.histories(user_ids, timestamps), freeze_histories(train, user_ids, timestamps)
    query, row = replace(until, starts=earlier.stops).rows()
    movie = train.index_of_movies(encode_ids(test[MOVIE_ID]))
    return len(np.unique(query[train.timeline.movies[row] == movie[query]]))
