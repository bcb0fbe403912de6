"""The leak audit: does a split let a model learn what it couldn't have known at a query's timestamp?

It looks for five kinds of leaks under frozen history. Each has a count, a sentence, and its effect on NDCG: the score
of the same queries with the leak and without it.

`shared rows`       Test rows that are in the train part too. Without the leak: they are removed from the train part.
                    They are removed before the other leaks are looked for, so that they don't count twice.
`own future`        Train rows of the query's own user that are later than the query. Without the leak: the model is
                    fitted without any row that is later than its user's first query.
`others' future`    Train rows of other users that are later than the query. Without the leak: the queries are divided
                    into windows of time, and a model fitted on the rows before a window ranks its queries.
`not there yet`     Queries about a movie that has no earlier train row. Without the leak: these queries are left out.
                    A second effect is that of the rule that no movie is recommended before its release, which is its
                    year or its first rating.
`ties at the cut`   Queries whose history holds rows of the query's own second; nothing but the order of the file says
                    that these came first. Without the leak: the histories end strictly before that second.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import numpy as np
import polars as pl
from pydantic import JsonValue

from nextreel.arrays import BoolArray, Int64Array
from nextreel.data.schema import MOVIE_ID, TIMESTAMP, USER_ID
from nextreel.data.splitting.split_directory import TrainTest
from nextreel.data.timeline import NEVER
from nextreel.data.times import DAY
from nextreel.evaluation.leaks.leak_effects import EffectMeter, LeakEffect, measure_future_of_others
from nextreel.evaluation.protocol import EvaluationQueries
from nextreel.models.base import Recommender
from nextreel.ranking.ranker import Ranker
from nextreel.wording import number_of

ROW = [USER_ID, MOVIE_ID, TIMESTAMP]
"""Columns that identify an interaction: two rows equal in all of them count as the same one."""
USES_ONLY_PAST = "This model uses none of them: it uses only train rows that are earlier than the query."


@dataclass(frozen=True)
class Leak:
    """One kind of leak in a split: how many queries it touches and how much it changes NDCG."""

    name: str
    queries: int
    """Number of test queries that this kind of leak touches."""
    sentence: str
    """Sentence on what was found, also if there is no such leak."""
    effects: tuple[LeakEffect, ...] = ()
    """Effects of the leak on NDCG; empty if there is nothing to measure."""
    details: dict[str, float] | None = None
    """Further counts that are specific to this kind of leak, by name."""

    def facts(self) -> dict[str, JsonValue]:
        """Return the leak in the form that is written as JSON."""
        return {
            "name": self.name,
            "queries": self.queries,
            "sentence": self.sentence,
            "prices": [asdict(effect) for effect in self.effects],
            "details": None if self.details is None else {**self.details},
        }


@dataclass(frozen=True)
class Audit:
    """The result of auditing a split for leaks."""

    queries: int
    """Number of queries in the test part."""
    users: int
    """Number of users with at least one query."""
    k: int
    exclude_seen: bool
    leaks: tuple[Leak, ...]
    """One entry per kind of leak that was looked for, including those that weren't found."""

    @property
    def found(self) -> tuple[Leak, ...]:
        """The kinds of leaks that exist; one may have an effect although it touches no query."""
        return tuple(leak for leak in self.leaks if leak.queries or leak.effects)

    def facts(self) -> dict[str, JsonValue]:
        """Return the audit in the form that is written as JSON."""
        return {
            "queries": self.queries,
            "users": self.users,
            "k": self.k,
            "exclude_seen": self.exclude_seen,
            "leaks": [leak.facts() for leak in self.leaks],
        }


def audit_split(
    parts: TrainTest,
    create: Callable[[], Recommender],
    k: int = 10,
    exclude_seen: bool = True,
    on_step: Callable[[str], None] = lambda step: None,
) -> Audit:
    """Look for every kind of leak in a split and measure the effects of those that are found.

    Parameters
    ----------
    parts : TrainTest
        The split to audit: its train part and its test part.
    create : callable
        Creates the model that the effects are measured with, unfitted. It is fitted up to eleven times.
    k : int
        Length of the recommendation lists and cutoff of NDCG.
    exclude_seen : bool
        Whether movies in the history are left out of the lists.
    on_step : callable
        Called before each fit with a description of the fit.

    Raises
    ------
    DataError
        The test part has no queries.
    QueryError
        k is less than 1 or exceeds the size of the catalog.
    """
    meter = EffectMeter(parts, create, k, exclude_seen, on_step)
    rows = parts.train.interactions()
    shared = rows.join(parts.test, on=ROW, how="semi")
    sealed = meter if shared.is_empty() else meter.with_train_rows(rows.join(shared, on=ROW, how="anti"))
    leaks = (
        _find_shared_rows(meter, sealed, shared),
        _find_own_future(sealed),
        _find_future_of_others(sealed),
        _find_not_there_yet(sealed),
        _find_ties(sealed),
    )
    return Audit(len(meter.queries), len(np.unique(meter.queries.users)), k, exclude_seen, leaks)


