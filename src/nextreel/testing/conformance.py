"""What every model must do. Derive a test class, name the model, and pytest runs the suite:

class TestMyModel(RecommenderConformance):
    def make(self) -> Recommender:
        return MyModel(MyConfig(...))
"""

from abc import ABC, abstractmethod

import numpy as np
import polars as pl

from nextreel.arrays import Float32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.schema import MOVIE_ID, RATING, TIMESTAMP, USER_ID
from nextreel.models.base import Recommender
from nextreel.prediction.predictor import Predictor
from nextreel.ranking.ranker import Ranker

UNKNOWN_USER = 9_999


def tiny_dataset(seed: int = 0) -> Dataset:
    """40 users with 3 to 30 ratings of 60 movies: gaps in the ids, tied seconds, a movie nobody has rated."""
    random = np.random.default_rng(seed)
    rows = []
    for user in range(40):
        rated = random.choice(59, size=random.integers(3, 31), replace=False) * 3
        start = 1_000_000 + int(random.integers(5_000_000))
        times = start + np.cumsum(random.integers(0, 40, size=len(rated)))
        ratings = random.integers(1, 6, size=len(rated))
        rows.append(
            pl.DataFrame(
                {USER_ID: user * 7, MOVIE_ID: rated, RATING: ratings.astype(np.float32), TIMESTAMP: times}
            )
        )
    catalog = np.arange(60) * 3
    movies = pl.DataFrame(
        {
            MOVIE_ID: catalog,
            "Title": [f"Movie {movie} (1969)" for movie in catalog],
            "Genres": ["Drama|War" if movie % 2 else "Comedy" for movie in catalog],
        }
    )
    return Dataset.from_frames(pl.concat(rows), movies)


