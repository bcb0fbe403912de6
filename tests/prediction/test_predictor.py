from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nextreel.data.dataset import Dataset
from nextreel.data.schema import MOVIE_ID
from nextreel.errors import ConfigError, DataError, NotFittedError, QueryError
from nextreel.evaluation.protocol import EvaluationQueries
from nextreel.models.ease import EASE
from nextreel.models.popularity import Popularity
from nextreel.models.registry import create_model
from nextreel.prediction.fitting import fit
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import save
from tests.frames import catalog, interactions, queries


def popularity(rows: pl.DataFrame, movies: pl.DataFrame | None = None) -> Predictor:
    dataset = Dataset.from_frames(rows, movies)
    return Predictor(Popularity().fit(dataset), dataset)


ROWS = interactions((1, 0, 5, 10), (2, 0, 5, 11), (2, 1, 4, 12), (3, 2, 3, 13))


def test_seen_movies_are_left_out() -> None:
    lists = popularity(ROWS, catalog(4)).recommend(queries((2, 100)), k=2)
    assert lists[MOVIE_ID].to_list() == [2, 3]


def test_seen_movies_can_be_kept() -> None:
    lists = popularity(ROWS, catalog(4)).recommend(queries((2, 100)), k=2, exclude_seen=False)
    assert lists[MOVIE_ID].to_list() == [0, 1]


def test_a_movie_seen_only_later_can_still_be_recommended() -> None:
    lists = popularity(ROWS, catalog(4)).recommend(queries((2, 11)), k=1)
    assert lists[MOVIE_ID].to_list() == [0]


def test_a_movie_of_the_querys_own_second_is_seen_with_file_order_ties_only() -> None:
    predictor = popularity(ROWS, catalog(4))
    assert predictor.recommend(queries((2, 12)), k=1)[MOVIE_ID].to_list() == [1]
    assert predictor.recommend(queries((2, 12)), k=1, ties="file-order")[MOVIE_ID].to_list() == [2]


def test_lists_with_file_order_ties_are_those_that_evaluate_ranks_with_frozen_histories() -> None:
    train, test = Dataset.from_frames(ROWS, catalog(4)), interactions((2, 2, 5, 12), (3, 3, 5, 20))
    predictor = fit(train, "item-knn")
    evaluated = EvaluationQueries.from_split(train, test, "frozen").rank_with(predictor.model, 2)
    lists = predictor.recommend(test, k=2, ties="file-order")
    assert lists[MOVIE_ID].to_list() == train.movie_ids[evaluated.movies].ravel().tolist()


def test_lists_are_in_the_order_of_the_queries_with_ranks_from_one() -> None:
    lists = popularity(ROWS, catalog(4)).recommend(queries((3, 100), (1, 5), (3, 100)), k=2)
    assert lists["UserID"].to_list() == [3, 3, 1, 1, 3, 3]
    assert lists["Timestamp"].to_list() == [100, 100, 5, 5, 100, 100]
    assert lists["Rank"].to_list() == [1, 2] * 3


def test_the_wide_form_has_one_row_for_a_query_in_the_same_order() -> None:
    predictor = popularity(ROWS, catalog(4))
    two_queries = queries((3, 100), (1, 5))
    wide = predictor.recommend_wide(two_queries, k=3)
    assert wide.columns == ["UserID", "Timestamp", "MovieID1", "MovieID2", "MovieID3"]
    long = predictor.recommend(two_queries, k=3)[MOVIE_ID].to_numpy().reshape(2, 3)
    np.testing.assert_array_equal(wide.select("MovieID1", "MovieID2", "MovieID3").to_numpy(), long)


def test_a_list_is_filled_up_when_too_few_movies_are_left_and_says_so() -> None:
    lists = popularity(ROWS, catalog(3)).recommend(queries((2, 100)), k=3)
    assert lists[MOVIE_ID].to_list() == [2, 0, 1]
    assert lists["Fallback"].to_list() == [None, "list filled up", "list filled up"]
    assert lists["Score"].to_list() == [1.0, None, None]


