from pathlib import Path

import polars as pl
import pytest

from benchmarks.list_directories import count_differing_lists, count_parts


def test_lists_that_differ_are_counted_over_all_parts(tmp_path: Path) -> None:
    for name, movies in (("one", [1, None, 3]), ("other", [1, 2, 4])):
        (tmp_path / name).mkdir()
        for part in range(2):
            lists = pl.DataFrame({"UserID": [1, 2, 3], "MovieID1": movies})
            lists.write_parquet(tmp_path / name / f"part-{part:05}.parquet")
    assert count_differing_lists(tmp_path / "one", tmp_path / "other") == 4
    assert count_differing_lists(tmp_path / "one", tmp_path / "one") == 0
    assert count_parts(tmp_path / "one") == 2


def test_other_parts_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    pl.DataFrame({"UserID": [1]}).write_parquet(tmp_path / "one" / "part-00000.parquet")
    with pytest.raises(RuntimeError, match="the same parts"):
        count_differing_lists(tmp_path / "one", tmp_path / "other")
