"""Tests that every model must pass. Derive a test class that creates the model, and pytest runs the suite:

class TestMyModel(RecommenderConformance):
    def make(self) -> Recommender:
        return MyModel(MyConfig(...))
"""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import ClassVar

import numpy as np
import polars as pl

from nextreel.arrays import Float32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.schema import MOVIE_ID, RATING, TIMESTAMP, USER_ID
from nextreel.errors import ArtifactError, DataError
from nextreel.models.base import Recommender
from nextreel.models.saved_state import restore_checked
from nextreel.prediction.predictor import Predictor
from nextreel.ranking.ranker import Ranker
from nextreel.testing.damaged_states import damage_each_array, with_not_finite_numbers

UNKNOWN_USER = 9_999
AFTER_ALL = 2_000_000_000
"""A timestamp later than all interactions of `tiny_dataset`."""


def tiny_dataset(seed: int = 0) -> Dataset:
    """Generate 3 to 30 ratings by each of 40 users of 60 movies, with gaps in the ids, ties and an unrated movie."""
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


def rows_of(*rows: tuple[int, int, float, int]) -> Dataset:
    """Return a data set of rows (UserID, MovieID, Rating, Timestamp)."""
    schema = {USER_ID: pl.Int64, MOVIE_ID: pl.Int64, RATING: pl.Float32, TIMESTAMP: pl.Int64}
    return Dataset.from_frames(pl.DataFrame(rows, schema=schema, orient="row"))


