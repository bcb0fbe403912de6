"""Movies that a fitted model hasn't learned, scored by what the catalog says about them.

A newcomer j gets the mean score of the learned movies that resemble it most, with more of what sets it apart:

    s(j) = m + b (sum_i w(i, j) s(i) - m),   w(i, j) proportional to sim(i, j)^4 for the 100 nearest i

    sim(i, j) = cos(genres) + 0.5 exp(-|years apart| / 10) + cos(words of the titles, tf-idf)

m is the mean score of the learned movies. Models that score by an item vector are linear in it, so this is at once the
mapping of content to item vectors of Gantner et al., "Learning Attribute-to-Feature Mappings for Cold-Start
Recommendations" (ICDM 2010, their k-nearest-neighbours mapping), and it needs nothing of a model but its scores.

A mean of neighbours never stands out as a single movie does: with b = 1 no newcomer would ever be recommended. So b is
chosen such that learned movies, scored as if they were newcomers, reach the ten best of a sample of users a given share
as often as movies do on average.
"""

from typing import Self

import numpy as np
import polars as pl
from pydantic import Field
from scipy.sparse import csr_array

from nextreel.arrays import Arrays, BoolArray, Float32Array, Int32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Histories
from nextreel.data.titles import YEAR
from nextreel.errors import QueryError
from nextreel.models.base import ModelConfig, Recommender
from nextreel.models.training.epochs import Training
from nextreel.ranking.genres import share_genres, unit_rows
from nextreel.wording import number_of

YEAR_WEIGHT, YEARS_APART = 0.5, 10.0
"""Likeness of movies of the same year, and years over which it falls to 1 / e."""
SHARPNESS = 4
"""Power of the likeness that a neighbour is weighted by."""
WORD = r"[\p{L}\p{N}']+"
BEST = 10
SAMPLED_USERS, SAMPLED_MOVIES = 128, 500
"""What b is found with."""


class ColdStartMoviesConfig(ModelConfig):
    """How newcomers are scored."""

    neighbours: int = Field(default=100, ge=1)
    """Learned movies that a newcomer's score is made of."""
    exposure: float = Field(default=0.25, gt=0, le=1)
    """How often a newcomer comes among the ten best, relative to the average learned movie."""


