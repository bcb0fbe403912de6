import numpy as np
import polars as pl
import pytest

from nextreel.arrays import Float32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.schema import MOVIE_ID, MOVIES
from nextreel.data.timeline import Histories
from nextreel.data.titles import with_parsed_titles
from nextreel.errors import NotFittedError, QueryError
from nextreel.models.base import Recommender
from nextreel.models.ease import EASE
from nextreel.ranking.cold_start_movies import ColdStartMovies, ColdStartMoviesConfig
from nextreel.ranking.content_similarity import content_similarity
from nextreel.ranking.ranker import Ranker
from nextreel.testing import RecommenderConformance
from nextreel.testing.conformance import tiny_dataset
from tests.frames import interactions

LATER = 2_000_000_000


class TestConformance(RecommenderConformance):
    def make(self) -> Recommender:
        return ColdStartMovies(EASE(), ColdStartMoviesConfig(neighbours=5))


def movies(*rows: tuple[str, str]) -> pl.DataFrame:
    """A catalog of (title, genres), numbered from 0, as a Dataset has it."""
    titles, genres = zip(*rows, strict=True)
    frame = pl.DataFrame({MOVIE_ID: np.arange(len(rows)), "Title": titles, "Genres": genres})
    return with_parsed_titles(frame.cast(MOVIES.schema))


def grown(dataset: Dataset, *rows: tuple[str, str]) -> pl.DataFrame:
    """The dataset's catalog with other movies behind it, whose MovieIDs needn't be higher."""
    added = movies(*rows).with_columns(pl.col(MOVIE_ID) * 3 + 1)
    return pl.concat([dataset.movies, added.cast(dataset.movies.schema)])


def everybody(dataset: Dataset) -> tuple[Int64Array, Int64Array]:
    return dataset.user_ids, np.full(dataset.n_users, LATER)


def scores(model: Recommender, dataset: Dataset) -> Float32Array:
    user_ids, timestamps = everybody(dataset)
    return model.score(dataset.histories(user_ids, timestamps), timestamps)


UNRATED = 59
"""Index of the movie that nobody has rated in the tiny dataset."""


def test_learned_movies_keep_their_scores() -> None:
    dataset = tiny_dataset()
    model = EASE().fit(dataset)
    wrapped_scores = scores(ColdStartMovies.wrap(model, dataset), dataset)
    np.testing.assert_array_equal(wrapped_scores[:, :UNRATED], scores(model, dataset)[:, :UNRATED])


def test_learned_movies_alone_have_the_scores_that_the_model_gives_them_alone() -> None:
    class Shortcut(EASE):
        def score_movies(
            self, histories: Histories, timestamps: Int64Array, movies: Int64Array
        ) -> Float32Array:
            return np.full((len(timestamps), len(movies)), 7, dtype=np.float32)

    dataset = tiny_dataset()
    wrapped = ColdStartMovies.wrap(Shortcut().fit(dataset), dataset)
    user_ids, timestamps = everybody(dataset)
    histories = dataset.histories(user_ids, timestamps)
    assert (wrapped.score_movies(histories, timestamps, np.array([0, 5])) == 7).all()
    with_cold_start = np.array([0, UNRATED])
    np.testing.assert_array_equal(
        wrapped.score_movies(histories, timestamps, with_cold_start),
        wrapped.score(histories, timestamps)[:, with_cold_start],
    )


def test_a_cold_start_movie_with_one_neighbour_ranks_users_as_that_neighbour_does() -> None:
    dataset = tiny_dataset()
    model = EASE().fit(dataset)
    movies = grown(dataset, ("Movie 42 (1969)", "Comedy"))
    wrapped = ColdStartMovies.wrap(model, dataset, ColdStartMoviesConfig(neighbours=1)).for_catalog(movies)
    assert wrapped.cold_start_.tolist() == [UNRATED, 60]
    assert wrapped.neighbours_[1].tolist() == [14]
    of_model = scores(model, dataset)
    mean = of_model[:, :UNRATED].mean(axis=1)
    expected = mean + wrapped.boost_ * (of_model[:, 14] - mean)
    np.testing.assert_allclose(scores(wrapped, dataset)[:, 60], expected, rtol=1e-4, atol=1e-6)


def test_a_movie_that_resembles_none_scores_as_the_mean_of_all() -> None:
    dataset = tiny_dataset()
    model = EASE().fit(dataset)
    wrapped = ColdStartMovies.wrap(model, dataset).for_catalog(grown(dataset, ("Ada", "")))
    of_learned = scores(model, dataset)[:, :UNRATED]
    np.testing.assert_allclose(scores(wrapped, dataset)[:, 60], of_learned.mean(axis=1), rtol=1e-4, atol=1e-6)


def test_only_added_movies_are_scored_by_neighbours_if_asked_and_as_in_the_whole_catalog() -> None:
    dataset = tiny_dataset()
    model = EASE().fit(dataset)
    wrapped, movies = ColdStartMovies.wrap(model, dataset), grown(dataset, ("Movie 42 (1969)", "Comedy"))
    all_by_neighbours, only_added = wrapped.for_catalog(movies), wrapped.for_catalog(movies, only_added=True)
    assert (all_by_neighbours.cold_start_.tolist(), only_added.cold_start_.tolist()) == ([UNRATED, 60], [60])
    np.testing.assert_array_equal(scores(only_added, dataset)[:, :60], scores(model, dataset))
    np.testing.assert_array_equal(
        scores(only_added, dataset)[:, 60], scores(all_by_neighbours, dataset)[:, 60]
    )


