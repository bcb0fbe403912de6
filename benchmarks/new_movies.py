"""Movies held out of training entirely: what genres, year and title are worth before anybody has rated a movie.

All interactions with a share of the movies, drawn by chance among those with enough of them, are kept from the model.
The positives of the test part that fall on these movies are asked for among the held-out movies alone and among the
whole catalog; the other positives show what newcomers in the lists cost. Histories hold what the users rated, held-out
movies included, as a server would know it; a model that hasn't learned a movie passes over it. `learned` is the same
model, fitted with these movies: how far content is from behaviour. With `inner`, the split's rule is applied to the
train part again: what options are chosen on.
"""

import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np

from nextreel.arrays import BoolArray, Float32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.reading.table_reader import read_tables
from nextreel.data.schema import MOVIE_ID
from nextreel.data.splitting.split_rules import SplitRule, split_interactions
from nextreel.data.timeline import Histories
from nextreel.evaluation.bootstrap import estimate_mean
from nextreel.evaluation.metrics import METRICS, ranks_of
from nextreel.evaluation.protocol import EvaluationQueries
from nextreel.models.base import ModelConfig, Recommender
from nextreel.models.popularity import Popularity
from nextreel.models.registry import create_model
from nextreel.models.training.epochs import Training
from nextreel.ranking.cold_start_movies import ColdStartMovies, ColdStartMoviesConfig
from nextreel.ranking.genres import share_genres
from nextreel.ranking.ranker import Ranker, Ranking, find_released_at

K = 10
TIMINGS = 200
"""Single queries that the time is the median of."""


class Chance(Recommender):
    """Any order."""

    Config = ModelConfig

    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        """Remember the size of the catalog."""
        self.n_movies_ = np.array([dataset.n_movies])
        return self

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        """float32[n_queries, n_movies], the same whenever it is asked in the same batches."""
        return np.random.default_rng(0).random((len(timestamps), int(self.n_movies_[0])), dtype=np.float32)


class GenrePopularity(Recommender):
    """The mean popularity, as of the moment, of the movies of each genre, averaged over a movie's genres."""

    Config = ModelConfig

    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        """Count as popularity does."""
        self._popularity = Popularity().fit(dataset)
        shares = share_genres(dataset.movies)
        rated = np.bincount(dataset.timeline.movies, minlength=dataset.n_movies) > 0
        of_genre = shares * rated[:, None]
        self.means_ = of_genre / np.maximum(of_genre.sum(axis=0), 1)
        self.shares_ = shares
        return self

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        """float32[n_queries, n_movies]."""
        scores: Float32Array = (self._popularity.score(histories, timestamps) @ self.means_) @ self.shares_.T
        return scores


def measure(config: dict[str, Any], data: Path) -> dict[str, Any]:
    """Metrics pooled over the draws of held-out movies, what newcomers cost, how often they come up, and times."""
    tables = read_tables(data)
    rule = SplitRule.for_rule(**config["split"])
    split = split_interactions(tables.interactions, rule)
    if config.get("inner"):
        split = split_interactions(split.train, rule)
    train = Dataset.from_frames(split.train, tables.movies, tables.users)
    questions = EvaluationQueries.from_split(train, split.test, "frozen", rule.threshold)
    options = ColdStartMoviesConfig.parse(config["newcomers"])
    ranks: dict[str, list[Int64Array]] = defaultdict(list)
    parts, exposures, times = [], [], []
    learned = create_model(config["model"], config.get("options", {})).fit(train)
    for seed in config["seeds"]:
        held_out = _draw_movies(train, config["share"], config["at_least"], seed)
        known = train.with_interactions(split.train.filter(~_is_of(split.train[MOVIE_ID], train, held_out)))
        model = create_model(config["model"], config.get("options", {})).fit(known)
        newcomers = ColdStartMovies.wrap(model, known, options)
        on_held_out = held_out[questions.relevant]
        asked = questions[on_held_out]
        for name, one in {
            "chance": Chance().fit(known),
            "genre-popularity": GenrePopularity().fit(known),
            "newcomers": newcomers,
            "learned": learned,
        }.items():
            answers = _rank(one, known, asked, held_out)
            ranks[name].append(ranks_of(answers.movies, asked.relevant))
        for name, allowed in {"whole, without newcomers": ~held_out, "whole, newcomers": None}.items():
            answers = _rank(newcomers, known, questions, allowed)
            ranks[name].append(ranks_of(answers.movies, questions.relevant))
        exposures.append(
            {
                "seed": seed,
                "boost": newcomers.boost_,
                "share_of_movies": float(held_out.mean()),
                "share_of_positives": float(on_held_out.mean()),
                "share_of_places": float(held_out[answers.movies].mean()),
            }
        )
        parts.append(on_held_out)
        times.append(_time(newcomers, model, known, options, asked))
    pooled = {name: np.concatenate(of_seeds) for name, of_seeds in ranks.items()}
    on_held_out = np.concatenate(parts)
    users = np.tile(questions.users, len(parts))
    among = {name: pooled[name] for name in ("chance", "genre-popularity", "newcomers", "learned")}
    without, with_newcomers = pooled["whole, without newcomers"], pooled["whole, newcomers"]
    whole = {
        part: {
            "queries": int(chosen.sum()),
            "without_newcomers": _metrics(without[chosen], users[chosen]),
            "newcomers": _metrics(with_newcomers[chosen], users[chosen]),
            "difference": _metrics(with_newcomers[chosen], users[chosen], without[chosen]),
        }
        for part, chosen in {
            "held_out": on_held_out,
            "others": ~on_held_out,
            "all": np.ones_like(on_held_out),
        }.items()
    }
    return {
        "data": {"sha256": train.fingerprint, "train_rows": len(split.train), "test_rows": len(split.test)},
        "queries_of_held_out": int(on_held_out.sum()),
        "among_held_out": {name: _metrics(of_model, users[on_held_out]) for name, of_model in among.items()},
        "above_genre_popularity": _metrics(among["newcomers"], users[on_held_out], among["genre-popularity"]),
        "whole_catalog": whole,
        "exposure": exposures,
        "processor_milliseconds": {
            name: statistics.median(each[name] for each in times) for name in times[0]
        },
    }


