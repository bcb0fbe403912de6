import numpy as np
import polars as pl
import pytest

from nextreel.arrays import Float32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.schema import MOVIE_ID, MOVIES
from nextreel.data.titles import with_parsed_titles
from nextreel.errors import QueryError
from nextreel.models.base import Recommender
from nextreel.models.ease import EASE
from nextreel.ranking.cold_start_movies import ColdStartMovies, ColdStartMoviesConfig, find_likeness
from nextreel.ranking.ranker import Ranker
from nextreel.testing import RecommenderConformance
from nextreel.testing.conformance import tiny_dataset
from tests.frames import interactions

LATER = 2_000_000_000


class TestConformance(RecommenderConformance):
    def make(self) -> Recommender:
        return ColdStartMovies(EASE(), ColdStartMoviesConfig(neighbours=5))

    def test_a_saved_state_gives_the_same_scores(self) -> None:
        dataset = tiny_dataset()
        model = self.make().fit(dataset)
        restored = ColdStartMovies(EASE(), ColdStartMoviesConfig(neighbours=5)).restore(model.state)
        np.testing.assert_array_equal(self._scores(restored, dataset), self._scores(model, dataset))


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
    found = scores(ColdStartMovies.around(model, dataset), dataset)
    np.testing.assert_array_equal(found[:, :UNRATED], scores(model, dataset)[:, :UNRATED])


def test_a_newcomer_with_one_neighbour_ranks_users_as_that_neighbour_does() -> None:
    dataset = tiny_dataset()
    model = EASE().fit(dataset)
    movies = grown(dataset, ("Movie 42 (1969)", "Comedy"))
    wrapped = ColdStartMovies.around(model, dataset, ColdStartMoviesConfig(neighbours=1)).over(movies)
    assert wrapped.newcomers_.tolist() == [UNRATED, 60]
    assert wrapped.neighbours_[1].tolist() == [14]
    known = scores(model, dataset)
    middle = known[:, :UNRATED].mean(axis=1)
    expected = middle + wrapped.boost_ * (known[:, 14] - middle)
    np.testing.assert_allclose(scores(wrapped, dataset)[:, 60], expected, rtol=1e-4, atol=1e-6)


def test_a_movie_that_resembles_none_scores_as_the_mean_of_all() -> None:
    dataset = tiny_dataset()
    model = EASE().fit(dataset)
    wrapped = ColdStartMovies.around(model, dataset).over(grown(dataset, ("Ada", "")))
    known = scores(model, dataset)[:, :UNRATED]
    np.testing.assert_allclose(scores(wrapped, dataset)[:, 60], known.mean(axis=1), rtol=1e-4, atol=1e-6)


def with_ratings_of_an_added_movie(dataset: Dataset, user_ids: list[int]) -> Dataset:
    """The dataset and, behind its catalog, a movie that these users rated last."""
    rows = interactions(*((user, 999, 5.0, LATER - 1) for user in user_ids))
    return Dataset.from_frames(pl.concat([dataset.interactions(), rows]), as_in_files(dataset.movies))


def as_in_files(movies: pl.DataFrame) -> pl.DataFrame:
    return movies.with_columns(pl.col("Genres").list.join("|")).select(MOVIES.schema.names())


def test_rows_of_added_movies_are_no_part_of_what_the_model_sees() -> None:
    dataset = tiny_dataset()
    wrapped = ColdStartMovies.around(EASE().fit(dataset), dataset).over(
        grown(dataset, ("Ada (1969)", "Comedy"))
    )
    more = with_ratings_of_an_added_movie(dataset, dataset.user_ids.tolist())
    np.testing.assert_array_equal(scores(wrapped, more), scores(wrapped, dataset))


def test_a_user_who_rated_added_movies_only_is_not_known() -> None:
    dataset = tiny_dataset()
    wrapped = ColdStartMovies.around(EASE().fit(dataset), dataset).over(
        grown(dataset, ("Ada (1969)", "Comedy"))
    )
    more = with_ratings_of_an_added_movie(dataset, [0, 9_999])
    histories = more.histories(np.array([0, 9_999]), np.array([LATER, LATER]))
    assert wrapped.knows(histories).tolist() == [True, False]


def test_a_catalog_must_begin_with_the_models_own_movies() -> None:
    dataset = tiny_dataset()
    wrapped = ColdStartMovies.around(EASE().fit(dataset), dataset)
    with pytest.raises(QueryError, match="the catalog has 59 movies; the model's own 60 come first"):
        wrapped.over(dataset.movies.head(59))


@pytest.mark.parametrize(("exposure", "reached"), [(0.01, 0), (1.0, 1)])
def test_newcomers_come_up_by_the_exposure_that_was_chosen(exposure: float, reached: int) -> None:
    dataset = tiny_dataset()
    twins = [(title, "|".join(genres)) for title, genres in dataset.movies["Title", "Genres"].rows()[:40]]
    config = ColdStartMoviesConfig(neighbours=3, exposure=exposure)
    found = scores(
        ColdStartMovies.around(EASE().fit(dataset), dataset, config).over(grown(dataset, *twins)), dataset
    )
    tenth = np.sort(found[:, :60], axis=1)[:, -10]
    assert bool((found[:, 60:] > tenth[:, None]).mean() > 0.05) == bool(reached)


def test_answers_come_through_the_ranker() -> None:
    dataset = tiny_dataset()
    wrapped = ColdStartMovies.around(EASE().fit(dataset), dataset)
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


def likeness(films: pl.DataFrame, movie: int) -> list[float]:
    found: list[float] = find_likeness(films, np.array([movie]), np.arange(len(films)))[0].tolist()
    return found


def test_a_sequel_resembles_its_predecessor_most(films: pl.DataFrame) -> None:
    found = likeness(films, 1)
    assert found[0] > found[3] > found[2] > found[4]


def test_likeness_is_that_of_genres_years_and_titles(films: pl.DataFrame) -> None:
    assert likeness(films, 2)[3] == pytest.approx(1 + 0.5)
    assert likeness(films, 2)[0] == pytest.approx(1 + 0.5 * np.exp(-0.2))
    assert likeness(films, 2)[4] == pytest.approx(0.5 * np.exp(-1.7))


def test_what_is_not_known_of_a_movie_resembles_nothing(films: pl.DataFrame) -> None:
    assert likeness(films, 5)[:5] == [0] * 5