def test_the_arrays_of_the_model_are_saved_with_the_wrappers_own() -> None:
    dataset = tiny_dataset()
    model = EASE().fit(dataset)
    wrapped = ColdStartMovies.wrap(model, dataset)
    assert {name for name in wrapped.state if name.startswith("model ")} == {
        f"model {n}" for n in model.state
    }
    restored = ColdStartMovies(EASE()).restore(wrapped.state)
    assert (restored.boost_, restored.n_movies_) == (wrapped.boost_, 60)


def with_ratings_of_an_added_movie(dataset: Dataset, user_ids: list[int]) -> Dataset:
    """The dataset and, behind its catalog, a movie that these users rated last."""
    rows = interactions(*((user, 999, 5.0, LATER - 1) for user in user_ids))
    return Dataset.from_frames(pl.concat([dataset.interactions(), rows]), as_in_files(dataset.movies))


def as_in_files(movies: pl.DataFrame) -> pl.DataFrame:
    return movies.with_columns(pl.col("Genres").list.join("|")).select(MOVIES.schema.names())


def test_a_wrapper_that_is_not_fitted_says_so_though_its_model_is() -> None:
    with pytest.raises(NotFittedError, match="ColdStartMovies isn't fitted yet"):
        _ = ColdStartMovies(EASE().fit(tiny_dataset())).state


def test_interactions_with_added_movies_are_hidden_from_the_model() -> None:
    dataset = tiny_dataset()
    wrapped = ColdStartMovies.wrap(EASE().fit(dataset), dataset).for_catalog(
        grown(dataset, ("Ada (1969)", "Comedy"))
    )
    more = with_ratings_of_an_added_movie(dataset, dataset.user_ids.tolist())
    np.testing.assert_array_equal(scores(wrapped, more), scores(wrapped, dataset))


def test_a_user_who_rated_added_movies_only_is_not_known() -> None:
    dataset = tiny_dataset()
    wrapped = ColdStartMovies.wrap(EASE().fit(dataset), dataset).for_catalog(
        grown(dataset, ("Ada (1969)", "Comedy"))
    )
    more = with_ratings_of_an_added_movie(dataset, [0, 9_999])
    histories = more.histories(np.array([0, 9_999]), np.array([LATER, LATER]))
    assert wrapped.knows(histories).tolist() == [True, False]


def test_a_catalog_smaller_than_the_models_own_is_refused() -> None:
    dataset = tiny_dataset()
    wrapped = ColdStartMovies.wrap(EASE().fit(dataset), dataset)
    with pytest.raises(QueryError, match="the catalog has 59 movies; expected at least the model's own 60"):
        wrapped.for_catalog(dataset.movies.head(59))


@pytest.mark.parametrize(("exposure", "reached"), [(0.01, 0), (1.0, 1)])
def test_cold_start_movies_are_recommended_as_often_as_the_exposure_says(
    exposure: float, reached: int
) -> None:
    dataset = tiny_dataset()
    twins = [(title, "|".join(genres)) for title, genres in dataset.movies["Title", "Genres"].rows()[:40]]
    config = ColdStartMoviesConfig(neighbours=3, exposure=exposure)
    wrapped = ColdStartMovies.wrap(EASE().fit(dataset), dataset, config).for_catalog(grown(dataset, *twins))
    of_all = scores(wrapped, dataset)
    tenth = np.sort(of_all[:, :60], axis=1)[:, -10]
    assert bool((of_all[:, 60:] > tenth[:, None]).mean() > 0.05) == bool(reached)


def test_the_ranker_recommends_cold_start_movies() -> None:
    dataset = tiny_dataset()
    wrapped = ColdStartMovies.wrap(EASE().fit(dataset), dataset)
    user_ids, timestamps = everybody(dataset)
    ranking = Ranker.of(wrapped, dataset).rank(dataset.histories(user_ids, timestamps), timestamps, k=30)
    assert UNRATED in ranking.movies


@pytest.fixture
def films() -> pl.DataFrame:
    return movies(
        ("Star Wars: Episode IV (1977)", "Action|Sci-Fi"),
        ("Star Wars: Episode V (1980)", "Action|Sci-Fi"),
        ("Alien (1979)", "Action|Sci-Fi"),
        ("Star Trek (1979)", "Action|Sci-Fi"),
        ("Emma (1996)", "Romance"),
        ("Untold", ""),
    )


def similarity_to(films: pl.DataFrame, movie: int) -> list[float]:
    similarities: list[float] = content_similarity(films, np.array([movie]), np.arange(len(films)))[
        0
    ].tolist()
    return similarities


def test_a_sequel_resembles_its_predecessor_most(films: pl.DataFrame) -> None:
    similarities = similarity_to(films, 1)
    assert similarities[0] > similarities[3] > similarities[2] > similarities[4]


def test_similarity_is_that_of_genres_years_and_titles(films: pl.DataFrame) -> None:
    assert similarity_to(films, 2)[3] == pytest.approx(1 + 0.5)
    assert similarity_to(films, 2)[0] == pytest.approx(1 + 0.5 * np.exp(-0.2))
    assert similarity_to(films, 2)[4] == pytest.approx(0.5 * np.exp(-1.7))


def test_a_movie_without_genres_year_and_known_words_resembles_nothing(films: pl.DataFrame) -> None:
    assert similarity_to(films, 5)[:5] == [0] * 5
