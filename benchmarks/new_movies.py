"""Cold-start movies: what genres, year and title are worth before anybody has rated a movie.

A random share of the movies with enough interactions is held out of training entirely. The positives of the test part
that are on held-out movies are queried twice: with lists of the held-out movies alone, and with lists of the whole
catalog. The other positives show what it costs to let cold-start movies into the lists. Histories hold everything that
the users rated, held-out movies included, as on a server; a model ignores the movies that it hasn't learned.

In the result file, "newcomers" are cold-start movies that are scored by their content, and "learned" is the same model
fitted with the held-out movies, as an upper bound. With `inner` in the config, the train part is split once more by the
same rule; options are chosen on such an inner split.
"""

import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl

from benchmarks.run import Config, Result
from benchmarks.split_data import SplitData
from nextreel.arrays import BoolArray, Float32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.schema import MOVIE_ID
from nextreel.data.splitting.split_rules import SplitRule
from nextreel.data.timeline import Histories
from nextreel.evaluation.bootstrap import estimate_mean
from nextreel.evaluation.metrics import ranks_of, score_ranks
from nextreel.evaluation.protocol import EvaluationQueries
from nextreel.models.base import ModelConfig, Recommender
from nextreel.models.popularity import Popularity
from nextreel.models.registry import create_model
from nextreel.models.training.epochs import Training
from nextreel.ranking.cold_start_movies import ColdStartMovies, ColdStartMoviesConfig
from nextreel.ranking.genres import share_genres
from nextreel.ranking.ranker import Ranker, Ranking, find_released_at

K = 10
TIMED_QUERIES = 200
"""Maximum number of single queries that are timed."""
TIMED_FITS = 3
WITHOUT_COLD_START, WITH_COLD_START = "without cold-start movies", "with cold-start movies"
"""Lists of the whole catalog, and whether cold-start movies may be in them."""


class RandomOrder(Recommender):
    """Ranks the movies in a random order, as the lower bound."""

    Config = ModelConfig

    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        """Remember the size of the catalog."""
        self.n_movies_ = np.array([dataset.n_movies])
        return self

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        """Return random scores, float32[n_queries, n_movies], which are the same for the same number of queries."""
        return np.random.default_rng(0).random((len(timestamps), int(self.n_movies_[0])), dtype=np.float32)


class GenrePopularity(Recommender):
    """Scores a movie by the mean popularity of its genres' movies as of the query, averaged over its genres."""

    Config = ModelConfig

    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        """Fit popularity, and compute each movie's weight in the mean of each genre."""
        self._popularity = Popularity().fit(dataset)
        shares = share_genres(dataset.movies)
        is_rated = np.bincount(dataset.timeline.movies, minlength=dataset.n_movies) > 0
        rated_shares = shares * is_rated[:, None]
        self.means_ = rated_shares / np.maximum(rated_shares.sum(axis=0), 1)
        self.shares_ = shares
        return self

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        """Return float32[n_queries, n_movies]."""
        scores: Float32Array = (self._popularity.score(histories, timestamps) @ self.means_) @ self.shares_.T
        return scores


@dataclass(frozen=True)
class _Draw:
    """The results of one draw of held-out movies."""

    is_on_held_out: BoolArray
    """bool[n_queries]: whether the relevant movie of each query is held out."""
    among_held_out: dict[str, Int64Array]
    """Ranks in lists of the held-out movies alone, of the queries on held-out movies, by model."""
    whole_catalog: dict[str, Int64Array]
    """Ranks in lists of the whole catalog, of all queries."""
    exposure: Result
    """How often held-out movies are in the lists of the whole catalog."""
    milliseconds: dict[str, float]


def measure(config: Config, data: Path) -> Result:
    """Return metrics over all draws of held-out movies, how often such movies are listed, and processor times."""
    split = SplitData.read(data, SplitRule.for_rule(**config["split"]), config.get("inner", False))
    queries = EvaluationQueries.from_split(split.train, split.test, "frozen", split.rule.threshold)
    learned = create_model(config["model"], config.get("options", {})).fit(split.train)
    draws = [_measure_draw(config, split, queries, learned, seed) for seed in config["seeds"]]

    is_on_held_out = np.concatenate([draw.is_on_held_out for draw in draws])
    users = np.tile(queries.users, len(draws))
    held_out_users = users[is_on_held_out]
    among = _join_ranks([draw.among_held_out for draw in draws])
    whole = _join_ranks([draw.whole_catalog for draw in draws])
    parts = {"held_out": is_on_held_out, "others": ~is_on_held_out, "all": np.ones_like(is_on_held_out)}
    return {
        "data": split.facts(),
        "queries_of_held_out": int(is_on_held_out.sum()),
        "among_held_out": {name: _estimate(ranks, held_out_users) for name, ranks in among.items()},
        "above_genre_popularity": _estimate(
            among["newcomers"], held_out_users, minus=among["genre-popularity"]
        ),
        "whole_catalog": {
            name: _compare_whole(whole[WITHOUT_COLD_START][part], whole[WITH_COLD_START][part], users[part])
            for name, part in parts.items()
        },
        "exposure": [draw.exposure for draw in draws],
        "processor_milliseconds": {
            name: statistics.median(draw.milliseconds[name] for draw in draws)
            for name in draws[0].milliseconds
        },
    }


