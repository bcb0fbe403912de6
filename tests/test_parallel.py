"""Computing in threads: the results are those of one thread, in order, and BLAS is left as it was."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import count, islice

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from nextreel.parallel import map_in_threads, single_threaded_blas
from nextreel.stopping import StoppedError, stop_if_unwanted, stoppable


@pytest.fixture(params=["1", "2", "5"])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("OMP_NUM_THREADS", request.param)
    monkeypatch.setattr("nextreel.machine.usable_cores", lambda: 8)
    return int(request.param)


def test_the_results_are_in_the_order_of_the_items(threads: int) -> None:
    assert list(map_in_threads(lambda number: number**2, range(50))) == [number**2 for number in range(50)]


def test_items_are_taken_only_a_few_ahead(threads: int) -> None:
    taken: list[int] = []

    def take() -> Iterator[int]:
        for number in count():
            taken.append(number)
            yield number

    assert list(islice(map_in_threads(lambda number: number, take()), 3)) == [0, 1, 2]
    assert len(taken) <= 3 + threads


def test_an_error_ends_the_computation(threads: int) -> None:
    with pytest.raises(ZeroDivisionError):
        list(map_in_threads(lambda number: 1 // number, [2, 1, 0, 1]))


def test_a_computation_that_nobody_wants_any_more_stops_in_every_thread(threads: int) -> None:
    stop = threading.Event()
    stop.set()
    with stoppable(stop), pytest.raises(StoppedError):
        list(map_in_threads(lambda _: stop_if_unwanted(), range(3)))


def threads_of_blas() -> list[int]:
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def test_blas_computes_in_one_thread_until_the_last_block_ends() -> None:
    np.ones((2, 2)) @ np.ones((2, 2))
    before = threads_of_blas()
    with single_threaded_blas():
        with single_threaded_blas():
            pass
        assert threads_of_blas() == [1] * len(before)
    assert threads_of_blas() == before


def test_a_library_loaded_within_a_block_computes_in_one_thread_from_the_next_block_on() -> None:
    program = """
import numpy
from threadpoolctl import threadpool_info
from nextreel.parallel import single_threaded_blas

def count():
    return sorted(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")

with single_threaded_blas():
    import scipy.linalg
    loaded = count()
    with single_threaded_blas():
        limited = count()
    assert count() == limited
print(loaded, limited, count())
"""
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.split("] ") == ["[1, 2", "[1, 1", "[2, 2]\n"]