def _find_shared_rows(meter: EffectMeter, sealed: EffectMeter, shared: pl.DataFrame) -> Leak:
    """Measure the leak `shared rows`: rows of both parts. `sealed` measures the split whose train part lacks them."""
    if shared.is_empty():
        return Leak("shared rows", 0, "No row of the test part is in the train part.")
    touched = _mark_queries(meter.queries, shared)
    n_touched, n_users = int(touched.sum()), shared[USER_ID].n_unique()
    users = number_of(n_users, "user")
    sentence = (
        f"{number_of(len(shared), f'row of {users} is', f'rows of {users} are')} in both parts: "
        f"{number_of(n_touched, 'query asks', 'queries ask')} for a row that the model has learned from, "
        f"{_percentage(touched)} of all."
    )
    effects = [
        meter.compare(
            f"{label}, seen movies {'excluded' if exclude_seen else 'included'}",
            meter.score(meter.model, meter.queries, exclude_seen),
            sealed.score(sealed.model, sealed.queries, exclude_seen),
            part,
        )
        for exclude_seen in (meter.exclude_seen, not meter.exclude_seen)
        for label, part in (
            ("all queries", None),
            ("queries of shared rows", touched),
            ("other queries", ~touched),
        )
        if part is None or part.any()
    ]
    return Leak("shared rows", n_touched, sentence, tuple(effects), {"rows": len(shared), "users": n_users})


def _find_own_future(meter: EffectMeter) -> Leak:
    """Measure the leak `own future`: train rows of a query's user that are later than the query."""
    queries, train = meter.queries, meter.parts.train
    n_later = _count_own_later_rows(meter)
    touched = n_later > 0
    if not touched.any():
        return Leak("own future", 0, "No user has train rows that are later than one of the user's queries.")
    sentence = (
        f"{_count_queries(touched, 'is', 'are')} earlier than train rows of the same user; "
        f"in the median of these, {number_of(round(np.median(n_later[touched])), 'row')}."
    )
    if meter.model.uses_only_past:
        return Leak("own future", int(touched.sum()), f"{sentence} {USES_ONLY_PAST}")
    first = queries.rows.group_by(USER_ID).agg(pl.col(TIMESTAMP).min().alias("first"))
    rows = train.interactions().join(first, on=USER_ID, how="left", maintain_order="left")
    sealed_rows = rows.filter((pl.col(TIMESTAMP) <= pl.col("first")).fill_null(True)).drop("first")
    model = meter.fit(train.with_rows(sealed_rows), "fitting without the users' own future")
    sealed = meter.score(model, queries)
    effect = meter.compare("whole train part, against no later rows", meter.scores, sealed)
    return Leak("own future", int(touched.sum()), sentence, (effect,))


def _find_future_of_others(meter: EffectMeter) -> Leak:
    """Measure the leak `others' future`: train rows of other users that are later than the query."""
    queries = meter.queries
    ascending = np.sort(meter.parts.train.timeline.timestamps)
    n_later = len(ascending) - np.searchsorted(ascending, queries.timestamps, side="right")
    n_later = n_later - _count_own_later_rows(meter)
    touched = n_later > 0
    if not touched.any():
        return Leak("others' future", 0, "No train row of another user is later than a query.")
    days = (ascending[-1] - queries.timestamps)[touched] / DAY
    details = {
        "median_rows_later": float(np.median(n_later[touched])),
        "median_share_of_train": float(np.median(n_later[touched]) / len(ascending)),
        "median_days": float(np.median(days)),
    }
    n_rows, n_days = round(details["median_rows_later"]), round(details["median_days"])
    sentence = (
        f"{_count_queries(touched, 'is', 'are')} earlier than train rows of other users: in the median "
        f"{number_of(n_rows, 'row')} ({details['median_share_of_train']:.1%} of the train part), "
        f"reaching {number_of(n_days, 'day')} beyond the query."
    )
    if meter.model.uses_only_past:
        return Leak("others' future", int(touched.sum()), f"{sentence} {USES_ONLY_PAST}", details=details)
    effects = measure_future_of_others(meter)
    return Leak("others' future", int(touched.sum()), sentence, effects, details)


