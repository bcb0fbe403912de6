"""Which version serves which user in an A/B experiment."""

import numpy as np
import pytest
from scipy import stats

from nextreel.errors import ConfigError
from nextreel.serving.inference.ab_assignment import Experiment

USERS = range(100_000)


@pytest.mark.parametrize(
    ("text", "version", "share"), [("b=0.1", "b", 0.1), ("2026-11-25.b=0.5", "2026-11-25.b", 0.5)]
)
def test_an_experiment_is_written_as_a_version_and_its_share(text: str, version: str, share: float) -> None:
    assert Experiment.parse(text) == Experiment(version, share)


@pytest.mark.parametrize("text", ["b", "b=", "=0.1", "b=0", "b=1", "b=-0.1", "b=10", "b=nan", "b=ten", ""])
def test_anything_else_is_no_experiment(text: str) -> None:
    with pytest.raises(ConfigError, match=r"expected a version and its share of the users"):
        Experiment.parse(text)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("version", ["b", "20261125T005100Z-1f0c3a9b"])
def test_the_challenger_gets_its_share_of_the_users(version: str, share: float) -> None:
    included = sum(map(Experiment(version, share).includes, USERS))
    assert stats.binomtest(included, len(USERS), share).pvalue > 1e-4


def test_raising_the_share_moves_users_into_the_challenger_and_none_out() -> None:
    smaller, larger = (set(filter(Experiment("b", share).includes, USERS)) for share in (0.1, 0.3))
    assert smaller < larger


def test_another_challenger_divides_the_users_anew() -> None:
    b, c = (np.array([*map(Experiment(version, 0.5).includes, USERS)]) for version in "bc")
    assert stats.binomtest(int((b & c).sum()), len(USERS), 0.25).pvalue > 1e-4


def test_neighbouring_users_are_divided_independently() -> None:
    b = np.array([*map(Experiment("b", 0.5).includes, USERS)])
    assert stats.binomtest(int((b[:-1] & b[1:]).sum()), len(USERS) - 1, 0.25).pvalue > 1e-4


def test_the_assignment_stays_as_it_is_from_release_to_release() -> None:
    assert [user for user in range(40) if Experiment("b", 0.2).includes(user)] == [
        1,
        11,
        12,
        14,
        19,
        20,
        21,
        28,
        29,
        36,
    ]