class RecommenderConformance(ABC):
    """The suite. Each test fits the model afresh on a tiny dataset, so keep its options small."""

    tolerance = 1e-5
    """Largest relative difference between a score in a batch and the same score alone."""

    @abstractmethod
    def make(self) -> Recommender:
        """The model under test, not fitted yet."""

    def _queries(self, dataset: Dataset) -> tuple[Int64Array, Int64Array]:
        """Every user at four moments: before anything, within, at the very second of a row, and after all."""
        middle = dataset.timeline.timestamps[
            (dataset.timeline.offsets[:-1] + dataset.timeline.offsets[1:]) // 2
        ]
        moments = [np.zeros_like(middle), middle - 1, middle, np.full_like(middle, 2_000_000_000)]
        return np.tile(dataset.user_ids, 4), np.concatenate(moments)

    def _scores(self, model: Recommender, dataset: Dataset) -> Float32Array:
        user_ids, timestamps = self._queries(dataset)
        return model.score(dataset.histories(user_ids, timestamps), timestamps)

    def test_scores_have_one_finite_float32_for_every_query_and_movie(self) -> None:
        dataset = tiny_dataset()
        scores = self._scores(self.make().fit(dataset), dataset)
        assert scores.shape == (4 * dataset.n_users, dataset.n_movies)
        assert scores.dtype == np.float32
        assert np.isfinite(scores).all()

    def test_the_same_fit_twice_gives_the_same_scores(self) -> None:
        dataset = tiny_dataset()
        first, second = (self._scores(self.make().fit(dataset), dataset) for _ in range(2))
        np.testing.assert_array_equal(first, second)

    def test_a_saved_state_gives_the_same_scores(self) -> None:
        dataset = tiny_dataset()
        model = self.make().fit(dataset)
        restored = type(model)(model.config).restore(model.state)
        np.testing.assert_array_equal(self._scores(restored, dataset), self._scores(model, dataset))

    def test_one_query_alone_scores_as_in_a_batch(self) -> None:
        dataset = tiny_dataset()
        model = self.make().fit(dataset)
        user_ids, timestamps = self._queries(dataset)
        together = self._scores(model, dataset)
        alone = [
            model.score(dataset.histories(user_ids[i : i + 1], timestamps[i : i + 1]), timestamps[i : i + 1])[
                0
            ]
            for i in range(len(timestamps))
        ]
        scale = float(np.abs(together).max()) or 1.0
        np.testing.assert_allclose(
            np.stack(alone), together, rtol=self.tolerance, atol=self.tolerance * scale
        )

    def test_scoring_leaves_the_histories_as_they_were(self) -> None:
        dataset = tiny_dataset()
        self._scores(self.make().fit(dataset), dataset)
        assert dataset.fingerprint == tiny_dataset().fingerprint

    def test_everybody_gets_k_distinct_movies_of_the_catalog(self) -> None:
        dataset = tiny_dataset()
        predictor = Predictor(self.make().fit(dataset), dataset)
        user_ids, timestamps = self._queries(dataset)
        queries = pl.DataFrame(
            {USER_ID: [*user_ids, UNKNOWN_USER], TIMESTAMP: [*timestamps, 2_000_000_000]},
            schema={USER_ID: pl.Int64, TIMESTAMP: pl.Int64},
        )
        answers = predictor.recommend(queries, k=10)
        assert len(answers) == 10 * len(queries)
        per_query = answers.with_columns(query=pl.int_range(pl.len()) // 10).group_by("query")
        assert (per_query.agg(pl.col(MOVIE_ID).n_unique())[MOVIE_ID] == 10).all()
        assert answers[MOVIE_ID].is_in(dataset.movie_ids.tolist()).all()

    def test_an_unknown_user_gets_the_answer_of_popularity_and_is_told_so(self) -> None:
        dataset = tiny_dataset()
        predictor = Predictor(self.make().fit(dataset), dataset)
        stranger = pl.DataFrame({USER_ID: [UNKNOWN_USER], TIMESTAMP: [2_000_000_000]})
        answers = predictor.recommend(stranger, k=5)
        personal = bool(
            predictor.model.knows(dataset.histories(stranger[USER_ID].to_numpy(), np.array([1])))[0]
        )
        assert answers["Fallback"].to_list() == [None if personal else "popularity"] * 5

    def test_no_seen_movie_is_recommended_unless_asked_for(self) -> None:
        dataset = tiny_dataset()
        predictor = Predictor(self.make().fit(dataset), dataset)
        queries = pl.DataFrame(
            {USER_ID: dataset.user_ids, TIMESTAMP: np.full(dataset.n_users, 2_000_000_000)}
        )
        answers = predictor.recommend(queries, k=10)
        again = answers.join(dataset.interactions(), on=[USER_ID, MOVIE_ID], how="inner")
        assert again.is_empty()

    def test_perturbing_the_future_changes_no_answer(self) -> None:
        """Every row at or after a query's moment gets another movie and rating, or vanishes."""
        dataset = tiny_dataset()
        model = self.make().fit(dataset)
        moment = int(np.median(dataset.timeline.timestamps))
        timestamps = np.full(dataset.n_users, moment)
        rows, random = dataset.interactions(), np.random.default_rng(1)
        past, future = rows.filter(pl.col(TIMESTAMP) < moment), rows.filter(pl.col(TIMESTAMP) >= moment)
        shuffled = future.with_columns(
            pl.Series(MOVIE_ID, random.permutation(future[MOVIE_ID].to_numpy())),
            pl.Series(RATING, random.permutation(future[RATING].to_numpy())),
        )
        expected = Ranker.of(model, dataset).rank(dataset.histories(dataset.user_ids, timestamps), timestamps)
        for other_future in (shuffled, future.clear()):
            other = dataset.with_interactions(pl.concat([past, other_future]))
            answers = Ranker.of(model, other).rank(other.histories(dataset.user_ids, timestamps), timestamps)
            np.testing.assert_array_equal(answers.movies, expected.movies)
            np.testing.assert_array_equal(answers.scores, expected.scores)
