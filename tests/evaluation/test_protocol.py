from typing import Any

import numpy as np
import polars as pl
import pytest

from nextreel.data.dataset import Dataset
from nextreel.errors import ConfigError, DataError
from nextreel.evaluation.model_evaluation import Evaluation, evaluate
from nextreel.evaluation.protocol import HistoryMode, freeze_histories
from nextreel.models.item_knn import ItemKNN
from nextreel.models.popularity import Popularity
from nextreel.prediction.fitting import fit
from tests.frames import catalog, interactions

TRAIN = interactions((1, 0, 5, 1), (2, 0, 5, 2), (2, 1, 5, 3), (3, 1, 4, 4), (3, 0, 4, 5), (3, 2, 4, 6))
TEST = interactions((1, 1, 5, 10), (1, 2, 4, 11), (1, 3, 3, 12))


def run(history: HistoryMode = "frozen", exclude_seen: bool = True, threshold: float = 4) -> Evaluation:
    train = Dataset.from_frames(TRAIN, catalog(5))
    return evaluate(Popularity().fit(train), train, TEST, history, 2, threshold, exclude_seen)


def test_only_positives_are_queries() -> None:
    assert run().queries["MovieID"].to_list() == [1, 2]


def test_a_lower_threshold_asks_about_more_rows() -> None:
    assert run(threshold=3).queries["MovieID"].to_list() == [1, 2, 3]


def test_a_frozen_history_ends_with_train_so_a_movie_of_the_test_part_is_still_recommended() -> None:
    assert run("frozen").ranks.tolist() == [1, 2]


def test_a_frozen_history_holds_train_rows_of_the_querys_own_second_and_none_that_are_later() -> None:
    train = Dataset.from_frames(interactions((1, 0, 5, 9), (1, 1, 5, 10), (1, 2, 5, 11)))
    _, row = freeze_histories(train, np.array([1]), np.array([10])).rows()
    assert train.timeline.movies[row].tolist() == [0, 1]


def test_a_live_history_holds_the_test_rows_before_the_query_but_not_its_own() -> None:
    assert run("live").ranks.tolist() == [1, 1]


def test_a_live_history_holds_no_row_of_the_querys_own_second() -> None:
    train = Dataset.from_frames(TRAIN, catalog(5))
    tied = interactions((1, 1, 5, 10), (1, 2, 4, 10))
    assert evaluate(Popularity().fit(train), train, tied, "live", k=2).ranks.tolist() == [1, 2]


def test_seen_movies_take_their_places_when_they_are_included() -> None:
    assert run(exclude_seen=False).ranks.tolist() == [2, 0]


def test_the_figures_are_the_means_of_the_metrics_over_the_queries() -> None:
    metrics = run("frozen").metrics
    assert metrics["Recall@2"].mean == 1.0
    assert metrics["MRR@2"].mean == 0.75


def test_a_movie_outside_the_catalog_counts_as_missed_and_is_counted() -> None:
    train = Dataset.from_frames(TRAIN, catalog(5))
    result = evaluate(Popularity().fit(train), train, interactions((1, 99, 5, 10)), k=2)
    assert (result.outside_catalog, result.metrics["Recall@2"].mean) == (1, 0.0)


def test_what_limits_the_figures_is_noted() -> None:
    train = Dataset.from_frames(TRAIN, catalog(5))
    result = evaluate(ItemKNN().fit(train), train, interactions((1, 99, 5, 10), (77, 1, 5, 10)), k=2)
    assert "1 query of users that the model doesn't know was answered by popularity." in result.notes()
    assert "1 query asks for a movie outside the catalog, which counts as a miss." in result.notes()


def test_a_test_part_without_positives_is_an_error() -> None:
    train = Dataset.from_frames(TRAIN)
    with pytest.raises(DataError, match="no rating of at least 4, so there are no queries"):
        evaluate(Popularity().fit(train), train, interactions((1, 0, 3, 10)), k=2)


