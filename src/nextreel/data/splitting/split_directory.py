"""A split as a directory: train.csv and test.csv, copies of the users and movies, and split.json."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import polars as pl
from pydantic import BaseModel, JsonValue

from nextreel.artifacts import hash_file
from nextreel.atomic_files import atomic_directory
from nextreel.data.data_format import DataFormat
from nextreel.data.dataset import Dataset
from nextreel.data.rating_scale import STARS, RatingScale
from nextreel.data.reading.data_files import find_tables
from nextreel.data.reading.table_reader import read_interactions, read_tables
from nextreel.data.schema import INTERACTIONS, MOVIES, RATING, USER_ID, USERS, Table
from nextreel.data.splitting.split_rules import Rule, SplitRule, split_rows
from nextreel.data.table_writer import write_table
from nextreel.data.tables import Tables
from nextreel.documents import read_json_file
from nextreel.errors import ArtifactError, ConfigError, DataError, QueryError

SPLIT_FILE = "split.json"


class SourceFile(BaseModel):
    """The file of interactions that was split, as split.json names it."""

    file: str
    sha256: str


class PartFacts(BaseModel):
    """Counts over the train or the test part of a split, and the SHA-256 of its file."""

    rows: int
    users: int
    positives: int
    sha256: str


class SplitFacts(SplitRule):
    """What split.json says: the rule, the source, both parts, and the format; the fields are in the file's order."""

    source: SourceFile
    left_out: int
    """Number of interactions in neither the train nor the test part."""
    train: PartFacts
    test: PartFacts
    data_format: dict[str, JsonValue] | None = None
    """What the files don't tell by themselves; None for numeric ids, usual names of columns, and plain stars."""


def write_split(
    path: Path, out: Path, rule: SplitRule, tables: Tables | None = None, replace_other: bool = True
) -> SplitFacts:
    """Split a data set into the directory `out`, which is written completely or not at all.

    Parameters
    ----------
    path : Path
        A data directory, a file of interactions, or a pattern for part files.
    out : Path
        The directory to write. An earlier split in it is replaced, as `replace_other` allows.
    rule : SplitRule
        How to split.
    tables : Tables, optional
        The tables at `path`, if the caller has read them.
    replace_other : bool
        Whether an earlier split with other parts may be replaced.

    Raises
    ------
    DataError
        The data are missing or malformed, a part would be empty, or `out` is the data directory itself.
    ArtifactError
        `out` exists and isn't the result of an earlier split, or holds another split that may not be replaced, or it
        can't be written.
    """
    if out.resolve() == path.resolve():
        raise DataError(f"{path}: would be replaced by its own split; choose another directory")
    files = find_tables(path)
    sources = files.pop(INTERACTIONS)
    tables = tables or read_tables(path)
    split = split_rows(tables.interactions, rule)
    with atomic_directory(out, marker=SPLIT_FILE) as target:
        facts = SplitFacts(
            **rule.model_dump(exclude={"moment"}),
            moment=rule.moment if split.moment is None else split.moment,
            source=SourceFile(file=_join_names(sources), sha256=_hash_files(sources)),
            left_out=split.left_out,
            train=_write_part(split.train, target / "train.csv", rule, tables.scale),
            test=_write_part(split.test, target / "test.csv", rule, tables.scale),
            data_format=tables.format.to_json() or None,
        )
        if not replace_other:
            _refuse_other_split(out, facts)
        for table, frame in ((USERS, tables.users), (MOVIES, tables.movies)):
            if frame is not None:
                _copy_table(files[table][0], table, frame, tables, target)
        if tables.links is not None:
            write_table(tables.links, target / "links.csv")
        text = json.dumps(facts.model_dump(exclude_none=True), indent=2)
        (target / SPLIT_FILE).write_text(text + "\n", encoding="utf-8")
    return facts


def _refuse_other_split(directory: Path, facts: SplitFacts) -> None:
    """Raise ArtifactError if a directory holds a split with other parts than `facts` says, or a damaged one."""
    file = directory / SPLIT_FILE
    if not file.is_file():
        return
    try:
        present = SplitFacts.model_validate(read_json_file(file))
        is_same = (present.train.sha256, present.test.sha256) == (facts.train.sha256, facts.test.sha256)
        what = f"another split, by the rule {present.rule}"
    except (ValueError, OSError):
        is_same, what = False, f"a damaged {SPLIT_FILE}"
    if not is_same:
        raise ArtifactError(
            f"{directory} holds {what}; nothing was written: name another directory, or replace it with --force"
        )


def _copy_table(file: Path, table: Table, frame: pl.DataFrame, tables: Tables, target: Path) -> None:
    """Copy a file as it is, or write its table under our names if its own name or columns are others."""
    has_our_names = all(ours == name for ours, name in tables.sources.get(table, ()))
    if has_our_names and file.name.startswith(f"{table.stems[0]}."):
        shutil.copyfile(file, target / file.name)
    else:
        write_table(frame, target / f"{table.stems[0]}.csv")


