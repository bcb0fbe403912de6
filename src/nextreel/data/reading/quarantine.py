"""Quarantine: copies of a directory's tables without their bad rows, and a file that lists these rows with reasons.

Only rows can be quarantined. A file that is malformed as a whole (a missing column, not text) is still an error. The
original files are never changed.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from nextreel.atomic_files import replacing
from nextreel.data.reading.csv_text import open_csv
from nextreel.data.reading.exact_csv import read_batches, to_frame
from nextreel.data.reading.parquet import open_parquet
from nextreel.data.reading.table_reader import find_tables
from nextreel.data.schema import Table
from nextreel.data.table_writer import write_table
from nextreel.data.value_checks import explain_invalid, find_invalid
from nextreel.errors import DataError, DataProblem

HEADER = ("File", "Line", "Row", "Reason")


@dataclass(frozen=True)
class BadRow:
    """An invalid row of a table, as listed in the quarantine file."""

    file: str
    line: int
    """Line of a CSV file (the header is line 1) or row of a Parquet file (the first row is 1)."""
    row: str
    """Text of the row: as it stands in a CSV file, or its values joined by commas for a Parquet file."""
    reason: str


def quarantine_rows(directory: Path, quarantine: Path, clean: Path) -> dict[str, int]:
    """Copy the tables of a directory without their bad rows, and list the bad rows in a CSV file.

    Parameters
    ----------
    directory : Path
        The original tables, which stay as they are.
    quarantine : Path
        CSV file to write, with the columns File, Line, Row, Reason.
    clean : Path
        Directory to write the clean tables to, under their original names.

    Returns
    -------
    dict[str, int]
        Number of bad rows in each file.

    Raises
    ------
    DataError
        A file is malformed as a whole or has no valid row, or an original file would be overwritten.
    """
    paths = find_tables(directory)
    if clean.resolve() == directory.resolve():
        raise DataError(f"{clean}: holds the original tables; expected another directory for the clean ones")
    if quarantine.resolve() in {path.resolve() for path in paths.values()}:
        raise DataError(f"{quarantine}: is one of the original tables; expected another file")
    counts: dict[str, int] = {}
    clean_tables: dict[str, pl.DataFrame] = {}
    with replacing(quarantine) as temporary, temporary.open("x", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        for table, path in paths.items():
            counts[path.name] = 0
            valid_parts = []
            for valid, bad_rows in _divide(path, table):
                valid_parts.append(valid)
                counts[path.name] += len(bad_rows)
                writer.writerows((bad.file, bad.line, bad.row, bad.reason) for bad in bad_rows)
            clean_tables[path.name] = pl.concat(valid_parts)
            if table.needs_rows and clean_tables[path.name].is_empty():
                raise DataError([DataProblem(path.name, None, None, "has no valid rows")])
        for name, frame in clean_tables.items():
            write_table(frame, clean / name)
    return counts


def _divide(path: Path, table: Table) -> Iterator[tuple[pl.DataFrame, list[BadRow]]]:
    """Yield (valid rows, bad rows) of a file, one pair for each batch of bounded size."""
    yield pl.DataFrame(schema=table.schema), []
    if path.suffix == ".parquet":
        yield _divide_frame(path.name, open_parquet(path, table), table)
        return
    for batch in read_batches(open_csv(path, table), table):
        bad_rows = [
            BadRow(path.name, record.line, record.raw, "; ".join(map(_describe, record.problems)))
            for record in batch
            if record.problems
        ]
        yield to_frame(batch, table), bad_rows


def _divide_frame(file: str, frame: pl.DataFrame, table: Table) -> tuple[pl.DataFrame, list[BadRow]]:
    reasons: dict[int, list[str]] = {}
    for column in table.columns:
        for row, reason in explain_invalid(find_invalid(frame, table, column), column):
            reasons.setdefault(row, []).append(f"{column.name}: {reason}")
    numbered = frame.with_row_index("row", offset=1)
    is_bad = pl.col("row").is_in(list(reasons))
    bad_rows = [
        BadRow(
            file,
            row,
            ",".join("" if value is None else str(value) for value in values),
            "; ".join(reasons[row]),
        )
        for row, *values in numbered.filter(is_bad).iter_rows()
    ]
    return numbered.filter(~is_bad).drop("row").cast(table.schema), bad_rows


def _describe(problem: DataProblem) -> str:
    return f"{problem.column}: {problem.message}" if problem.column else problem.message
