import numpy as np
import polars as pl
import pytest

from nextreel.arrays import Float32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Histories
from nextreel.models.training.held_out_users import HeldOut
from nextreel.testing import tiny_dataset
from tests.frames import catalog, interactions


def queries_of(*rows: tuple[int, int, float, int]) -> HeldOut:
    dataset = Dataset.from_frames(interactions(*rows), catalog(4))
    users = np.ones(dataset.n_users, dtype=np.bool_)
    return HeldOut.of(dataset.timeline, users, seed=0)


def score_of(*scores: float) -> Float32Array:
    return np.array([scores], dtype=np.float32)


def test_only_positives_with_a_history_become_queries() -> None:
    queries = queries_of((1, 0, 2, 10), (1, 1, 2, 20), (1, 2, 4, 30), (2, 3, 5, 10))
    assert queries.movies.tolist() == [2]
    assert queries.timestamps.tolist() == [30]


def test_no_history_holds_the_target_of_its_query_or_a_later_row() -> None:
    timeline = tiny_dataset().timeline
    queries = HeldOut.of(timeline, np.ones(timeline.n_users, np.bool_), seed=0)
    query, row = queries.histories.rows()
    assert (timeline.timestamps[row] <= queries.timestamps[query]).all()
    assert not (timeline.movies[row] == queries.movies[query]).any()


def test_no_user_is_both_learned_from_and_held_out() -> None:
    dataset = tiny_dataset()
    remaining, queries = HeldOut.split(dataset, 0.3, seed=1)
    users = set(remaining.user_ids[remaining.timeline.users].tolist())
    assert 0 < len(users) < dataset.n_users
    assert not users & set(queries.histories.user_ids.tolist())


def test_a_share_of_zero_holds_out_nobody() -> None:
    dataset = tiny_dataset()
    remaining, queries = HeldOut.split(dataset, 0, seed=1)
    assert remaining.fingerprint == dataset.fingerprint
    assert len(queries) == 0


def test_the_second_place_among_unseen_movies_has_the_gain_of_a_second_place() -> None:
    queries = queries_of((1, 0, 2, 10), (1, 2, 4, 30))
    _, ndcg = queries.evaluate(lambda histories, timestamps: score_of(9, 0, 1, 2))
    assert ndcg == pytest.approx(1 / np.log2(3))


def test_the_loss_is_the_softmax_among_unseen_movies() -> None:
    queries = queries_of((1, 0, 2, 10), (1, 2, 4, 30))
    loss, _ = queries.evaluate(lambda histories, timestamps: score_of(9, 0, 1, 2))
    assert loss == pytest.approx(np.log(np.exp(-1) + 1 + np.exp(1)))


def test_the_mean_is_over_all_queries_however_many() -> None:
    timeline = tiny_dataset().timeline
    queries = HeldOut.of(timeline, np.ones(timeline.n_users, np.bool_), seed=0)

    def score(histories: Histories, timestamps: Int64Array) -> Float32Array:
        return np.zeros((len(timestamps), timeline.movies.max() + 1), dtype=np.float32)

    assert queries.evaluate(score)[1] == 1.0
    assert len(queries.subsample(10)) <= 10


def test_a_history_of_ratings_that_are_replaced_later_keeps_them() -> None:
    # The queries are the second rating of movie 0, at 20, and that of movie 1, at 30.
    queries = queries_of((1, 0, 2, 10), (1, 0, 5, 20), (1, 1, 5, 30), (2, 3, 5, 10))
    query, row = queries.histories.rows()
    assert set(query.tolist()) == {0, 1}
    assert queries.histories.timeline.users[row].tolist() == [0] * len(row)


def test_a_history_leaves_out_what_it_has_replaced_itself() -> None:
    dataset = Dataset.from_frames(interactions((1, 0, 2, 10), (1, 0, 2, 20), (1, 1, 5, 30)), catalog(4))
    queries = HeldOut.of(dataset.timeline, np.ones(1, dtype=np.bool_), seed=0)
    assert dataset.timeline.timestamps[queries.histories.rows()[1]].tolist() == [20]


@pytest.mark.parametrize("seed", range(20))
def test_no_history_is_empty_where_every_movie_is_rated_again(seed: int) -> None:
    rows = tiny_dataset(seed).interactions()
    timeline = tiny_dataset(seed).with_interactions(pl.concat([rows] * 2)).timeline
    queries = HeldOut.of(timeline, np.ones(timeline.n_users, np.bool_), seed=seed)
    query, row = queries.histories.rows()
    assert set(query.tolist()) == set(range(len(queries)))
    assert (timeline.user_ids[timeline.users[row]] == queries.histories.user_ids[query]).all()
