"""The train and the test part of a directory: split by a rule, or as they lie there already."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from nextreel.data.dataset import Dataset
from nextreel.data.reading.table_reader import read_interactions, read_tables
from nextreel.data.schema import POSITIVE
from nextreel.data.splitting.split_directory import read_split_rule
from nextreel.data.splitting.split_rules import Rule, SplitRule, split_interactions
from nextreel.errors import QueryError


@dataclass(frozen=True)
class Parts:
    """What models learn from and what they are asked about."""

    train: Dataset
    test: pl.DataFrame
    """UserID, MovieID, Rating, Timestamp in order of time."""
    rule: dict[str, Any]
    """The rule of the split as split.json has it; empty for parts of unknown origin."""

    @property
    def threshold(self) -> float:
        """Rating from which on a row of the test part is a query."""
        return float(self.rule.get("threshold", POSITIVE))


def read_parts(directory: Path, rule: Rule | None = None) -> Parts:
    """The parts of a data directory, split by the rule (clean), or those that `nextreel split` wrote.

    Raises QueryError for a rule where there is a test.csv already, and DataError as `read_tables` does.
    """
    tables = read_tables(directory)
    if not (directory / "test.csv").is_file():
        chosen = SplitRule.for_rule(rule or "clean")
        split = split_interactions(tables.interactions, chosen)
        train = Dataset.from_frames(split.train, tables.movies, tables.users)
        return Parts(train, split.test, chosen.model_dump(exclude_none=True))
    told = read_split_rule(directory)
    if rule is not None:
        by = f"was split by the rule {told['rule']!r}" if told else "holds a test.csv"
        raise QueryError(f"{directory} {by} already: leave the rule {rule!r} out, or name the unsplit data")
    train = Dataset.from_frames(tables.interactions, tables.movies, tables.users)
    return Parts(train, read_interactions(directory / "test.csv"), told)