def _find_not_there_yet(meter: EffectMeter) -> Leak:
    """Measure the leak `not there yet`: queries about movies without an earlier train row, and places in the lists that
    unreleased movies would take."""
    queries, ranker = meter.queries, Ranker.of(meter.model, meter.queries.dataset)
    first_row = _find_first_rows(meter)
    never, later = first_row == NEVER, (first_row >= queries.timestamps) & (first_row < NEVER)
    unknown = never | later
    lists = meter.rank_without_releases(ranker)
    unreleased = ranker.released_at[lists] > queries.timestamps[:, None]
    details: dict[str, float] = {
        "never_in_train": int(never.sum()),
        "first_row_later": int(later.sum()),
        "before_the_movie_is_out": _count_queries_before_release(ranker, queries),
        "places_held_by_movies_not_out": int(unreleased.sum()),
    }
    sentence, effects = "The movie of every query has an earlier train row.", []
    if unknown.any():
        sentence = (
            f"{_count_queries(unknown, 'asks', 'ask')} for a movie that has no earlier train row: "
            f"{details['never_in_train']:,} for one that isn't in the train part at all, "
            f"{details['first_row_later']:,} for one that has only later rows."
        )
        if not unknown.all():
            effects.append(meter.compare_to_part("all, against movies rated before", ~unknown))
    if unreleased.any():
        sentence += (
            f" If lists could hold movies that weren't out yet, these would take {unreleased.mean():.1%} of the "
            "places."
        )
        scores = meter.score_lists(lists, queries)
        effects.append(meter.compare("movies not out recommended, against never", scores, meter.scores))
    n_touched = max(int(unknown.sum()), int(unreleased.any(axis=1).sum()))
    return Leak("not there yet", n_touched, sentence, tuple(effects), details)


def _find_ties(meter: EffectMeter) -> Leak:
    """Measure the leak `ties at the cut`: queries whose history holds rows of the query's own second."""
    queries = meter.queries
    strict = meter.parts.train.histories(queries.users, queries.timestamps)
    touched = strict.stops < queries.histories.stops
    if not touched.any():
        return Leak("ties at the cut", 0, "No history holds a row of its query's own second.")
    n_users = len(np.unique(queries.users[touched]))
    sentence = (
        f"{_count_queries(touched, 'has', 'have')} train rows of the same user and second, "
        f"{number_of(n_users, 'user')} in all. "
        "Only the order of the file says that these rows came first."
    )
    sealed = meter.score(meter.model, replace(queries, histories=strict))
    effects = (
        meter.compare("all queries", meter.scores, sealed),
        meter.compare("queries with such ties", meter.scores, sealed, touched),
    )
    return Leak("ties at the cut", int(touched.sum()), sentence, effects, {"users": n_users})


def _mark_queries(queries: EvaluationQueries, rows: pl.DataFrame) -> BoolArray:
    """Return bool[n_queries]: whether each query has the user, movie and timestamp of one of the rows."""
    marked = rows.select(ROW).unique().with_columns(marked=pl.lit(True))
    joined = queries.rows.join(marked, on=ROW, how="left", maintain_order="left")
    return joined["marked"].fill_null(False).to_numpy()


def _count_own_later_rows(meter: EffectMeter) -> Int64Array:
    """Return int64[n_queries]: the number of train rows of the query's user that are later than the query."""
    queries = meter.queries
    all_rows = meter.parts.train.histories(queries.users, np.full(len(queries), NEVER))
    return all_rows.stops - queries.histories.stops


def _find_first_rows(meter: EffectMeter) -> Int64Array:
    """Return int64[n_queries]: timestamp of the first train row of each relevant movie, NEVER if it has none."""
    timeline, relevant = meter.parts.train.timeline, meter.queries.relevant
    first = np.full(meter.parts.train.n_movies, NEVER)
    np.minimum.at(first, timeline.movies, timeline.timestamps)
    return np.where(relevant >= 0, first[relevant], NEVER)


def _count_queries_before_release(ranker: Ranker, queries: EvaluationQueries) -> int:
    """Count the queries whose relevant movie is in the catalog but wasn't released yet at the query's timestamp."""
    relevant = queries.relevant
    return int((ranker.released_at[relevant] > queries.timestamps)[relevant >= 0].sum())


def _count_queries(touched: BoolArray, verb: str, plural_verb: str) -> str:
    """Return the number of queries with their share and a verb, such as "25 queries (2.5%) ask"."""
    share = _percentage(touched)
    return number_of(int(touched.sum()), f"query ({share}) {verb}", f"queries ({share}) {plural_verb}")


def _percentage(touched: BoolArray) -> str:
    return f"{touched.mean():.1%}"
