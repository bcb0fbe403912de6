"""Rows of a query's own second: none are in a strict history, those before it in the file are with file-order."""

from random import Random

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextreel.data.dataset import Dataset
from nextreel.data.schema import MOVIE_ID, RATING, TIMESTAMP, USER_ID
from nextreel.data.splitting.split_rules import split_interactions
from nextreel.data.timeline import Ties
from nextreel.errors import ConfigError
from nextreel.evaluation.model_evaluation import evaluate
from nextreel.evaluation.protocol import EvaluationQueries, HistoryMode
from nextreel.models.item_knn import ItemKNN
from nextreel.models.popularity import Popularity
from tests.frames import any_interactions, catalog, interactions

TRAIN = interactions((1, 0, 5, 10), (1, 1, 5, 20), (2, 0, 5, 10), (2, 1, 5, 10))
TEST = interactions((1, 2, 5, 20), (1, 3, 1, 20), (1, 4, 5, 20), (1, 5, 5, 30))


def histories(mode: HistoryMode, ties: Ties | None = None, test: pl.DataFrame = TEST) -> list[list[int]]:
    """The MovieIDs of the history of each query; movies have the catalog's indices as ids."""
    train = Dataset.from_frames(TRAIN, catalog(6))
    queries = EvaluationQueries.from_split(train, test, mode, ties=ties)
    query, row = queries.histories.rows()
    movies = queries.dataset.timeline.movies[row]
    return [movies[query == number].tolist() for number in range(len(queries))]


def test_a_live_strict_history_ends_before_the_second() -> None:
    assert histories("live", "strict") == [[0], [0], [0, 1, 2, 3, 4]]


def test_a_live_file_order_history_ends_with_the_row_before_the_query() -> None:
    assert histories("live", "file-order") == [[0, 1], [0, 1, 2, 3], [0, 1, 2, 3, 4]]


def test_a_frozen_strict_history_leaves_out_train_rows_of_the_second() -> None:
    assert histories("frozen", "strict") == [[0], [0], [0, 1]]


def test_a_frozen_file_order_history_holds_train_rows_of_the_second() -> None:
    assert histories("frozen", "file-order") == [[0, 1], [0, 1], [0, 1]]


def test_by_default_live_histories_are_strict_and_frozen_ones_in_file_order() -> None:
    assert histories("live") == histories("live", "strict")
    assert histories("frozen") == histories("frozen", "file-order")


def test_a_row_outside_the_catalog_takes_no_place_in_a_file_order_history() -> None:
    test = interactions((1, 99, 5, 20), (1, 2, 5, 20), (1, 98, 5, 20), (1, 4, 5, 20))
    assert histories("live", "file-order", test) == [[0, 1], [0, 1], [0, 1, 2], [0, 1, 2]]


@given(any_interactions())
def test_a_file_order_history_is_what_a_stable_sort_puts_before_the_row(rows: pl.DataFrame) -> None:
    ordered = rows.sort(TIMESTAMP, maintain_order=True)
    train, test = Dataset.from_frames(ordered[:0], catalog(10)), ordered
    queries = EvaluationQueries.from_split(train, test, "live", threshold=0.5, ties="file-order")
    query, row = queries.histories.rows()
    movies = queries.dataset.timeline.movies[row]
    for number, (user, _) in enumerate(ordered.select(USER_ID, TIMESTAMP).iter_rows()):
        before = ordered[:number].filter(pl.col(USER_ID) == user)[MOVIE_ID]
        assert sorted(movies[query == number].tolist()) == before.unique().sort().to_list()


@pytest.mark.parametrize("ties", ["strict", "file-order"])
@given(rows=any_interactions(), place=st.integers(0, 59), random=st.randoms())
def test_rows_that_are_later_in_the_file_or_in_time_change_no_list(
    ties: Ties, rows: pl.DataFrame, place: int, random: Random
) -> None:
    ordered = rows.sort(TIMESTAMP, maintain_order=True)
    place %= len(ordered)
    past, row, later = ordered[:place], ordered[place : place + 1], ordered[place + 1 :]
    others = pl.Series(MOVIE_ID, [random.randrange(10) for _ in range(len(later))], dtype=pl.Int64)
    ratings = pl.Series(RATING, [random.choice([1.0, 5.0]) for _ in range(len(later))], dtype=pl.Float32)
    other = later.with_columns(others, ratings)
    train = Dataset.from_frames(ordered[:0], catalog(10))
    learned = interactions((1, 0, 5, 0), (1, 1, 5, 0), (2, 1, 5, 0), (2, 2, 5, 0), (3, 2, 4, 0))
    model = ItemKNN().fit(Dataset.from_frames(learned, catalog(10)))
    lists = []
    for test in (ordered, pl.concat([past, row, other])):
        queries = EvaluationQueries.from_split(train, test, "live", threshold=0.5, ties=ties)
        marked = np.arange(len(queries)) == place
        ranking = queries[marked].rank_with(model, 5)
        lists.append((ranking.movies.tolist(), ranking.scores.tolist()))
    assert lists[0] == lists[1]


@given(any_interactions())
def test_leave_one_out_in_file_order_is_the_same_frozen_and_live(rows: pl.DataFrame) -> None:
    both = pl.concat([rows, interactions((0, 0, 1, 1), (0, 1, 1, 1))])
    split = split_interactions(both, "leave-one-out")
    train = Dataset.from_frames(split.train, catalog(10))
    frozen, live = (
        EvaluationQueries.from_split(train, split.test, mode, 0.5, "file-order")
        for mode in ("frozen", "live")
    )
    assert frozen.histories.lengths.tolist() == live.histories.lengths.tolist()


def test_an_evaluation_says_by_which_rule_it_was_made() -> None:
    train = Dataset.from_frames(TRAIN, catalog(6))
    model = Popularity().fit(train)
    assert evaluate(model, train, TEST, "live", k=2).protocol["ties"] == "strict"
    assert evaluate(model, train, TEST, "live", k=2, ties="file-order").facts()["protocol"] == {
        "history": "live",
        "ties": "file-order",
        "k": 2,
        "threshold": 4.0,
        "exclude_seen": True,
    }


def test_an_unknown_rule_for_ties_is_an_error() -> None:
    train = Dataset.from_frames(TRAIN, catalog(6))
    with pytest.raises(ConfigError, match="ties is 'none'; expected strict or file-order"):
        evaluate(Popularity().fit(train), train, TEST, ties="none")  # type: ignore[arg-type]
