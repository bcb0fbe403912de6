"""Tasks on a Ray cluster: their number, their order, and what happens to those that end badly."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nextreel.errors import NextreelError
from nextreel.scale.bounded_tasks import run_bounded
from nextreel.scale.ray_tasks import RayTasks, run_task
from tests.scale.jobs import double, kill_this_process, wait_for_the_interrupt


def test_items_are_taken_only_as_there_is_room(ray: Any) -> None:
    taken = used = 0

    def take() -> Iterator[int]:
        nonlocal taken
        for item in range(9):
            taken += 1
            yield item

    for item, result in RayTasks(ray, at_once=3)(double, None, take()):
        assert result == 2 * item
        assert taken - used <= 3
        used += 1
    assert used == 9


def test_in_order_an_item_is_taken_after_the_results_of_all_but_the_last_before_it(ray: Any) -> None:
    used: list[int] = []
    known: list[list[int]] = []

    def take() -> Iterator[int]:
        for item in range(5):
            known.append(used.copy())
            yield item

    for item, _ in RayTasks(ray, at_once=2, in_order=True)(double, None, take()):
        used.append(item)
    assert known == [[], [], [0], [0, 1], [0, 1, 2]]


def test_a_task_that_is_killed_again_and_again_is_an_error_in_words(ray: Any) -> None:
    task = ray.remote(num_cpus=1, max_retries=0)(kill_this_process)
    with pytest.raises(NextreelError, match="the same command continues from what is finished"):
        list(run_bounded(ray, [0], lambda item: task.remote(None, item)))


def test_a_cluster_with_another_nextreel_is_refused(ray: Any) -> None:
    task = ray.remote(num_cpus=1)(run_task)
    with pytest.raises(NextreelError, match=r"this machine has 0\.0: install the same everywhere"):
        list(run_bounded(ray, [0], lambda item: task.remote([], double, item, "0.0")))


def test_a_task_is_interrupted_when_nobody_waits_for_its_result_any_more(ray: Any, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    results = RayTasks(ray)(wait_for_the_interrupt, None, [None, pipe])
    assert next(results) == (None, None)
    with pipe.open() as opened:
        assert opened.read(len("began, ")) == "began, "
        results.close()
        assert opened.read() == "ended"
