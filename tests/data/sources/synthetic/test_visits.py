import numpy as np
import pytest

from nextreel.data.sources.synthetic.visits import KeyedDraws


def test_keyed_draws_have_their_distributions() -> None:
    n = 100_000
    draws = KeyedDraws(0, "a test", np.arange(n))
    uniform, exponential = draws.random(n), draws.exponential(3.0, n)
    normal, lognormal = draws.normal(2.0, n), draws.lognormal(1.0, 0.5, n)
    assert uniform.mean() == pytest.approx(0.5, abs=0.01)
    assert (exponential.mean(), exponential.std()) == pytest.approx((3, 3), abs=0.1)
    assert (normal.mean(), normal.std()) == pytest.approx((0, 2), abs=0.05)
    assert (np.log(lognormal).mean(), np.log(lognormal).std()) == pytest.approx((1, 0.5), abs=0.02)
    assert abs(np.corrcoef([uniform, exponential, normal, lognormal]) - np.eye(4)).max() < 0.02


def test_a_draw_depends_on_its_own_key_alone() -> None:
    some = np.array([5, 700, 2])
    of_all, of_some = KeyedDraws(1, "a test", np.arange(1_000)), KeyedDraws(1, "a test", some)
    for _ in range(2):
        np.testing.assert_array_equal(of_some.normal(1.0, 3), of_all.normal(1.0, 1_000)[some])