def _measure_draw(
    config: Config, split: SplitData, queries: EvaluationQueries, learned: Recommender, seed: int
) -> _Draw:
    train = split.train
    is_held_out = _draw_movies(train, config["share"], config["at_least"], seed)
    held_out_ids = train.movie_ids[is_held_out].tolist()
    known = train.with_interactions(split.train_rows.filter(~pl.col(MOVIE_ID).is_in(held_out_ids)))
    model = create_model(config["model"], config.get("options", {})).fit(known)
    options = ColdStartMoviesConfig.parse(config["newcomers"])
    cold_start = ColdStartMovies.wrap(model, known, options)

    is_on_held_out = is_held_out[queries.relevant]
    held_out_queries = queries[is_on_held_out]
    models: dict[str, Recommender] = {
        "chance": RandomOrder().fit(known),
        "genre-popularity": GenrePopularity().fit(known),
        "newcomers": cold_start,
        "learned": learned,
    }
    among = {name: _rank(model, known, held_out_queries, is_held_out) for name, model in models.items()}
    without_cold_start = _rank(cold_start, known, queries, ~is_held_out)
    with_cold_start = _rank(cold_start, known, queries, None)
    return _Draw(
        is_on_held_out,
        {name: ranks_of(lists.movies, held_out_queries.relevant) for name, lists in among.items()},
        {
            WITHOUT_COLD_START: ranks_of(without_cold_start.movies, queries.relevant),
            WITH_COLD_START: ranks_of(with_cold_start.movies, queries.relevant),
        },
        {
            "seed": seed,
            "boost": cold_start.boost_,
            "share_of_movies": float(is_held_out.mean()),
            "share_of_positives": float(is_on_held_out.mean()),
            "share_of_places": float(is_held_out[with_cold_start.movies].mean()),
        },
        _time(cold_start, model, known, options, held_out_queries),
    )


def _draw_movies(train: Dataset, share: float, at_least: int, seed: int) -> BoolArray:
    """Return bool[n_movies]: a random share of the movies with at least so many interactions."""
    counts = np.bincount(train.timeline.movies, minlength=train.n_movies)
    candidates = np.flatnonzero(counts >= at_least)
    drawn = np.zeros(train.n_movies, dtype=np.bool_)
    size = round(share * len(candidates))
    drawn[np.random.default_rng(seed).choice(candidates, size=size, replace=False)] = True
    return drawn


def _rank(
    model: Recommender, known: Dataset, queries: EvaluationQueries, allowed: BoolArray | None
) -> Ranking:
    """Return lists for which the fallback to popularity hasn't learned the held-out movies either."""
    ranker = Ranker(
        model, Popularity().fit(known), find_released_at(queries.dataset.timeline, queries.dataset.movies)
    )
    return ranker.rank(queries.histories, queries.timestamps, K, allowed=allowed)


def _join_ranks(draws: list[dict[str, Int64Array]]) -> dict[str, Int64Array]:
    joined: dict[str, list[Int64Array]] = defaultdict(list)
    for draw in draws:
        for name, ranks in draw.items():
            joined[name].append(ranks)
    return {name: np.concatenate(ranks) for name, ranks in joined.items()}


def _compare_whole(without: Int64Array, with_cold_start: Int64Array, users: Int64Array) -> Result:
    return {
        "queries": len(users),
        "without_newcomers": _estimate(without, users),
        "newcomers": _estimate(with_cold_start, users),
        "difference": _estimate(with_cold_start, users, minus=without),
    }


def _estimate(ranks: Int64Array, users: Int64Array, minus: Int64Array | None = None) -> Result:
    """Return the metrics of the ranks, or with `minus` the differences to other ranks of the same queries."""
    scores = score_ranks(ranks, [K])
    if minus is not None:
        scores = {name: scores[name] - values for name, values in score_ranks(minus, [K]).items()}
    return {name: asdict(estimate_mean(values, users)) for name, values in scores.items()}


def _time(
    cold_start: ColdStartMovies,
    model: Recommender,
    known: Dataset,
    options: ColdStartMoviesConfig,
    queries: EvaluationQueries,
) -> dict[str, float]:
    """Return processor milliseconds of wrapping a fitted model, of adding a movie, and of single queries."""
    histories, timestamps = queries.histories[:TIMED_QUERIES], queries.timestamps[:TIMED_QUERIES]
    single = [slice(number, number + 1) for number in range(len(timestamps))]
    grown = known.movies.vstack(known.movies.tail(1))
    return {
        "construct": _median_ms([lambda: ColdStartMovies.wrap(model, known, options)] * TIMED_FITS),
        "add_a_movie": _median_ms([lambda: cold_start.for_catalog(grown)] * TIMED_FITS),
        "score_without": _median_ms(
            [partial(model.score, histories[query], timestamps[query]) for query in single]
        ),
        "score_with": _median_ms(
            [partial(cold_start.score, histories[query], timestamps[query]) for query in single]
        ),
    }


def _median_ms(tasks: list[Callable[[], object]]) -> float:
    seconds = []
    for task in tasks:
        started = time.process_time()
        task()
        seconds.append(time.process_time() - started)
    return round(1000 * statistics.median(seconds), 3)
