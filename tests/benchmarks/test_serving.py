import numpy as np
import pytest

from benchmarks.serving import draw_arrivals


def test_arrivals_are_in_order_within_the_time_and_as_many_as_the_rate_says() -> None:
    arrivals = draw_arrivals(np.random.default_rng(0), rate=100, seconds=60)
    assert (np.diff(arrivals) >= 0).all()
    assert arrivals[0] >= 0
    assert arrivals[-1] < 60
    assert len(arrivals) == pytest.approx(6_000, abs=300)


def test_times_between_arrivals_vary_as_much_as_their_mean() -> None:
    gaps = np.diff(draw_arrivals(np.random.default_rng(0), rate=100, seconds=60))
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)
