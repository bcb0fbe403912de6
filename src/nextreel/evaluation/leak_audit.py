"""The leak audit: does a split let a model know what it couldn't have known, and what is that worth?

Under frozen history, five facts are looked for, each of them a count, a sentence and a price: the same questions
scored with what leaks and without it, and the difference with its interval.

`shared rows`       Rows of the test part that stand in the train part too. Without: they leave the train part, and
                    so they do before anything else is looked for, lest they count twice.
`own future`        Train rows of the asked user that are later than the query. Without: fitted without all rows that
                    are later than their user's first query.
`others' future`    Train rows of other users that are later than the query. Without: the queries are divided into
                    windows of time and each is answered by a model of the rows before its window. Such a model has
                    fewer rows, too, so the second price is against a model of as many rows of users drawn whole
                    from all times; neither of the two has rows of the asked users from the window on.
`not there yet`     Queries about a movie whose first train row isn't earlier: only the future or nobody tells of it.
                    Without: these queries are left out. The second price is of the rule that a list holds no movie
                    before its year or its first rating.
`ties at the cut`   Queries whose history holds rows of the query's own second, of which nobody knows that they came
                    first. Without: histories end strictly before the second.

A price may be negative: a row that stands in the history is a movie seen, which isn't recommended again, while it
tells of the user's taste when others of the user's queries are answered.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import polars as pl

from nextreel.arrays import BoolArray, Float64Array
from nextreel.data.dataset import Dataset
from nextreel.data.schema import MOVIE_ID, TIMESTAMP, USER_ID
from nextreel.data.splitting.split_directory import TrainTest
from nextreel.data.timeline import NEVER
from nextreel.data.times import DAY
from nextreel.evaluation.bootstrap import Estimate, UserBootstrap
from nextreel.evaluation.metrics import ndcg, ranks_of
from nextreel.evaluation.protocol import EvaluationQueries
from nextreel.models.base import Recommender
from nextreel.ranking.ranker import Ranker
from nextreel.wording import number_of

WINDOWS = 4
"""Each holds a fifth of the queries; those of the earliest fifth have too little before them and aren't asked."""
ROW = [USER_ID, MOVIE_ID, TIMESTAMP]


@dataclass(frozen=True)
class LeakEffect:
    """One measurement of a leak."""

    label: str
    queries: int
    leaking: Estimate
    """NDCG with the leak."""
    sealed: Estimate
    """NDCG without it."""
    difference: Estimate
    """What the leak adds."""


@dataclass(frozen=True)
class Leak:
    """One kind of leak: how often it happens and what it is worth."""

    name: str
    queries: int
    """Queries that it touches."""
    sentence: str
    prices: tuple[LeakEffect, ...] = ()
    """Empty where there is nothing to measure."""
    details: Mapping[str, float] | None = None
    """Further counts by name."""