def _join_names(files: Sequence[Path]) -> str:
    return files[0].name if len(files) == 1 else f"{files[0].name} to {files[-1].name}"


def _hash_files(files: Sequence[Path]) -> str:
    """Return the SHA-256 of a file, or of the hashes of several."""
    hashes = [hash_file(file) for file in files]
    return hashes[0] if len(files) == 1 else sha256("".join(hashes).encode()).hexdigest()


def _write_part(rows: pl.DataFrame, file: Path, rule: SplitRule, scale: RatingScale) -> PartFacts:
    write_table(rows if scale.rated else rows.drop(RATING), file)
    return PartFacts(
        rows=len(rows),
        users=rows[USER_ID].n_unique(),
        positives=int((rows[RATING] >= rule.threshold).sum()),
        sha256=hash_file(file),
    )


def read_split_rule(directory: Path) -> SplitRule | None:
    """Read from split.json the rule that a directory was split by; None if it has no split.json.

    Raises
    ------
    DataError
        split.json is damaged.
    """
    file = directory / SPLIT_FILE
    if not file.is_file():
        return None
    try:
        facts = read_json_file(file)
        if not isinstance(facts, dict):
            raise TypeError("expected an object")
        rule = {name: facts[name] for name in SplitRule.model_fields if name in facts}
        return SplitRule.parse(rule, "the rule")
    except (ValueError, TypeError, ConfigError) as error:
        raise DataError(f"{file} is damaged: {error}; run nextreel split again") from None


def choose_rule(
    directory: Path,
    named: Rule | None,
    written: SplitRule | None,
    scale: RatingScale = STARS,
) -> SplitRule:
    """Return the rule for splitting the train part of a directory once more, such as for tuning options.

    Parameters
    ----------
    directory : Path
        The data, for the message of an error.
    named : Rule or None
        The rule that the caller names, for a directory that isn't split yet; by default `clean`.
    written : SplitRule or None
        The rule that the directory was split by. A global rule is applied to a share of the train part, not at the
        moment at which the test part starts.
    scale : RatingScale
        What the ratings mean, for the lowest rating that makes a positive.

    Raises
    ------
    QueryError
        `named` is given, but the directory is split already.
    """
    if written is None:
        return SplitRule.for_rule(named or "clean", scale=scale)
    if named is not None:
        raise QueryError(
            f"{directory} was split already: leave the rule {named!r} out, or name the unsplit data"
        )
    return SplitRule.for_rule(
        written.rule, written.positives, written.threshold, written.share, pause=written.pause
    )


@dataclass(frozen=True)
class TrainTest:
    """A split in memory: the train part as a dataset, the test part as a frame of rows."""

    train: Dataset
    test: pl.DataFrame
    """Rows of the test part: UserID, MovieID, Rating, Timestamp, sorted by time."""
    rule: SplitRule | None
    """The rule of the split; None if the parts are files of unknown origin."""

    @property
    def threshold(self) -> float:
        """Lowest rating that makes a row of the test part a positive, and thus a query of the evaluation."""
        return self.train.positive_rating if self.rule is None else self.rule.threshold


def read_train_test(path: Path, rule: Rule | None = None, request: DataFormat | None = None) -> TrainTest:
    """Read the parts in a directory that `nextreel split` wrote, or split other data by `rule`, by default `clean`.

    Raises
    ------
    QueryError
        A rule is given, but the directory already has a test.csv.
    DataError
        The data are missing or malformed, or a part would be empty.
    """
    tables = read_tables(path, request)
    test_file = path / "test.csv"
    if not test_file.is_file():
        chosen = SplitRule.for_rule(rule or "clean", scale=tables.scale)
        split = split_rows(tables.interactions, chosen)
        train = Dataset.from_tables(replace(tables, interactions=split.train))
        return TrainTest(train, split.test, chosen)
    written = read_split_rule(path)
    if rule is not None:
        reason = "holds a test.csv" if written is None else f"was split by the rule {written.rule!r}"
        raise QueryError(f"{path} {reason} already: leave the rule {rule!r} out, or name the unsplit data")
    train = Dataset.from_tables(tables)
    return TrainTest(train, read_interactions(test_file, train.format), written)


def find_test_part(path: Path) -> Path:
    """Return the file of a test part: `path` itself, or test.csv in the directory `path`.

    Raises
    ------
    DataError
        The directory has no test.csv.
    """
    if not path.is_dir():
        return path
    file = path / "test.csv"
    if not file.exists():
        raise DataError(
            f"{path} has no test.csv: split it first (nextreel split {path} parts), fit on parts and evaluate on parts"
        )
    return file
