"""Setting bad rows aside: a directory's tables without them, and a file that says which and why.

Only rows can be set aside. A file that is wrong as a whole (a missing column, not text) still fails, and
the originals are never touched.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from nextreel.atomic_files import replacing
from nextreel.data.reading.csv_text import open_csv
from nextreel.data.reading.exact_csv import keep_good, read_batches
from nextreel.data.reading.parquet import open_parquet
from nextreel.data.reading.table_reader import find_tables
from nextreel.data.schema import Table
from nextreel.data.table_writer import write_table
from nextreel.data.value_checks import explain_bad, find_bad
from nextreel.errors import DataError, DataProblem

HEADER = ("File", "Line", "Row", "Reason")


@dataclass(frozen=True)
class BadRow:
    """A row that was set aside."""

    file: str
    line: int
    """Line in a CSV file, the header included; in Parquet the row, counted from 1."""
    row: str
    """Its text."""
    reason: str


def set_aside(directory: Path, quarantine: Path, clean: Path) -> dict[str, int]:
    """Write the tables of `directory` without their bad rows to `clean`, and those rows to `quarantine`.

    Parameters
    ----------
    directory : Path
        The tables; they stay as they are.
    quarantine : Path
        CSV file to write: File, Line, Row, Reason.
    clean : Path
        Directory for the clean tables, under the names that they have.

    Returns
    -------
    dict[str, int]
        How many rows of each file were set aside.
    """
    paths = find_tables(directory)
    if clean.resolve() == directory.resolve():
        raise DataError(f"{clean}: holds the original tables; expected another directory for the clean ones")
    if quarantine.resolve() in {path.resolve() for path in paths.values()}:
        raise DataError(f"{quarantine}: is one of the original tables; expected another file")
    counts: dict[str, int] = {}
    frames: dict[str, pl.DataFrame] = {}
    with replacing(quarantine) as temporary, temporary.open("x", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        for table, path in paths.items():
            counts[path.name] = 0
            good = []
            for rows, bad in _split(path, table):
                good.append(rows)
                counts[path.name] += len(bad)
                writer.writerows((row.file, row.line, row.row, row.reason) for row in bad)
            frames[path.name] = pl.concat(good)
            if table.needs_rows and frames[path.name].is_empty():
                raise DataError([DataProblem(path.name, None, None, "holds no good row")])
        for name, frame in frames.items():
            write_table(frame, clean / name)
    return counts


def _split(path: Path, table: Table) -> Iterator[tuple[pl.DataFrame, list[BadRow]]]:
    """The good rows and the bad ones of a file, a bounded number at a time."""
    yield pl.DataFrame(schema=table.schema), []
    if path.suffix == ".parquet":
        yield _split_frame(path.name, open_parquet(path, table), table)
        return
    for batch in read_batches(open_csv(path, table), table):
        bad = [
            BadRow(path.name, record.line, record.raw, "; ".join(map(_describe, record.problems)))
            for record in batch
            if record.problems
        ]
        yield keep_good(batch, table), bad


def _split_frame(file: str, frame: pl.DataFrame, table: Table) -> tuple[pl.DataFrame, list[BadRow]]:
    reasons: dict[int, list[str]] = {}
    for column in table.columns:
        for row, reason in explain_bad(find_bad(frame, table, column), column):
            reasons.setdefault(row, []).append(f"{column.name}: {reason}")
    numbered = frame.with_row_index("row", offset=1)
    is_bad = pl.col("row").is_in(list(reasons))
    bad = [
        BadRow(
            file,
            row,
            ",".join("" if value is None else str(value) for value in values),
            "; ".join(reasons[row]),
        )
        for row, *values in numbered.filter(is_bad).iter_rows()
    ]
    return numbered.filter(~is_bad).drop("row").cast(table.schema), bad


def _describe(problem: DataProblem) -> str:
    return f"{problem.column}: {problem.message}" if problem.column else problem.message