@pytest.mark.parametrize("k", [0, 5])
def test_a_k_beyond_the_catalog_is_an_error(k: int) -> None:
    with pytest.raises(QueryError, match=f"k is {k}; the catalog has 4 movies"):
        popularity(ROWS, catalog(4)).recommend(queries((2, 100)), k=k)


def test_a_movie_of_a_later_year_is_not_recommended_before_it_is_out() -> None:
    movies = pl.DataFrame(
        {MOVIE_ID: [0, 1, 2], "Title": ["A (2001)", "B (1990)", "C"], "Genres": ["", "", ""]}
    )
    predictor = popularity(interactions((1, 1, 5, 10)), movies)
    lists = predictor.recommend(queries((7, 978_307_199), (7, 978_307_200)), k=3)
    assert lists["Fallback"].to_list()[2:] == ["list filled up", None, None, None]
    assert lists[MOVIE_ID].to_list() == [1, 2, 0, 1, 0, 2]


def test_a_movie_is_out_after_its_first_rating_whatever_its_title_says() -> None:
    movies = pl.DataFrame({MOVIE_ID: [0, 1], "Title": ["A (2001)", "B (1950)"], "Genres": ["", ""]})
    predictor = popularity(interactions((1, 0, 5, 10)), movies)
    lists = predictor.recommend(queries((7, 10), (7, 11)), k=1)
    assert lists[MOVIE_ID].to_list() == [1, 0]


@pytest.mark.parametrize("k", [2.0, "2", True, None])
def test_a_k_that_is_not_a_whole_number_is_an_error(k: Any) -> None:
    with pytest.raises(
        QueryError, match=f"k is {k!r}; the catalog has 4 movies, so expected a whole number from 1 to 4"
    ):
        popularity(ROWS, catalog(4)).recommend(queries((2, 100)), k=k)


@pytest.mark.parametrize("name", ["popularity", "ease", "blend"])
def test_a_model_that_is_not_fitted_says_so(name: str) -> None:
    predictor = Predictor(create_model(name), Dataset.from_frames(ROWS))
    with pytest.raises(NotFittedError, match=r"isn't fitted yet: call fit\(dataset\) first"):
        predictor.recommend(queries((2, 100)), k=1)


def test_a_model_of_another_catalog_says_so() -> None:
    model = EASE().fit(Dataset.from_frames(ROWS, catalog(5)))
    with pytest.raises(
        QueryError, match="the model scores 5 movies and the catalog has 4: the model was fitted on another"
    ):
        Predictor(model, Dataset.from_frames(ROWS, catalog(4))).recommend(queries((2, 100)), k=1)


@pytest.mark.parametrize("path", ["data", Path("data")])
def test_fitting_a_path_says_how_to_read_it(path: Any) -> None:
    with pytest.raises(DataError, match=r"'data' is a path; nextreel.read_dataset\('data'\) reads it"):
        fit(path)


def test_fitting_anything_but_a_dataset_says_how_to_make_one() -> None:
    frame: Any = ROWS
    with pytest.raises(
        DataError,
        match=r"expected a Dataset, found a DataFrame; create one with nextreel.Dataset.from_frames\(interactions, mo",
    ):
        fit(frame)


def test_a_predictor_of_anything_but_a_model_and_a_dataset_says_so() -> None:
    dataset: Any = Dataset.from_frames(ROWS)
    with pytest.raises(ConfigError, match="expected a model, found a Dataset"):
        Predictor(dataset, dataset)
    with pytest.raises(DataError, match="'parts' is a path"):
        Predictor(Popularity().fit(dataset), "parts")  # type: ignore[arg-type]


def test_saving_a_model_without_its_dataset_says_what_is_needed(tmp_path: Path) -> None:
    model: Any = Popularity().fit(Dataset.from_frames(ROWS))
    with pytest.raises(ConfigError, match=r"expected a Predictor\(model, dataset\), found a Popularity"):
        save(model, tmp_path / "model")


def test_no_queries_give_no_lists() -> None:
    assert popularity(ROWS).recommend(queries(), k=2).is_empty()
