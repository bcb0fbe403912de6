"""A split as a directory: train.csv and test.csv, the users and movies beside them, and split.json."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from nextreel.artifacts import hash_file
from nextreel.atomic_files import atomic_directory
from nextreel.data.dataset import Dataset
from nextreel.data.reading.table_reader import find_tables, read_interactions, read_tables
from nextreel.data.schema import INTERACTIONS, RATING, USER_ID
from nextreel.data.splitting.split_rules import Rule, SplitRule, split_interactions
from nextreel.data.table_writer import write_table
from nextreel.errors import ConfigError, DataError, QueryError

FACTS = "split.json"


def write_split(directory: Path, out: Path, rule: SplitRule) -> dict[str, Any]:
    """Split a data directory into `out`, all of it or nothing, and return what split.json says."""
    if out.resolve() == directory.resolve():
        raise DataError(f"{directory}: would be replaced by its own split; choose another directory")
    files = find_tables(directory)
    source = files.pop(INTERACTIONS)
    split = split_interactions(read_interactions(source), rule)
    facts: dict[str, Any] = {
        **rule.model_dump(exclude_none=True),
        **({} if split.moment is None else {"moment": split.moment}),
        "source": {"file": source.name, "sha256": hash_file(source)},
        "left_out": split.left_out,
    }
    with atomic_directory(out, marker=FACTS) as target:
        for name, rows in (("train", split.train), ("test", split.test)):
            file = target / f"{name}.csv"
            write_table(rows, file)
            facts[name] = {
                "rows": len(rows),
                "users": rows[USER_ID].n_unique(),
                "positives": int((rows[RATING] >= rule.threshold).sum()),
                "sha256": hash_file(file),
            }
        for file in files.values():
            shutil.copyfile(file, target / file.name)
        (target / FACTS).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    return facts


def find_test_part(path: Path) -> Path:
    """The file of a test part: `path` itself, or test.csv of a directory that was split."""
    if not path.is_dir():
        return path
    if not (path / "test.csv").exists():
        raise DataError(
            f"{path} has no test.csv: split it first (nextreel split {path} parts), fit on parts and evaluate on parts"
        )
    return path / "test.csv"


def read_split_rule(directory: Path) -> dict[str, Any]:
    """The rule that a directory was split by, as split.json has it; empty where there is none."""
    facts = read_split_facts(directory) or {}
    return {name: facts[name] for name in SplitRule.model_fields if name in facts}


def read_split_facts(directory: Path) -> dict[str, Any] | None:
    """What split.json says, or None where there is none."""
    file = directory / FACTS
    if not file.is_file():
        return None
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
        return {**facts, "threshold": float(facts["threshold"])}
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{file} is damaged: {error}; run nextreel split again") from None


@dataclass(frozen=True)
class TrainTest:
    """What models learn from and what they are asked about."""

    train: Dataset
    test: pl.DataFrame
    """UserID, MovieID, Rating, Timestamp in order of time."""
    rule: dict[str, Any]
    """The rule of the split as split.json has it; empty for parts of unknown origin."""

    @property
    def threshold(self) -> float:
        """Rating from which on a row of the test part is a query."""
        return float(self.rule.get("threshold", self.train.positive_rating))


def read_train_test(directory: Path, rule: Rule | None = None) -> TrainTest:
    """The parts of a data directory, split by the rule (clean), or those that `nextreel split` wrote.

    Raises QueryError for a rule where there is a test.csv already, and DataError as `read_tables` does.
    """
    tables = read_tables(directory)
    if not (directory / "test.csv").is_file():
        chosen = SplitRule.for_rule(rule or "clean")
        split = split_interactions(tables.interactions, chosen)
        train = Dataset.from_frames(split.train, tables.movies, tables.users)
        return TrainTest(train, split.test, chosen.model_dump(exclude_none=True))
    told = read_split_rule(directory)
    if rule is not None:
        by = f"was split by the rule {told['rule']!r}" if told else "holds a test.csv"
        raise QueryError(f"{directory} {by} already: leave the rule {rule!r} out, or name the unsplit data")
    train = Dataset.from_frames(tables.interactions, tables.movies, tables.users)
    return TrainTest(train, read_interactions(directory / "test.csv"), told)


def _choose_rule(directory: Path, rule: Rule | None, facts: Mapping[str, Any] | None) -> SplitRule:
    """The rule that the directory was split by, at its own share of the train part, or the one that is named."""
    if facts is None:
        return SplitRule.for_rule(rule or "clean")
    if rule is not None:
        raise QueryError(
            f"{directory} was split already: leave the rule {rule!r} out, or name the unsplit data"
        )
    try:
        return SplitRule.for_rule(facts["rule"], facts["positives"], facts["threshold"], facts.get("share"))
    except (KeyError, ConfigError) as error:
        raise DataError(f"{directory / 'split.json'} is damaged: {error}; run nextreel split again") from None