class ColdStartMovies(Recommender):
    """A model whose catalog may hold movies that it hasn't learned; those it has learned keep their scores."""

    Config = ColdStartMoviesConfig
    config: ColdStartMoviesConfig

    learned_: BoolArray
    """bool[n_model]: the movies of the model's own catalog that it has learned from interactions."""
    boost_: Float32Array
    """float32[1]: b."""
    n_movies_: Int64Array
    """int64[1]: movies of the whole catalog, whose first n_model are the model's own."""
    newcomers_: Int64Array
    """int64[n_newcomers]: the movies that are scored by their neighbours, ascending."""
    neighbours_: Int32Array
    """int32[n_newcomers, k]: learned movies, by index."""
    weights_: Float32Array
    """float32[n_newcomers, k]: w, which sums to 1 or, where nothing resembles the movie, to 0."""

    def __init__(self, model: Recommender, config: ColdStartMoviesConfig | None = None) -> None:
        super().__init__(config)
        self._model = model

    @classmethod
    def around(
        cls, model: Recommender, dataset: Dataset, config: ColdStartMoviesConfig | None = None
    ) -> Self:
        """A model that is fitted already, on this dataset; movies without an interaction in it are newcomers."""
        return cls(model, config)._learn(dataset)

    def over(self, movies: pl.DataFrame) -> Self:
        """The same for a catalog that grew: MovieID, Title, Genres (list), Year, the model's own movies first."""
        n_model = len(self.learned_)
        if len(movies) < n_model:
            raise QueryError(
                f"the catalog has {number_of(len(movies), 'movie')}; the model's own {n_model} come first"
            )
        grown = type(self)(self._model, self.config)
        grown.learned_, grown.boost_ = self.learned_, self.boost_
        grown._place(movies)
        return grown

    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        """Fit the model itself, then learn how to score what it doesn't know."""
        self._model.fit(dataset, training)
        return self._learn(dataset)

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        """float32[n_queries, n_movies] over the whole catalog."""
        known = self._model.score(self._keep_known(histories), timestamps)
        scores = np.empty((len(timestamps), int(self.n_movies_[0])), dtype=np.float32)
        scores[:, : known.shape[1]] = known
        if len(self.newcomers_):
            middle = known[:, self.learned_].mean(axis=1, keepdims=True)
            lift = _mean_of_neighbours(known, self.neighbours_, self.weights_)
            lift -= middle * self.weights_.sum(axis=1)
            scores[:, self.newcomers_] = middle + self.boost_ * lift
        return scores

    def knows(self, histories: Histories) -> BoolArray:
        """As the model itself, by the movies that are its own."""
        return self._model.knows(self._keep_known(histories))

    @property
    def state(self) -> Arrays:
        """The model's arrays are in it under their names after "model"."""
        return {**super().state, **{f"model {name}": array for name, array in self._model.state.items()}}

    def restore(self, state: Arrays) -> Self:
        """Take over the fitted arrays of both."""
        own = "model "
        self._model.restore({name.removeprefix(own): a for name, a in state.items() if name.startswith(own)})
        return super().restore({name: a for name, a in state.items() if not name.startswith(own)})

    def _learn(self, dataset: Dataset) -> Self:
        self.learned_ = np.bincount(dataset.timeline.movies, minlength=dataset.n_movies) > 0
        self.boost_ = np.array([self._find_boost(dataset)], dtype=np.float32)
        self._place(dataset.movies)
        return self

    def _place(self, movies: pl.DataFrame) -> None:
        """Find the neighbours of all movies that aren't learned."""
        new = np.ones(len(movies), dtype=np.bool_)
        new[: len(self.learned_)] = ~self.learned_
        self.n_movies_ = np.array([len(movies)])
        self.newcomers_ = np.flatnonzero(new)
        self.neighbours_, self.weights_ = self._find_neighbours(movies, self.newcomers_)

    def _find_neighbours(self, movies: pl.DataFrame, of: Int64Array) -> tuple[Int32Array, Float32Array]:
        """The learned movies most like each of some, itself never, and their weights."""
        learned = np.flatnonzero(self.learned_)
        alike = find_likeness(movies, of, learned)
        alike[of[:, None] == learned] = 0
        k = min(self.config.neighbours, len(learned))
        nearest = (
            np.argpartition(-alike, k - 1, axis=1)[:, :k] if k else np.empty((len(of), 0), dtype=np.int64)
        )
        weights = np.take_along_axis(alike, nearest, axis=1) ** SHARPNESS
        weights /= np.maximum(weights.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return learned[nearest].astype(np.int32), weights

    def _find_boost(self, dataset: Dataset) -> float:
        """b, by scoring learned movies as if they were newcomers, for users as their histories end."""
        timeline, learned = dataset.timeline, np.flatnonzero(self.learned_)
        users = _spread(np.flatnonzero(np.diff(timeline.offsets)), SAMPLED_USERS)
        timestamps = timeline.timestamps[timeline.offsets[users + 1] - 1] + 1
        histories = dataset.histories(dataset.user_ids[users], timestamps)
        known = self._model.knows(histories)
        histories, timestamps = histories[known], timestamps[known]
        if len(timestamps) == 0:
            return 1.0
        scores = self._model.score(histories, timestamps)
        middle = scores[:, learned].mean(axis=1, keepdims=True)
        asked = _spread(learned, SAMPLED_MOVIES)
        lift = _mean_of_neighbours(scores, *self._find_neighbours(dataset.movies, asked)) - middle
        query, row = histories.rows()
        scores[:, ~self.learned_] = -np.inf
        scores[query, timeline.movies[row]] = -np.inf
        unseen = np.isfinite(scores[:, asked])
        best = min(BEST, scores.shape[1])
        bar = -np.partition(-scores, best - 1, axis=1)[:, best - 1 : best] - middle
        comparable = unseen & (lift > 0) & (bar > 0) & np.isfinite(bar)
        needed = np.sort(np.divide(bar, lift, out=np.full_like(lift, np.inf), where=comparable), axis=None)
        boost = needed[int(self.config.exposure * best / len(learned) * len(needed))]
        return float(boost) if np.isfinite(boost) else 1.0

    def _keep_known(self, histories: Histories) -> Histories:
        """The same without rows of movies that the model has no number for."""
        timeline, n_model = histories.timeline, len(self.learned_)
        if int(self.n_movies_[0]) == n_model:
            return histories
        query, row = histories.rows()
        own = timeline.movies[row] < n_model
        if own.all():
            return histories
        return histories.keep(query[own], row[own])


def find_likeness(movies: pl.DataFrame, of: Int64Array, to: Int64Array) -> Float32Array:
    """sim of some movies of a catalog, by index, to others: float32[len(of), len(to)]."""
    genres = unit_rows(share_genres(movies))
    years = movies["Year"].cast(pl.Float32).to_numpy()
    words = _weigh_words(movies["Title"])
    alike = genres[of] @ genres[to].T
    apart = np.abs(years[of][:, None] - years[to])
    alike += YEAR_WEIGHT * np.nan_to_num(np.exp(-apart / np.float32(YEARS_APART)))
    alike += (words[of] @ words[to].T).toarray()
    return alike


def _weigh_words(titles: pl.Series) -> csr_array:
    """Sparse float32[n_movies, n_words]: unit vectors, a word weighing the more the fewer titles have it."""
    words = (
        pl.DataFrame(
            {"movie": np.arange(len(titles)), "word": titles.str.replace(YEAR, "").str.to_lowercase()}
        )
        .with_columns(pl.col("word").str.extract_all(WORD))
        .explode("word")
        .drop_nulls()
        .unique()
        .with_columns(
            column=pl.col("word").rank("dense") - 1, weight=(1 + len(titles) / pl.len().over("word")).log()
        )
        .with_columns(pl.col("weight") / (pl.col("weight") ** 2).sum().over("movie").sqrt())
        .sort("movie", "column")
    )
    n_words = words["word"].n_unique()
    entries = (
        words["weight"].cast(pl.Float32).to_numpy(),
        (words["movie"].to_numpy(), words["column"].to_numpy()),
    )
    return csr_array(entries, shape=(len(titles), n_words))


def _mean_of_neighbours(scores: Float32Array, neighbours: Int32Array, weights: Float32Array) -> Float32Array:
    """float32[n_queries, n_newcomers] of the scores of a model's movies."""
    bounds = np.arange(len(weights) + 1) * weights.shape[1]
    mapping = csr_array((weights.ravel(), neighbours.ravel(), bounds), shape=(len(weights), scores.shape[1]))
    means: Float32Array = (mapping @ scores.T).T
    return means


def _spread(values: Int64Array, most: int) -> Int64Array:
    """At most so many of the values, evenly."""
    return values[:: 1 + (len(values) - 1) // most] if len(values) else values
