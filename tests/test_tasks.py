"""Results of tasks, in the order of their numbers whatever the order in which they come."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextreel.tasks import RunTasks, results_in_order, run_here, run_in_threads


@given(st.permutations(range(6)))
def test_results_come_in_the_order_of_their_numbers(order: list[int]) -> None:
    assert list(results_in_order((number, number**2) for number in order)) == [0, 1, 4, 9, 16, 25]


def test_a_result_is_there_as_soon_as_those_before_it_are() -> None:
    taken = []

    def results() -> Iterator[tuple[int, str]]:
        for number in (1, 0, 2):
            taken.append(number)
            yield number, f"of {number}"

    in_order = results_in_order(results())
    assert [next(in_order), next(in_order)] == ["of 0", "of 1"]
    assert taken == [1, 0]


@pytest.mark.parametrize("run_tasks", [run_here, run_in_threads])
def test_tasks_of_this_process_come_in_the_order_of_the_items(run_tasks: RunTasks) -> None:
    assert list(run_tasks(pow, 2, [3, 1, 2])) == [(3, 8), (1, 2), (2, 4)]
