import numpy as np
import pytest

from nextreel.data.timeline import Histories
from nextreel.errors import QueryError
from nextreel.models.ease import EASE
from nextreel.ranking.joint_lists import JointRule, rank_jointly
from nextreel.ranking.ranker import Ranker
from nextreel.testing.conformance import tiny_dataset

DATASET = tiny_dataset()
RANKER = Ranker.of(EASE().fit(DATASET), DATASET)
LATE = 2_000_000_000


def histories(*users: int, at: int = LATE) -> Histories:
    return DATASET.histories(np.array(users), np.full(len(users), at))


def seen(user: int) -> set[int]:
    history = histories(user)
    return set(history.timeline.movies[history.rows()[1]].tolist())


@pytest.mark.parametrize("rule", ["mean", "least-misery"])
def test_a_list_for_one_is_their_own_list(rule: JointRule) -> None:
    joint = rank_jointly(RANKER, histories(7), 10, rule)
    alone = RANKER.rank(histories(7), np.array([LATE]), 10)
    np.testing.assert_array_equal(joint.movies, alone.movies[0])
    assert joint.percentiles[0, 0] == 100


def test_what_anybody_has_seen_is_left_out_or_kept() -> None:
    joint = rank_jointly(RANKER, histories(7, 14), 60)
    assert not (seen(7) | seen(14)) & set(joint.movies.tolist())
    assert len(rank_jointly(RANKER, histories(7, 14), 60, exclude_seen=False).movies) == 60


def test_the_order_of_the_people_changes_nothing() -> None:
    one, other = (rank_jointly(RANKER, histories(*users), 10) for users in ((7, 14), (14, 7)))
    np.testing.assert_array_equal(one.movies, other.movies)
    np.testing.assert_allclose(one.percentiles, other.percentiles[::-1])


def test_least_misery_never_has_a_lower_minimum() -> None:
    at_the_bottom = {}
    for rule in ("mean", "least-misery"):
        joint = rank_jointly(RANKER, histories(7, 21), 5, rule)
        at_the_bottom[rule] = joint.scores
    everything = rank_jointly(RANKER, histories(7, 21), 60, "least-misery")
    lowest = dict(zip(everything.movies.tolist(), everything.scores.tolist(), strict=True))
    by_mean = rank_jointly(RANKER, histories(7, 21), 5, "mean")
    assert at_the_bottom["least-misery"].sum() >= sum(lowest[movie] for movie in by_mean.movies.tolist())


def test_nothing_after_the_moment_counts() -> None:
    early = rank_jointly(RANKER, histories(7, 14, at=10), 10)
    assert early.personal.tolist() == [False, False]


@pytest.mark.parametrize("users", [(), tuple(range(11))])
def test_too_few_or_too_many_people_are_an_error(users: tuple[int, ...]) -> None:
    with pytest.raises(QueryError, match="a joint list is for 1 to 10"):
        rank_jointly(RANKER, histories(*users))


def test_a_rule_that_is_not_there_is_an_error() -> None:
    with pytest.raises(QueryError, match="expected mean or least-misery"):
        rank_jointly(RANKER, histories(7), rule="best")  # type: ignore[arg-type]
