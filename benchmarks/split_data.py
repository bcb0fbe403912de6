"""A data set that was read and split: what most benchmarks begin with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import polars as pl

from nextreel.data.dataset import Dataset
from nextreel.data.reading.table_reader import read_tables
from nextreel.data.splitting.split_rules import SplitRule, split_interactions


@dataclass(frozen=True)
class SplitData:
    """The two parts of a split data set."""

    rule: SplitRule
    train: Dataset
    train_rows: pl.DataFrame
    """The interactions of the train part in order of time."""
    test: pl.DataFrame
    """The interactions of the test part in order of time."""

    @classmethod
    def read(cls, directory: Path, rule: SplitRule, inner: bool = False) -> Self:
        """Read a data directory and split it; `inner` splits the train part by the same rule once more.

        An inner split is what options are chosen on, since it never touches the test part of the outer split.

        Raises
        ------
        DataError
            A table isn't valid, or the split leaves a part empty.
        """
        tables = read_tables(directory)
        split = split_interactions(tables.interactions, rule)
        if inner:
            split = split_interactions(split.train, rule)
        train = Dataset.from_frames(split.train, tables.movies, tables.users)
        return cls(rule, train, split.train, split.test)

    def facts(self) -> dict[str, str | int]:
        """Return the fingerprint of the train part and the sizes of both parts, as they are in a result file."""
        return {
            "sha256": self.train.fingerprint,
            "train_rows": len(self.train_rows),
            "test_rows": len(self.test),
        }
