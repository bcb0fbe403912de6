"""Orders of rows."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nextreel.arrays import stable_order

SMALL, ANY = st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1)


@given(
    st.lists(st.tuples(SMALL, SMALL), max_size=30)
    | st.lists(st.tuples(st.integers(0, 4), ANY), max_size=30)
    | st.lists(st.tuples(ANY, ANY), max_size=30)
)
def test_rows_are_sorted_as_pairs_and_equal_ones_keep_their_order(rows: list[tuple[int, int]]) -> None:
    first, second = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    assert stable_order(first, second).tolist() == sorted(range(len(rows)), key=rows.__getitem__)
