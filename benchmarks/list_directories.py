"""Directories of recommendation lists, as two runs of `nextreel recommend` wrote them, compared."""

from pathlib import Path

import polars as pl


def count_parts(directory: Path) -> int:
    """Return the number of parts that are written."""
    return len(_parts_of(directory))


def count_differing_lists(one: Path, other: Path) -> int:
    """Return how many queries have another list in the second directory; RuntimeError if it has other parts."""
    parts, others = _parts_of(one), _parts_of(other)
    if [file.name for file in parts] != [file.name for file in others]:
        raise RuntimeError(f"{one} and {other} don't have the same parts")
    differing = 0
    for file, other_file in zip(parts, others, strict=True):
        lists, other_lists = pl.read_parquet(file), pl.read_parquet(other_file)
        same = lists.select(pl.struct(pl.all()) == pl.Series(other_lists.to_struct())).to_series()
        differing += int((~same.fill_null(False)).sum())
    return differing


def _parts_of(directory: Path) -> list[Path]:
    return sorted(directory.glob("part-*.parquet"))