@pytest.mark.parametrize("history", ["frozen", "live"])
def test_the_test_part_may_have_other_types_of_numbers(history: HistoryMode) -> None:
    train = Dataset.from_frames(TRAIN, catalog(5))
    wider = TEST.cast({"Rating": pl.Float64, "UserID": pl.UInt8})
    result = evaluate(Popularity().fit(train), train, wider, history, k=2)
    assert result.ranks.tolist() == run(history).ranks.tolist()


@pytest.mark.parametrize(
    ("test", "message"),
    [
        (TEST.drop("Rating"), "the test part: column Rating is missing; found UserID, MovieID, Timestamp"),
        (
            TEST.with_columns(UserID=pl.lit("ann")),
            "the test part: the UserIDs are texts, but those of the data set are whole",
        ),
        (
            "parts/test.csv",
            "the test part: 'parts/test.csv' is a path, not a frame; nextreel.read_inter",
        ),
    ],
    ids=["column", "type", "path"],
)
def test_a_test_part_that_is_not_in_form_is_an_error_that_says_so(test: Any, message: str) -> None:
    train = Dataset.from_frames(TRAIN, catalog(5))
    with pytest.raises(DataError) as caught:
        evaluate(Popularity().fit(train), train, test)
    assert str(caught.value).startswith(message)


def test_another_history_than_frozen_or_live_is_an_error() -> None:
    train = Dataset.from_frames(TRAIN)
    with pytest.raises(ConfigError, match="history is 'recent'; expected frozen or live"):
        evaluate(Popularity().fit(train), train, TEST, "recent")  # type: ignore[arg-type]


def test_a_predictor_knows_its_train_part() -> None:
    train = Dataset.from_frames(TRAIN, catalog(5))
    predictor = fit(train, "popularity")
    expected = evaluate(predictor.model, train, TEST, k=2)
    for result in (
        evaluate(predictor, TEST, k=2),
        evaluate(predictor, test=TEST, k=2),
        evaluate(predictor, predictor.dataset, TEST, k=2),
        evaluate(predictor, TEST.to_pandas(), k=2),
        evaluate(predictor, test=TEST.to_arrow(), k=2),
    ):
        assert result.facts() == expected.facts()


def test_a_missing_test_part_is_an_error_that_says_what_is_expected() -> None:
    predictor = fit(Dataset.from_frames(TRAIN), "popularity")
    for train in (None, predictor.dataset):
        with pytest.raises(DataError, match=r"there is no test part; expected evaluate\(predictor, test\)"):
            evaluate(predictor, train)
    with pytest.raises(
        DataError, match=r"the test part: 'test.csv' is a path, not a frame; nextreel.read_inter"
    ):
        evaluate(predictor, test="test.csv")  # type: ignore[arg-type]


def test_an_evaluation_introduces_itself_in_a_few_lines() -> None:
    result = run()
    assert repr(result).startswith(
        "Evaluation(2 queries of 1 user, frozen histories, file-order ties: NDCG@2 0.8155 ["
    )
    assert len(repr(result)) < 400
    html = result._repr_html_()
    assert "<td>1.0000</td>" in html
    assert len(html) < 2_000


def test_a_path_in_place_of_the_train_part_is_an_error_that_says_how_to_read_it() -> None:
    path: Any = "parts"
    with pytest.raises(DataError, match=r"'parts' is a path; nextreel.read_dataset\('parts'\) reads it"):
        evaluate(Popularity().fit(Dataset.from_frames(TRAIN)), path, TEST)


def test_rows_of_the_test_part_that_were_learned_from_are_counted_and_called_a_leak() -> None:
    train = Dataset.from_frames(TRAIN, catalog(5))
    shared = interactions((1, 0, 5, 1), (1, 1, 5, 10))
    result = evaluate(Popularity().fit(train), train, shared, k=2)
    assert result.learned_too == 1
    assert result.notes() == ["A leak: 1 row of the test part is in the train part too."]


def test_a_clean_split_has_nothing_to_note() -> None:
    assert run().notes() == []