def _draw_movies(train: Dataset, share: float, at_least: int, seed: int) -> BoolArray:
    """bool[n_movies]: a share of the movies with at least so many interactions."""
    counts = np.bincount(train.timeline.movies, minlength=train.n_movies)
    able = np.flatnonzero(counts >= at_least)
    drawn = np.zeros(train.n_movies, dtype=np.bool_)
    drawn[np.random.default_rng(seed).choice(able, size=round(share * len(able)), replace=False)] = True
    return drawn


def _is_of(movie_ids: Any, train: Dataset, movies: BoolArray) -> Any:
    return movie_ids.is_in(train.movie_ids[movies].tolist())


def _rank(
    model: Recommender, known: Dataset, questions: EvaluationQueries, allowed: BoolArray | None
) -> Ranking:
    """Answers in which popularity, too, knows nothing of the movies held out."""
    ranker = Ranker(
        model, Popularity().fit(known), find_released_at(questions.dataset.timeline, questions.dataset.movies)
    )
    return ranker.rank(questions.histories, questions.timestamps, K, allowed=allowed)


def _metrics(ranks: Int64Array, users: Int64Array, minus: Int64Array | None = None) -> dict[str, Any]:
    """Means with their intervals, or those of the differences to other ranks of the same queries."""
    return {
        f"{name}@{K}": asdict(
            estimate_mean(metric(ranks, K) - (0 if minus is None else metric(minus, K)), users)
        )
        for name, metric in METRICS.items()
    }


def _time(
    newcomers: ColdStartMovies,
    model: Recommender,
    known: Dataset,
    options: ColdStartMoviesConfig,
    questions: EvaluationQueries,
) -> dict[str, float]:
    """Milliseconds of the processor: to wrap a fitted model, to add a movie, to score a query without and with."""
    histories, timestamps = questions.histories[:TIMINGS], questions.timestamps[:TIMINGS]
    singles = [(histories[i : i + 1], timestamps[i : i + 1]) for i in range(len(timestamps))]
    grown = known.movies.vstack(known.movies.tail(1))
    return {
        "construct": _median_ms([lambda: ColdStartMovies.wrap(model, known, options)] * 3),
        "add_a_movie": _median_ms([lambda: newcomers.for_catalog(grown)] * 3),
        "score_without": _median_ms([lambda one=one: model.score(*one) for one in singles]),  # type: ignore[misc]
        "score_with": _median_ms([lambda one=one: newcomers.score(*one) for one in singles]),  # type: ignore[misc]
    }


def _median_ms(tasks: list[Callable[[], object]]) -> float:
    seconds = []
    for task in tasks:
        started = time.process_time()
        task()
        seconds.append(time.process_time() - started)
    return round(1000 * statistics.median(seconds), 3)