@dataclass(frozen=True)
class Audit:
    """All leaks that were looked for, those that weren't found too."""

    queries: int
    users: int
    k: int
    exclude_seen: bool
    leaks: tuple[Leak, ...]

    @property
    def found(self) -> tuple[Leak, ...]:
        """Leaks that are there, though they may touch no query."""
        return tuple(leak for leak in self.leaks if leak.queries or leak.prices)

    def facts(self) -> dict[str, Any]:
        """In the form of JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Auditor:
    """One split under audit, and a model that tells what each leak is worth."""

    parts: TrainTest
    create: Callable[[], Recommender]
    """A model that isn't fitted yet."""
    k: int = 10
    exclude_seen: bool = True
    on_step: Callable[[str], None] = lambda what: None
    """Called before each fit with what it is for."""

    def run(self) -> Audit:
        """Look for every leak and measure those that are found."""
        shared, sealed = self.find_shared_rows(), self.sealed
        leaks = (
            shared,
            sealed.find_own_future(),
            sealed.find_future_of_others(),
            sealed.find_not_there_yet(),
            sealed.find_ties(),
        )
        users = len(np.unique(self.questions.users))
        return Audit(len(self.questions), users, self.k, self.exclude_seen, leaks)

    @cached_property
    def shared(self) -> pl.DataFrame:
        """Rows of the train part that stand in the test part too."""
        return self.parts.train.interactions().join(self.parts.test, on=ROW, how="semi")

    @cached_property
    def sealed(self) -> Self:
        """The same without the shared rows."""
        if self.shared.is_empty():
            return self
        rows = self.parts.train.interactions().join(self.shared, on=ROW, how="anti")
        train = self.parts.train.with_rows(rows)
        return replace(self, parts=replace(self.parts, train=train))

    @cached_property
    def questions(self) -> EvaluationQueries:
        """All queries, with histories that end with the train part."""
        return EvaluationQueries.from_split(self.parts.train, self.parts.test, "frozen", self.parts.threshold)

    @cached_property
    def bootstrap(self) -> UserBootstrap:
        """Draws of users that all prices share."""
        return UserBootstrap(self.questions.users)

    @cached_property
    def model(self) -> Recommender:
        """Fitted on the whole train part."""
        return self._fit(self.parts.train, "fitting on the train part")

    @cached_property
    def scores(self) -> Float64Array:
        """NDCG of each query as the split has it."""
        return self._ask(self.model, self.questions)

    def find_shared_rows(self) -> Leak:
        """Rows that stand in both parts, and the score of a model that hasn't learned them."""
        shared, sealed = self.shared, self.sealed
        if shared.is_empty():
            return Leak("shared rows", 0, "No row of the test part stands in the train part.")
        touched = _mark(self.questions, shared)
        prices = [
            self._price(
                f"{label}, seen movies {'excluded' if exclude_seen else 'included'}",
                self._ask(self.model, self.questions, exclude_seen),
                sealed._ask(sealed.model, sealed.questions, exclude_seen),
                part,
            )
            for exclude_seen in (self.exclude_seen, not self.exclude_seen)
            for label, part in (
                ("all queries", None),
                ("queries of shared rows", touched),
                ("other queries", ~touched),
            )
            if part is None or part.any()
        ]
        n_users = shared[USER_ID].n_unique()
        users = number_of(n_users, "user")
        return Leak(
            "shared rows",
            int(touched.sum()),
            f"{number_of(len(shared), f'row of {users} stands', f'rows of {users} stand')} in both parts: "
            f"the model is asked about {number_of(int(touched.sum()), 'row')} that it has learned, "
            f"{_share(touched)} of the queries.",
            tuple(prices),
            {"rows": len(shared), "users": n_users},
        )

    def find_own_future(self) -> Leak:
        """Train rows of the asked user that are later than a query."""
        questions, train = self.questions, self.parts.train
        all_rows = train.histories(questions.users, np.full(len(questions), NEVER))
        later = all_rows.stops - questions.histories.stops
        touched = later > 0
        if not touched.any():
            return Leak(
                "own future", 0, "No user has train rows that are later than one of the user's queries."
            )
        first = questions.queries.group_by(USER_ID).agg(pl.col(TIMESTAMP).min().alias("first"))
        rows = train.interactions().join(first, on=USER_ID, how="left", maintain_order="left")
        kept = rows.filter((pl.col(TIMESTAMP) <= pl.col("first")).fill_null(True)).drop("first")
        sentence = (
            f"{_queries(touched, 'is', 'are')} earlier than train rows of the same user; "
            f"in the median of these, {number_of(round(np.median(later[touched])), 'row')}."
        )
        if not self._learns_later_rows:
            return Leak("own future", int(touched.sum()), f"{sentence} {self._cuts()}")
        model = self._fit(train.with_rows(kept), "fitting without the users' own future")
        price = self._price(
            "whole train part, against no later rows", self.scores, self._ask(model, questions)
        )
        return Leak("own future", int(touched.sum()), sentence, (price,))

    def find_future_of_others(self) -> Leak:
        """Train rows of other users that are later than a query."""
        questions, timeline = self.questions, self.parts.train.timeline
        ascending = np.sort(timeline.timestamps)
        own = self.parts.train.histories(questions.users, np.full(len(questions), NEVER)).stops
        later = len(ascending) - np.searchsorted(ascending, questions.timestamps, side="right")
        later = later - (own - questions.histories.stops)
        touched = later > 0
        if not touched.any():
            return Leak("others' future", 0, "No train row of another user is later than a query.")
        days = (ascending[-1] - questions.timestamps)[touched] / DAY
        details = {
            "median_rows_later": float(np.median(later[touched])),
            "median_share_of_train": float(np.median(later[touched]) / len(ascending)),
            "median_days": float(np.median(days)),
        }
        rows, days = round(details["median_rows_later"]), round(details["median_days"])
        sentence = (
            f"{_queries(touched, 'is', 'are')} earlier than train rows of other users: in the median "
            f"{number_of(rows, 'row')} ({details['median_share_of_train']:.1%} of the train part), "
            f"reaching {number_of(days, 'day')} beyond the query."
        )
        if not self._learns_later_rows:
            return Leak("others' future", int(touched.sum()), f"{sentence} {self._cuts()}", details=details)
        return Leak("others' future", int(touched.sum()), sentence, self._price_future(), details)

    def _price_future(self) -> tuple[LeakEffect, ...]:
        questions = self.questions
        rows, random = self.parts.train.interactions(), np.random.default_rng(self.bootstrap.seed)
        edges = np.unique(
            np.quantile(questions.timestamps, np.arange(1, WINDOWS + 1) / (WINDOWS + 1)).astype(np.int64)
        )
        past, anytime = self.scores.copy(), self.scores.copy()
        asked = np.zeros(len(questions), dtype=np.bool_)
        for number, (opens, closes) in enumerate(zip(edges, [*edges[1:], NEVER], strict=True), start=1):
            inside = (questions.timestamps >= opens) & (questions.timestamps < closes)
            before = rows.filter(pl.col(TIMESTAMP) < opens)
            if before.is_empty() or not inside.any():
                continue
            users = questions.queries.filter(inside)[USER_ID].unique().to_list()
            drawn = _draw_users(rows, before, users, random)
            of_window = f"window {number} of {len(edges)}"
            for scores, part, what in ((past, before, "the past"), (anytime, drawn, "users of any time")):
                model = self._fit(self.parts.train.with_rows(part), f"fitting on {what}, {of_window}")
                scores[inside] = self._ask(model, questions[inside])
            asked |= inside
        if not asked.any():
            return ()
        return (
            self._price("whole train part, against rows before", self.scores, past, asked),
            self._price("users of any time, against rows before", anytime, past, asked),
        )

    def find_not_there_yet(self) -> Leak:
        """Queries about movies that no earlier train row tells of, and lists that hold movies before they are out."""
        questions, timeline = self.questions, self.parts.train.timeline
        first = np.full(self.parts.train.n_movies, NEVER)
        np.minimum.at(first, timeline.movies, timeline.timestamps)
        first_row = np.where(questions.relevant >= 0, first[questions.relevant], NEVER)
        never, later = first_row == NEVER, (first_row >= questions.timestamps) & (first_row < NEVER)
        touched = never | later
        ranker = Ranker.of(self.model, questions.dataset)
        early = int(
            (ranker.released_at[questions.relevant] > questions.timestamps)[questions.relevant >= 0].sum()
        )
        anything = replace(ranker, released_at=np.zeros_like(ranker.released_at))
        lists = anything.rank(questions.histories, questions.timestamps, self.k, self.exclude_seen).movies
        unborn = ranker.released_at[lists] > questions.timestamps[:, None]
        details = {
            "never_in_train": int(never.sum()),
            "first_row_later": int(later.sum()),
            "before_the_movie_is_out": early,
            "places_held_by_movies_not_out": int(unborn.sum()),
        }
        prices = []
        if touched.any():
            sentence = (
                f"{_queries(touched, 'asks', 'ask')} for a movie that no earlier train row tells "
                f"of: {details['never_in_train']:,} for one that isn't in the train part at all, "
                f"{details['first_row_later']:,} for one that only later rows tell of."
            )
            if not touched.all():
                prices.append(self._price_of_part("all, against movies rated before", ~touched))
        else:
            sentence = "Every query asks for a movie that an earlier train row tells of."
        if unborn.any():
            unruly = ndcg(ranks_of(lists, questions.relevant), self.k)
            prices.append(self._price("movies not out recommended, against never", unruly, self.scores))
            sentence += (
                f" Without the rule against it, {unborn.mean():.1%} of the places in the lists would go to "
                "movies that weren't out yet."
            )
        return Leak(
            "not there yet",
            max(int(touched.sum()), int(unborn.any(axis=1).sum())),
            sentence,
            tuple(prices),
            details,
        )

    def find_ties(self) -> Leak:
        """Histories that hold rows of the query's own second."""
        questions = self.questions
        strictly = self.parts.train.histories(questions.users, questions.timestamps)
        touched = strictly.stops < questions.histories.stops
        if not touched.any():
            return Leak("ties at the cut", 0, "No history holds a row of its query's own second.")
        n_users = len(np.unique(questions.users[touched]))
        scores = self._ask(self.model, replace(questions, histories=strictly))
        return Leak(
            "ties at the cut",
            int(touched.sum()),
            f"{_queries(touched, 'has', 'have')} train rows of the same user and second, "
            f"{number_of(n_users, 'user')} in all. "
            "The order of the file says that these came first; nothing else does.",
            (
                self._price("all queries", self.scores, scores),
                self._price("queries with such ties", self.scores, scores, touched),
            ),
            {"users": n_users},
        )

    @property
    def _learns_later_rows(self) -> bool:
        return not self.model.uses_only_past

    def _cuts(self) -> str:
        return "This model uses none of them: it cuts what it was fitted on at the query's moment."

    def _fit(self, train: Dataset, what: str) -> Recommender:
        self.on_step(what)
        return self.create().fit(train)

    def _ask(
        self, model: Recommender, questions: EvaluationQueries, exclude_seen: bool | None = None
    ) -> Float64Array:
        """NDCG of each query."""
        exclude_seen = self.exclude_seen if exclude_seen is None else exclude_seen
        movies = questions.rank_with(model, self.k, exclude_seen).movies
        return ndcg(ranks_of(movies, questions.relevant), self.k)

    def _price(
        self, label: str, leaking: Float64Array, sealed: Float64Array, part: BoolArray | None = None
    ) -> LeakEffect:
        estimates = self.bootstrap.estimate_all(np.column_stack([leaking, sealed, leaking - sealed]), part)
        return LeakEffect(label, len(leaking) if part is None else int(part.sum()), *estimates)

    def _price_of_part(self, label: str, part: BoolArray) -> LeakEffect:
        """Of all queries as they are, against a part of them alone."""
        ones = np.ones(len(self.scores))
        columns = np.column_stack([self.scores, ones, self.scores * part, part])
        leaking, sealed = self.bootstrap.estimate(self.scores), self.bootstrap.estimate(self.scores, part)
        drawn = self.bootstrap.sums(columns)
        drawn = drawn[drawn[:, 3] > 0]
        change = drawn[:, 0] / drawn[:, 1] - drawn[:, 2] / drawn[:, 3]
        difference = self.bootstrap.interval(leaking.mean - sealed.mean, change)
        return LeakEffect(label, len(ones), leaking, sealed, difference)