class RecommenderConformance(ABC):
    """Base class of the conformance tests. Most fit the model to `tiny_dataset`, so choose options for a quick fit."""

    tolerance = 1e-5
    """Largest accepted relative difference between a score computed in a batch and the same score computed alone."""
    may_be_missing: frozenset[str] = frozenset()
    """Names of arrays that files of an earlier form lack, which `Recommender.upgrade` adds."""

    _shared: ClassVar[tuple[Recommender, Dataset]]
    """What `_fit_once` has returned to an earlier test of the class."""

    @abstractmethod
    def make(self) -> Recommender:
        """Create the model under test, not yet fitted."""

    def _fit_once(self) -> tuple[Recommender, Dataset]:
        """Return the model fitted to `tiny_dataset`, the same one for all tests of the class, and that data set."""
        suite = type(self)
        if "_shared" not in vars(suite):
            dataset = tiny_dataset()
            suite._shared = self.make().fit(dataset), dataset
        return suite._shared

    def _queries(self, dataset: Dataset) -> tuple[Int64Array, Int64Array]:
        """Return (user_ids, timestamps) of four queries per user: before and after all interactions, and just
        before and at the time of the user's middle one.
        """
        middle = dataset.timeline.timestamps[
            (dataset.timeline.offsets[:-1] + dataset.timeline.offsets[1:]) // 2
        ]
        timestamps = [np.zeros_like(middle), middle - 1, middle, np.full_like(middle, AFTER_ALL)]
        return np.tile(dataset.user_ids, 4), np.concatenate(timestamps)

    def _scores(self, model: Recommender, dataset: Dataset) -> Float32Array:
        user_ids, timestamps = self._queries(dataset)
        return model.score(dataset.histories(user_ids, timestamps), timestamps)

    def _fits_or_refuses(self, dataset: Dataset) -> None:
        """Fit on very few data and check the scores; a model may refuse such data with a DataError."""
        try:
            model = self.make().fit(dataset)
        except DataError:
            return
        self._check_scores(model, dataset)

    def _check_scores(self, model: Recommender, dataset: Dataset) -> None:
        """Check the scores of the data set's users, and that lists come of them, at three timestamps."""
        for timestamp in (0, int(np.median(dataset.timeline.timestamps)), AFTER_ALL):
            timestamps = np.full(dataset.n_users, timestamp)
            scores = model.score(dataset.histories(dataset.user_ids, timestamps), timestamps)
            assert scores.shape == (dataset.n_users, dataset.n_movies)
            assert np.isfinite(scores).all()
        queries = pl.DataFrame({USER_ID: dataset.user_ids, TIMESTAMP: np.full(dataset.n_users, AFTER_ALL)})
        assert len(Predictor(model, dataset).recommend(queries, k=1, exclude_seen=False)) == dataset.n_users

    def test_it_learns_where_nothing_is_liked(self) -> None:
        dataset = tiny_dataset()
        rows = dataset.interactions().with_columns(pl.lit(1.0, dtype=pl.Float32).alias(RATING))
        disliked = dataset.with_interactions(rows)
        self._check_scores(self.make().fit(disliked), disliked)

    def test_it_learns_where_everything_is_liked(self) -> None:
        dataset = tiny_dataset()
        rows = dataset.interactions().with_columns(pl.lit(5.0, dtype=pl.Float32).alias(RATING))
        liked = dataset.with_interactions(rows)
        self._check_scores(self.make().fit(liked), liked)

    def test_it_learns_where_every_movie_is_watched_again(self) -> None:
        dataset = tiny_dataset()
        rows = dataset.interactions()
        again = dataset.with_interactions(
            pl.concat([rows, rows.with_columns(pl.col(TIMESTAMP) + 10_000_000)])
        )
        self._check_scores(self.make().fit(again), again)

    def test_one_row_is_learned_from_or_refused(self) -> None:
        self._fits_or_refuses(rows_of((1, 10, 5, 1_000_000)))
        self._fits_or_refuses(rows_of((1, 10, 1, 1_000_000)))

    def test_one_user_is_learned_from_or_refused(self) -> None:
        self._fits_or_refuses(rows_of(*((1, 10 + i, 1 + i % 5, 1_000_000 + 100 * i) for i in range(20))))

    def test_one_movie_is_learned_from_or_refused(self) -> None:
        self._fits_or_refuses(rows_of(*((i, 10, 1 + i % 5, 1_000_000 + 100 * i) for i in range(20))))
        self._fits_or_refuses(rows_of(*((1, 10, 5, 1_000_000 + 100 * i) for i in range(20))))

    def test_one_second_is_learned_from_or_refused(self) -> None:
        self._fits_or_refuses(rows_of(*((1 + i % 3, 10 + i, 1 + i % 5, 1_000_000) for i in range(20))))

    def test_scores_have_one_finite_float32_for_every_query_and_movie(self) -> None:
        model, dataset = self._fit_once()
        scores = self._scores(model, dataset)
        assert scores.shape == (4 * dataset.n_users, dataset.n_movies)
        assert scores.dtype == np.float32
        assert np.isfinite(scores).all()

    def test_the_same_fit_twice_gives_the_same_scores(self) -> None:
        first, dataset = self._fit_once()
        second = self.make().fit(dataset)
        np.testing.assert_array_equal(self._scores(first, dataset), self._scores(second, dataset))

    def test_a_saved_state_gives_the_same_scores(self) -> None:
        model, dataset = self._fit_once()
        restored = self.make().restore(model.state)
        np.testing.assert_array_equal(self._scores(restored, dataset), self._scores(model, dataset))

    def test_a_damaged_state_is_refused(self) -> None:
        """No array of a file leads to a crash, or to scores that aren't numbers.

        Arrays that the model doesn't describe (see `Recommender.array_specs`) are only kept from not being finite.
        """
        model, dataset = self._fit_once()
        restore_checked(self.make(), model.state, dataset.n_movies)
        damaged = [*with_not_finite_numbers(model.state)]
        if model.array_specs() is not None:
            damaged += damage_each_array(model.state, self.may_be_missing)
        for case in damaged:
            try:
                restored = restore_checked(self.make(), case.state, dataset.n_movies)
            except ArtifactError:
                continue
            assert not case.is_impossible, case.damage
            self._check_scores(restored, dataset)

    def test_one_query_alone_scores_as_in_a_batch(self) -> None:
        model, dataset = self._fit_once()
        user_ids, timestamps = self._queries(dataset)
        in_batch = self._scores(model, dataset)
        alone = [
            model.score(dataset.histories(user_ids[i : i + 1], timestamps[i : i + 1]), timestamps[i : i + 1])[
                0
            ]
            for i in range(len(timestamps))
        ]
        scale = float(np.abs(in_batch).max()) or 1.0
        np.testing.assert_allclose(
            np.stack(alone), in_batch, rtol=self.tolerance, atol=self.tolerance * scale
        )

    def test_some_movies_have_the_scores_that_they_have_among_all(self) -> None:
        model, dataset = self._fit_once()
        user_ids, timestamps = self._queries(dataset)
        movies = np.random.default_rng(0).permutation(dataset.n_movies)[:7]
        scores = model.score_movies(dataset.histories(user_ids, timestamps), timestamps, movies)
        expected = self._scores(model, dataset)
        scale = float(np.abs(expected).max()) or 1.0
        np.testing.assert_allclose(
            scores, expected[:, movies], rtol=self.tolerance, atol=self.tolerance * scale
        )

    def test_what_is_cached_of_histories_changes_no_score(self) -> None:
        model, dataset = self._fit_once()
        user_ids, timestamps = self._queries(dataset)
        histories = replace(dataset.histories(user_ids, timestamps), may_be_cached=True)
        expected = self._scores(model, dataset)
        caching = self.make().restore(model.state)
        caching.cache_histories(2**20)
        scale = float(np.abs(expected).max()) or 1.0
        everything = np.arange(len(timestamps))
        # The histories of users grow from one quarter of the queries to the next.
        for part in (everything, everything, *np.array_split(everything, 4)):
            scores = caching.score(histories[part], timestamps[part])
            np.testing.assert_allclose(
                scores, expected[part], rtol=self.tolerance, atol=self.tolerance * scale
            )

    def test_scoring_leaves_the_histories_as_they_were(self) -> None:
        dataset = tiny_dataset()
        self._scores(self.make().fit(dataset), dataset)
        assert dataset.fingerprint == tiny_dataset().fingerprint

    def test_every_query_gets_k_distinct_movies_of_the_catalog(self) -> None:
        model, dataset = self._fit_once()
        predictor = Predictor(model, dataset)
        user_ids, timestamps = self._queries(dataset)
        queries = pl.DataFrame(
            {USER_ID: [*user_ids, UNKNOWN_USER], TIMESTAMP: [*timestamps, AFTER_ALL]},
            schema={USER_ID: pl.Int64, TIMESTAMP: pl.Int64},
        )
        recommended = predictor.recommend(queries, k=10)
        assert len(recommended) == 10 * len(queries)
        per_query = recommended.with_columns(query=pl.int_range(pl.len()) // 10).group_by("query")
        assert (per_query.agg(pl.col(MOVIE_ID).n_unique())[MOVIE_ID] == 10).all()
        assert recommended[MOVIE_ID].is_in(dataset.movie_ids.tolist()).all()

    def test_the_fallback_of_an_unknown_user_is_named(self) -> None:
        model, dataset = self._fit_once()
        predictor = Predictor(model, dataset)
        unknown_user = pl.DataFrame({USER_ID: [UNKNOWN_USER], TIMESTAMP: [AFTER_ALL]})
        recommended = predictor.recommend(unknown_user, k=5)
        personal = bool(
            predictor.model.knows(dataset.histories(unknown_user[USER_ID].to_numpy(), np.array([1])))[0]
        )
        assert recommended["Fallback"].to_list() == [None if personal else "popularity"] * 5

    def test_no_seen_movie_is_recommended_by_default(self) -> None:
        model, dataset = self._fit_once()
        predictor = Predictor(model, dataset)
        queries = pl.DataFrame({USER_ID: dataset.user_ids, TIMESTAMP: np.full(dataset.n_users, AFTER_ALL)})
        recommended = predictor.recommend(queries, k=10)
        seen = recommended.join(dataset.interactions(), on=[USER_ID, MOVIE_ID], how="inner")
        assert seen.is_empty()

    def test_perturbing_the_future_changes_no_recommendation(self) -> None:
        """No ranking changes if interactions from the query's time on get other movies and ratings or are removed."""
        model, dataset = self._fit_once()
        timestamp = int(np.median(dataset.timeline.timestamps))
        timestamps = np.full(dataset.n_users, timestamp)
        rows, random = dataset.interactions(), np.random.default_rng(1)
        past, future = rows.filter(pl.col(TIMESTAMP) < timestamp), rows.filter(pl.col(TIMESTAMP) >= timestamp)
        shuffled = future.with_columns(
            pl.Series(MOVIE_ID, random.permutation(future[MOVIE_ID].to_numpy())),
            pl.Series(RATING, random.permutation(future[RATING].to_numpy())),
        )
        expected = Ranker.of(model, dataset).rank(dataset.histories(dataset.user_ids, timestamps), timestamps)
        for new_future in (shuffled, future.clear()):
            other = dataset.with_interactions(pl.concat([past, new_future]))
            ranking = Ranker.of(model, other).rank(other.histories(dataset.user_ids, timestamps), timestamps)
            np.testing.assert_array_equal(ranking.movies, expected.movies)
            np.testing.assert_array_equal(ranking.scores, expected.scores)
