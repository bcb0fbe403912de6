"""Scores for cold-start movies, those that a fitted model hasn't learned, from the movies they resemble.

The score of a cold-start movie j is based on its neighbours, the learned movies whose content is most similar:

    s(j) = m + b (sum_i w(i, j) s(i) - m),   w(i, j) proportional to sim(i, j)^4 for the 100 most similar i

m is the mean score of the learned movies, and sim is the `content_similarity`. A model that scores by item vectors is
linear in them, so this equals the k-nearest-neighbours mapping from content to item vectors of Gantner et al.,
"Learning Attribute-to-Feature Mappings for Cold-Start Recommendations" (ICDM 2010); yet it only needs the scores.

A mean of neighbours is never an extreme score: with b = 1, a cold-start movie would hardly ever be recommended. The
boost b is therefore chosen on learned movies that are scored as if they were cold-start movies: it is the value at
which they reach the top ten of sampled users a given fraction as often as the average learned movie does.
"""

from collections.abc import Mapping
from typing import Self

import numpy as np
import polars as pl
from pydantic import Field
from scipy.sparse import csr_array

from nextreel.arrays import BoolArray, Float32Array, Int32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Histories
from nextreel.errors import QueryError
from nextreel.models.base import ModelConfig, Recommender
from nextreel.models.training.epochs import Training
from nextreel.ranking.content_similarity import content_similarity
from nextreel.wording import number_of

SHARPNESS = 4
"""Power to which a neighbour's content similarity is raised to get its weight w in the module's formula."""
LIST_LENGTH = 10
"""Length of the recommendation lists that cold-start movies should reach as often as the config's `exposure` says."""
SAMPLED_USERS, SAMPLED_MOVIES = 128, 500
"""Numbers of users and of movies sampled to choose the boost b: more change it little but take longer."""
NO_BOOST = 1.0
"""Boost b if the sample doesn't determine one: the score is then the weighted mean score of the neighbours."""


class ColdStartMoviesConfig(ModelConfig):
    """How cold-start movies are scored."""

    neighbours: int = Field(default=100, ge=1)
    """Number of learned movies that the score of a cold-start movie is based on."""
    exposure: float = Field(default=0.25, gt=0, le=1)
    """How often a cold-start movie reaches the top ten, relative to the average learned movie."""