def _draw_users(
    rows: pl.DataFrame, before: pl.DataFrame, asked: list[int], random: np.random.Generator
) -> pl.DataFrame:
    """About as many rows as `before` has: those of the asked users in it, and all rows of others drawn at random."""
    is_asked = pl.col(USER_ID).is_in(asked)
    own, others = before.filter(is_asked), rows.filter(~is_asked)
    sizes = others.group_by(USER_ID).len().sort(USER_ID)
    order = random.permutation(len(sizes))
    enough = np.cumsum(sizes["len"].to_numpy()[order]) <= len(before) - len(own)
    chosen = sizes[USER_ID].to_numpy()[order[enough]].tolist()
    return pl.concat([own, others.filter(pl.col(USER_ID).is_in(chosen))]).sort(TIMESTAMP, maintain_order=True)


def _mark(questions: EvaluationQueries, rows: pl.DataFrame) -> BoolArray:
    """bool[n_queries]: which questions are about one of the rows."""
    marked = rows.select(ROW).unique().with_columns(found=pl.lit(True))
    joined = questions.queries.join(marked, on=ROW, how="left", maintain_order="left")
    return joined["found"].fill_null(False).to_numpy()


def _queries(touched: BoolArray, verb: str, verb_of_many: str) -> str:
    share = _share(touched)
    return number_of(int(touched.sum()), f"query ({share}) {verb}", f"queries ({share}) {verb_of_many}")


def _share(touched: BoolArray) -> str:
    return f"{touched.mean():.1%}"
