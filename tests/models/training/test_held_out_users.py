import numpy as np
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
    return HeldOut.of(dataset.timeline, users, np.random.default_rng(0))


def score_of(*scores: float) -> Float32Array:
    return np.array([scores], dtype=np.float32)


def test_only_positives_with_a_history_are_asked_about() -> None:
    asked = queries_of((1, 0, 2, 10), (1, 1, 2, 20), (1, 2, 4, 30), (2, 3, 5, 10))
    assert asked.movies.tolist() == [2]
    assert asked.timestamps.tolist() == [30]


def test_no_query_sees_its_own_movie_or_a_later_row() -> None:
    timeline = tiny_dataset().timeline
    asked = HeldOut.of(timeline, np.ones(timeline.n_users, np.bool_), np.random.default_rng(0))
    query, row = asked.histories.rows()
    assert (timeline.timestamps[row] <= asked.timestamps[query]).all()
    assert not (timeline.movies[row] == asked.movies[query]).any()


def test_nobody_is_both_known_and_asked_about() -> None:
    dataset = tiny_dataset()
    known, asked = HeldOut.split(dataset, 0.3, seed=1)
    users = set(known.user_ids[known.timeline.users].tolist())
    assert 0 < len(users) < dataset.n_users
    assert not users & set(asked.histories.user_ids.tolist())


def test_without_a_share_everybody_is_known() -> None:
    dataset = tiny_dataset()
    known, asked = HeldOut.split(dataset, 0, seed=1)
    assert known.fingerprint == dataset.fingerprint
    assert len(asked) == 0


def test_the_second_place_among_unseen_movies_has_the_gain_of_a_second_place() -> None:
    asked = queries_of((1, 0, 2, 10), (1, 2, 4, 30))
    _, ndcg = asked.judge(lambda histories, timestamps: score_of(9, 0, 1, 2))
    assert ndcg == pytest.approx(1 / np.log2(3))


def test_the_loss_is_the_softmax_among_unseen_movies() -> None:
    asked = queries_of((1, 0, 2, 10), (1, 2, 4, 30))
    loss, _ = asked.judge(lambda histories, timestamps: score_of(9, 0, 1, 2))
    assert loss == pytest.approx(np.log(np.exp(-1) + 1 + np.exp(1)))


def test_the_mean_is_over_all_queries_however_many() -> None:
    timeline = tiny_dataset().timeline
    asked = HeldOut.of(timeline, np.ones(timeline.n_users, np.bool_), np.random.default_rng(0))

    def score(histories: Histories, timestamps: Int64Array) -> Float32Array:
        return np.zeros((len(timestamps), timeline.movies.max() + 1), dtype=np.float32)

    assert asked.judge(score)[1] == 1.0
    assert len(asked.some(10)) <= 10
