import math

from benchmarks.ray_workers import find_break_even


def test_a_cluster_pays_from_where_the_time_that_it_saves_is_its_fixed_cost() -> None:
    assert find_break_even(8, local_rate=100, ray_rate=200) == 1600


def test_a_cluster_that_is_no_faster_never_pays() -> None:
    assert find_break_even(8, local_rate=100, ray_rate=100) == math.inf
