from threading import Event

import pytest

from nextreel.stopping import StoppedError, stop_if_unwanted, stoppable


def test_a_computation_goes_on_until_it_is_told_to_stop() -> None:
    stop = Event()
    with stoppable(stop):
        stop_if_unwanted()
        stop.set()
        with pytest.raises(StoppedError):
            stop_if_unwanted()


def test_outside_nothing_is_stopped() -> None:
    stop = Event()
    stop.set()
    with stoppable(stop):
        pass
    stop_if_unwanted()
