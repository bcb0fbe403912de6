"""A peer by the protocol of "Time to Split": what it may know, and how its lists become figures."""

from pathlib import Path

import polars as pl
import pytest

from benchmarks.peers import recommend, scoring
from benchmarks.run import Result, read_result
from benchmarks.time_to_split import TIES, TargetSplit
from benchmarks.time_to_split_peers import Questions, evaluate_answers, write_questions
from nextreel.data.tables import Tables
from nextreel.errors import DataError
from tests.frames import catalog, interactions

EARLY = [(1, second % 9, 5.0, second) for second in range(18)]
ROWS = interactions(*EARLY, (2, 11, 5.0, 17), (1, 9, 5.0, 99), (1, 10, 1.0, 99))
"""User 1 watches movies 0 to 8 twice; then movies 9 and 10, the targets, in one second. User 2 watches movie 11."""
SPLIT = TargetSplit.of(Tables.check(ROWS, catalog(12), None), ROWS)
CONFIG = {"model": "test_time_to_split_peers next", "options": {}, "k": 10, "seed": 0}
PACKAGES = ("polars",)


def fit(task: recommend.PeerTask) -> recommend.FittedPeer:
    """Fit a trivial peer, which recommends the movie whose number follows the last one, and before it number 11."""

    def recommend_after(queries: pl.DataFrame, histories: pl.DataFrame) -> pl.DataFrame:
        last = recommend.cut_histories(queries, histories).group_by("query").last()
        following = last.select("query", rank=2, MovieID=pl.col("MovieID") + 1)
        return pl.concat([following, last.select("query", rank=1, MovieID=pl.lit(11, pl.Int64))])

    return recommend.FittedPeer(lambda queries: queries, recommend_after=recommend_after)


def ask() -> Questions:
    return {ties: SPLIT.queries(ties) for ties in TIES}


def evaluate(*rows: tuple[int, int, int]) -> list[Result]:
    lists = pl.DataFrame(rows, schema=["query", "rank", "MovieID"], orient="row")
    return evaluate_answers(lists, ask(), SPLIT.dataset(SPLIT.train))


def test_a_peer_gets_the_rows_in_order_and_how_many_of_them_are_each_targets_history(tmp_path: Path) -> None:
    write_questions(tmp_path, ask())
    assert pl.read_parquet(tmp_path / "histories.parquet").rows() == [
        *((1, movie) for movie in (*range(9), *range(9))),
        (2, 11),
        (1, 9),
        (1, 10),
    ]
    # Two targets in file order, then the same two with strict histories.
    assert pl.read_parquet(tmp_path / "queries.parquet").rows() == [
        (0, 1, 18),
        (1, 1, 19),
        (2, 1, 18),
        (3, 1, 18),
    ]


def test_a_history_is_the_first_rows_of_its_user_in_their_order() -> None:
    histories = pl.DataFrame({"UserID": [1, 2, 1, 1], "MovieID": [5, 6, 3, 4]})
    queries = pl.DataFrame({"query": [0, 1, 2, 3], "UserID": [1, 2, 1, 1], "history": [2, 1, 3, 0]})
    assert recommend.cut_histories(queries, histories).rows() == [
        (0, 5),
        (0, 3),
        (1, 6),
        (2, 5),
        (2, 3),
        (2, 4),
    ]


def test_a_peer_answers_after_each_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(recommend.MODULES, "test_time_to_split_peers", __name__)
    scoring.write_task(tmp_path, CONFIG, SPLIT.train)
    write_questions(tmp_path, ask())
    recommend.run_task(tmp_path)
    lists = pl.read_parquet(tmp_path / "answers.parquet")
    in_file_order, strict = evaluate_answers(lists, ask(), SPLIT.dataset(SPLIT.train))
    assert in_file_order["protocol"]["ties"] == "file-order"
    assert in_file_order["successive_global"]["MRR@10"]["mean"] == 0.5
    assert strict["protocol"]["ties"] == "strict"
    assert strict["successive_global"]["MRR@10"]["mean"] == 0.25


def test_a_peer_that_has_no_lists_for_later_histories_says_so(tmp_path: Path) -> None:
    write_questions(tmp_path, ask())
    peer = recommend.FittedPeer(lambda queries: queries)
    with pytest.raises(NotImplementedError, match="histories"):
        recommend.answer(peer, pl.DataFrame(), tmp_path / "histories.parquet")


def test_each_rule_has_its_own_lists() -> None:
    in_file_order, strict = evaluate((0, 1, 9), (1, 1, 10), (2, 1, 11), (2, 2, 9), (3, 1, 9))
    assert in_file_order["successive_global"]["MRR@10"]["mean"] == 1
    assert strict["successive_global"]["MRR@10"]["mean"] == 0.25
    assert (in_file_order["queries"], strict["queries"]) == (2, 2)


def test_a_target_without_a_list_gets_that_of_popularity_and_is_counted() -> None:
    in_file_order, strict = evaluate((0, 1, 9), (1, 1, 11), (2, 1, 9))
    assert (in_file_order["answered_by_popularity"], strict["answered_by_popularity"]) == (0, 1)
    # No movie that the user hasn't seen is in the train rows, so they stand in the order of their numbers: 9, 10, 11.
    assert strict["last"]["MRR@10"]["mean"] == 0.5


def test_a_movie_is_seen_once_it_is_in_the_history_of_the_target() -> None:
    evaluate((0, 1, 9), (3, 1, 9))
    with pytest.raises(DataError, match="seen"):
        evaluate((1, 1, 9))


@pytest.mark.parametrize("query", [-1, 4])
def test_a_list_for_a_query_that_was_not_asked_is_an_error(query: int) -> None:
    with pytest.raises(DataError, match="queries 0 to 3"):
        evaluate((query, 1, 9))


def test_the_peer_in_the_table_had_the_same_rows_and_targets_as_ours() -> None:
    ours, peer = read_result("time-to-split-best"), read_result("time-to-split-sasrec")
    assert peer["data"] == ours["data"]
    for our, its in zip(ours["evaluations"], peer["evaluations"], strict=True):
        assert (its["protocol"], its["queries"]) == (our["protocol"], our["queries"])
