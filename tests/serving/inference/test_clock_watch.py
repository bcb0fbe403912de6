"""A clock that shows another time than now is noticed, once."""

import logging

import pytest

from nextreel.data.times import DAY
from nextreel.serving.inference.clock_watch import EARLIEST, ClockWatch

NOW = EARLIEST + 100 * DAY


class Clocks:
    """A clock that can be set, and one that always runs on."""

    def __init__(self) -> None:
        self.shown, self.steady = float(NOW), 1_000.0
        self.watch = ClockWatch(lambda: self.shown, lambda: self.steady)

    def after(self, seconds: float, set_by: float = 0.0) -> ClockWatch:
        self.steady += seconds
        self.shown += seconds + set_by
        return self.watch


@pytest.fixture
def clocks(caplog: pytest.LogCaptureFixture) -> Clocks:
    caplog.set_level(logging.INFO, "nextreel")
    return Clocks()


def test_a_right_clock_is_not_mentioned(clocks: Clocks, caplog: pytest.LogCaptureFixture) -> None:
    for latest in (None, NOW - 5, NOW + DAY):
        clocks.after(1).look(latest)
    assert (clocks.watch.problem, caplog.messages) == (None, [])


def test_a_clock_more_than_a_day_before_the_latest_rating_is_wrong_until_it_is_set(
    clocks: Clocks, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        clocks.after(1).look(NOW + 2 * DAY)
    assert clocks.watch.problem is not None
    assert "more than a day before the latest stored rating" in clocks.watch.problem
    assert len(caplog.messages) == 1
    clocks.after(1, set_by=3 * DAY).look(NOW + 2 * DAY)
    assert clocks.watch.problem is None
    assert caplog.messages[1:] == ["the clock of this server is right again"]


@pytest.mark.parametrize("shown", [0, 86_400 * 365, EARLIEST - 1, -5])
def test_a_clock_before_the_release_is_wrong(clocks: Clocks, shown: float) -> None:
    clocks.shown = shown
    clocks.watch.look(None)
    assert clocks.watch.problem is not None
    assert "before this release" in clocks.watch.problem


def test_a_clock_that_is_set_back_is_mentioned_once(clocks: Clocks, caplog: pytest.LogCaptureFixture) -> None:
    clocks.after(1).look(None)
    clocks.after(1, set_by=-3_600).look(None)
    clocks.after(1).look(None)
    assert caplog.messages == ["the clock of this server was set back by 1 hour"]


def test_a_usual_correction_is_not_mentioned(clocks: Clocks, caplog: pytest.LogCaptureFixture) -> None:
    clocks.watch.look(None)
    clocks.after(1, set_by=-2).look(None)
    clocks.after(1, set_by=30).look(None)
    assert caplog.messages == []
