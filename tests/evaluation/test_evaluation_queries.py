import re
from typing import Any

import numpy as np
import pytest

from nextreel.data.dataset import Dataset
from nextreel.errors import ConfigError, NextreelError
from nextreel.evaluation import protocol
from nextreel.evaluation.protocol import EvaluationQueries, choose_ties, describe_seen, require_history_mode
from nextreel.models.popularity import Popularity
from tests.frames import catalog, interactions

TRAIN = Dataset.from_frames(
    interactions((1, 0, 5, 1), (2, 0, 5, 2), (2, 1, 5, 3), (3, 1, 4, 4), (3, 2, 4, 6)), catalog(12)
)
TEST = interactions((1, 1, 5, 10), (2, 0, 4, 11), (3, 2, 5, 6), (2, 0, 2, 12), (3, 99, 5, 13), (3, 1, 5, 14))
QUERIES = EvaluationQueries.from_split(TRAIN, TEST, "live")


def test_a_query_has_a_user_a_timestamp_and_a_relevant_movie() -> None:
    assert len(QUERIES) == 5
    assert QUERIES.users.tolist() == [1, 2, 3, 3, 3]
    assert QUERIES.timestamps.tolist() == [10, 11, 6, 13, 14]
    assert QUERIES.relevant.tolist() == [1, 0, 2, -1, 1]


def test_a_part_of_the_queries_keeps_their_histories() -> None:
    part = QUERIES[np.array([False, True, False, False, True])]
    assert part.users.tolist() == [2, 3]
    assert part.timestamps.tolist() == [11, 14]
    assert part.histories.lengths.tolist() == QUERIES.histories.lengths[[1, 4]].tolist()


@pytest.mark.parametrize("at_once", [1, 2, 10_000])
def test_queries_for_what_was_seen_are_found_whatever_the_number_at_once(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "QUERIES_AT_ONCE", at_once)
    assert QUERIES.asks_for_seen().tolist() == [False, True, False, False, True]
    assert QUERIES[np.arange(5) > 0].asks_for_seen().tolist() == [True, False, False, True]


def test_by_default_ten_movies_are_ranked_without_those_that_were_seen() -> None:
    model = Popularity().fit(TRAIN)
    ranking = QUERIES.rank_with(model)
    assert ranking.movies.shape == (5, 10)
    assert 0 not in ranking.movies[1][np.isfinite(ranking.scores[1])]
    assert 0 in QUERIES.rank_with(model, 3, exclude_seen=False).movies[1]
    assert QUERIES.rank_with(model, 3).movies.shape == (5, 3)


def test_queries_of_rows_have_the_history_before_them() -> None:
    rows = interactions((1, 0, 5, 1), (1, 2, 5, 8), (1, 99, 5, 9), (1, 3, 5, 10))
    queries = EvaluationQueries.from_rows(rows[3:].drop("Rating"), TRAIN, rows)
    _, row = queries.histories.rows()
    assert queries.histories.timeline.movies[row].tolist() == [0, 2]


@pytest.mark.parametrize(("count", "asks"), [(1, "1 query asks"), (2, "2 queries ask")])
def test_the_note_on_seen_movies(count: int, asks: str) -> None:
    assert describe_seen(count, "NDCG@10 0.1", "NDCG@10 0.3") == (
        f"{asks} for a movie that the user has watched before. With seen movies excluded, these are misses: "
        "NDCG@10 0.1; with seen movies included: NDCG@10 0.3."
    )


def test_both_history_modes_are_accepted() -> None:
    require_history_mode("frozen")
    require_history_mode("live")


@pytest.mark.parametrize(
    ("train", "mode", "ties", "message"),
    [
        ("parts/train", "live", None, "nextreel.read_dataset('parts/train') reads it"),
        (TRAIN, "later", None, "history is 'later'; expected frozen or live"),
        (TRAIN, "live", "loose", "ties is 'loose'; expected strict or file-order"),
    ],
)
def test_arguments_of_another_kind_are_refused(train: Any, mode: Any, ties: Any, message: str) -> None:
    with pytest.raises(NextreelError, match=re.escape(message)):
        EvaluationQueries.from_split(train, TEST, mode, ties=ties)


def test_a_rule_for_equal_timestamps_is_chosen_before_there_are_queries() -> None:
    assert [choose_ties("frozen", None), choose_ties("live", None)] == ["file-order", "strict"]
    assert choose_ties("frozen", "strict") == "strict"
    with pytest.raises(ConfigError, match="ties is 'loose'"):
        choose_ties("live", "loose")  # type: ignore[arg-type]