class ColdStartMovies(Recommender):
    """A model that also scores the movies of the catalog that it hasn't learned; learned movies keep their scores."""

    Config = ColdStartMoviesConfig
    config: ColdStartMoviesConfig

    learned_: BoolArray
    """bool[n_model]: which movies of the model's own catalog are learned, as they have interactions to learn from."""
    boost_: float
    """b in the module's formula: the factor on the deviation of the neighbours' mean score from the overall mean m."""
    n_movies_: int
    """Number of movies in the whole catalog; the first n_model of them are the model's own."""
    cold_start_: Int64Array
    """int64[n_cold_start]: indices of the movies that are scored by their neighbours, ascending."""
    neighbours_: Int32Array
    """int32[n_cold_start, k]: indices of the k learned movies most similar to each of `cold_start_`, in no order."""
    weights_: Float32Array
    """float32[n_cold_start, k]: weights of `neighbours_`. A row sums to 1, or to 0 if no movie is similar."""

    def __init__(self, model: Recommender, config: ColdStartMoviesConfig | None = None) -> None:
        super().__init__(config)
        self._model = model

    @classmethod
    def wrap(cls, model: Recommender, dataset: Dataset, config: ColdStartMoviesConfig | None = None) -> Self:
        """Wrap a model that was fitted on `dataset`; the movies without interactions in it are cold-start movies."""
        return cls(model, config)._learn(dataset)

    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        """Fit the wrapped model, then choose the boost and the neighbours of the movies without interactions."""
        self._model.fit(dataset, training)
        return self._learn(dataset)

    def for_catalog(self, movies: pl.DataFrame, only_added: bool = False) -> Self:
        """Return the same model for a catalog that has grown.

        Parameters
        ----------
        movies : pl.DataFrame
            MovieID, Title, Genres (list) and Year of all movies: first the model's own in their order, then the added.
        only_added : bool
            Score only the added movies by their neighbours. All movies of the model's own catalog then keep the
            scores of the model itself, even those that it hasn't learned.

        Raises
        ------
        QueryError
            The catalog has fewer movies than the model's own.
        """
        n_model = len(self.learned_)
        if len(movies) < n_model:
            raise QueryError(
                f"the catalog has {number_of(len(movies), 'movie')}; expected at least the model's own {n_model}"
            )
        extended = type(self)(self._model, self.config)
        extended.learned_, extended.boost_ = self.learned_, self.boost_
        extended._find_cold_start(movies)
        if only_added:
            # Filtered afterwards, as a matrix product with fewer rows may round differently.
            extended._keep_cold_start(extended.cold_start_ >= n_model)
        return extended

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        """Score every movie of the whole catalog: float32[n_queries, n_movies]."""
        model_scores = self._model.score(self._keep_own_movies(histories), timestamps)
        scores = np.empty((len(timestamps), self.n_movies_), dtype=np.float32)
        scores[:, : model_scores.shape[1]] = model_scores
        if len(self.cold_start_):
            mean = model_scores[:, self.learned_].mean(axis=1, keepdims=True)
            deviation = _mean_of_neighbours(model_scores, self.neighbours_, self.weights_)
            deviation -= mean * self.weights_.sum(axis=1)
            scores[:, self.cold_start_] = mean + self.boost_ * deviation
        return scores

    def score_movies(self, histories: Histories, timestamps: Int64Array, movies: Int64Array) -> Float32Array:
        """Do as the base class, but leave out the other movies where none of `movies` is a cold-start movie."""
        if np.isin(movies, self.cold_start_).any():
            return super().score_movies(histories, timestamps, movies)
        return self._model.score_movies(self._keep_own_movies(histories), timestamps, movies)

    def knows(self, histories: Histories) -> BoolArray:
        """Return bool[n_queries]: whether the wrapped model knows the user by rated movies of its own catalog."""
        return self._model.knows(self._keep_own_movies(histories))

    @property
    def children(self) -> Mapping[str, Recommender]:
        """The wrapped model, under the name "model"."""
        return {"model": self._model}

    def _learn(self, dataset: Dataset) -> Self:
        self.learned_ = np.bincount(dataset.timeline.movies, minlength=dataset.n_movies) > 0
        self.boost_ = self._choose_boost(dataset)
        self._find_cold_start(dataset.movies)
        return self

    def _find_cold_start(self, movies: pl.DataFrame) -> None:
        """Set `cold_start_` to all movies of the catalog that aren't learned, and find their neighbours."""
        is_cold_start = np.ones(len(movies), dtype=np.bool_)
        is_cold_start[: len(self.learned_)] = ~self.learned_
        self.n_movies_ = len(movies)
        self.cold_start_ = np.flatnonzero(is_cold_start)
        self.neighbours_, self.weights_ = self._find_neighbours(movies, self.cold_start_)

    def _keep_cold_start(self, kept: BoolArray) -> None:
        """Restrict `cold_start_` to the movies marked in `kept`, bool[n_cold_start]; others get the model's scores."""
        self.cold_start_ = self.cold_start_[kept]
        self.neighbours_, self.weights_ = self.neighbours_[kept], self.weights_[kept]

    def _find_neighbours(self, catalog: pl.DataFrame, movies: Int64Array) -> tuple[Int32Array, Float32Array]:
        """Return the learned movies most similar to each of `movies`, other than itself, and their weights."""
        learned = np.flatnonzero(self.learned_)
        similarity = content_similarity(catalog, movies, learned)
        similarity[movies[:, None] == learned] = 0
        k = min(self.config.neighbours, len(learned))
        if k:
            nearest = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
        else:
            nearest = np.empty((len(movies), 0), dtype=np.int64)
        weights = np.take_along_axis(similarity, nearest, axis=1) ** SHARPNESS
        weights /= np.maximum(weights.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return learned[nearest].astype(np.int32), weights

    def _choose_boost(self, dataset: Dataset) -> float:
        """Return the boost b with which learned movies, scored by their neighbours, reach the config's `exposure`."""
        histories, timestamps = self._sample_queries(dataset)
        if len(timestamps) == 0:
            return NO_BOOST
        learned = np.flatnonzero(self.learned_)
        sampled = _sample_evenly(learned, SAMPLED_MOVIES)
        scores = self._model.score(histories, timestamps)
        mean = scores[:, learned].mean(axis=1, keepdims=True)
        deviation = _mean_of_neighbours(scores, *self._find_neighbours(dataset.movies, sampled)) - mean
        query, row = histories.rows()
        scores[:, ~self.learned_] = -np.inf
        scores[query, dataset.timeline.movies[row]] = -np.inf
        length = min(LIST_LENGTH, scores.shape[1])
        threshold = -np.partition(-scores, length - 1, axis=1)[:, length - 1 : length] - mean
        reachable = (
            np.isfinite(scores[:, sampled]) & (deviation > 0) & (threshold > 0) & np.isfinite(threshold)
        )
        # The boost with which each sampled movie would just reach the list of each user; inf if none does.
        needed = np.divide(threshold, deviation, out=np.full_like(deviation, np.inf), where=reachable)
        n_recommended = int(self.config.exposure * length / len(learned) * needed.size)
        boost = float(np.sort(needed, axis=None)[n_recommended])
        return boost if np.isfinite(boost) else NO_BOOST

    def _sample_queries(self, dataset: Dataset) -> tuple[Histories, Int64Array]:
        """Return histories and timestamps of queries for sampled users, each one second after their last interaction.

        Users whom the model doesn't know are left out.
        """
        timeline = dataset.timeline
        users = _sample_evenly(np.flatnonzero(np.diff(timeline.offsets)), SAMPLED_USERS)
        timestamps = timeline.timestamps[timeline.offsets[users + 1] - 1] + 1
        histories = dataset.histories(dataset.user_ids[users], timestamps)
        known = self._model.knows(histories)
        return histories[known], timestamps[known]

    def _keep_own_movies(self, histories: Histories) -> Histories:
        """Return the histories without interactions with movies outside the model's own catalog."""
        timeline, n_model = histories.timeline, len(self.learned_)
        if self.n_movies_ == n_model:
            return histories
        query, row = histories.rows()
        own = timeline.movies[row] < n_model
        if own.all():
            return histories
        return histories.keep(query[own], row[own])


def _mean_of_neighbours(scores: Float32Array, neighbours: Int32Array, weights: Float32Array) -> Float32Array:
    """Return the weighted mean score of each movie's neighbours, float32[n_queries, n_cold_start]."""
    bounds = np.arange(len(weights) + 1) * weights.shape[1]
    mapping = csr_array((weights.ravel(), neighbours.ravel(), bounds), shape=(len(weights), scores.shape[1]))
    means: Float32Array = (mapping @ scores.T).T
    return means


def _sample_evenly(values: Int64Array, most: int) -> Int64Array:
    """Return at most `most` of the values, at equal distances in their order."""
    return values[:: 1 + (len(values) - 1) // most] if len(values) else values
