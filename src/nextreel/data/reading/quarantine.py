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
from nextreel.data.data_format import DataFormat, remembered_format
from nextreel.data.frames import complete, to_canonical
from nextreel.data.reading.csv_kinds import find_text_ids, resolve_csv
from nextreel.data.reading.csv_text import open_csv
from nextreel.data.reading.data_files import find_tables
from nextreel.data.reading.exact_csv import read_batches, to_frame
from nextreel.data.reading.partitioned_rows import is_manifest
from nextreel.data.reading.typed_files import TypedTable, is_typed, open_typed
from nextreel.data.schema import RATING, Table
from nextreel.data.table_writer import is_writable, write_table
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


def quarantine_rows(
    path: Path, quarantine: Path, clean: Path, request: DataFormat | None = None
) -> dict[str, int]:
    """Copy the tables of a data set without their bad rows, and list the bad rows in a CSV file.

    Parameters
    ----------
    path : Path
        The original tables, which stay as they are: a data directory, a file of interactions, or a pattern.
    quarantine : Path
        CSV file to write, with the columns File, Line, Row, Reason.
    clean : Path
        Directory to write the clean tables to, under our names of tables and columns.
    request : DataFormat, optional
        What the caller says of the format.

    Returns
    -------
    dict[str, int]
        Number of bad rows in each file.

    Raises
    ------
    DataError
        A file is malformed as a whole or has no valid row, or an original file would be overwritten.
    """
    files = find_tables(path)
    if any(is_manifest(file) for paths in files.values() for file in paths):
        raise DataError(
            f"{path}: was ingested, which checked every row, so there are no bad rows to set aside"
        )
    originals = {file.resolve() for paths in files.values() for file in paths}
    if clean.resolve() in {path.resolve(), *(file.parent for file in originals)}:
        raise DataError(f"{clean}: holds the original tables; expected another directory for the clean ones")
    if quarantine.resolve() in originals:
        raise DataError(f"{quarantine}: is one of the original tables; expected another file")
    format_ = (remembered_format(path) if path.is_dir() else DataFormat()).with_request(request)
    counts: dict[str, int] = {}
    clean_tables: dict[str, pl.DataFrame] = {}
    with replacing(quarantine) as temporary, temporary.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(HEADER)
        for table, paths in files.items():
            valid_parts = []
            for file in paths:
                counts[file.name] = 0
                for valid, bad_rows in _divide(file, table, format_):
                    valid_parts.append(valid)
                    counts[file.name] += len(bad_rows)
                    writer.writerows((bad.file, bad.line, bad.row, bad.reason) for bad in bad_rows)
            rows = pl.concat(valid_parts)
            if table.needs_rows and rows.is_empty():
                raise DataError([DataProblem(paths[0].name, None, None, "has no valid rows")])
            name = paths[0].name if len(paths) == 1 and is_writable(paths[0]) else f"{table.stems[0]}.csv"
            clean_tables[name] = rows
        for name, frame in clean_tables.items():
            write_table(frame, clean / name)
    return counts


def _divide(path: Path, table: Table, format_: DataFormat) -> Iterator[tuple[pl.DataFrame, list[BadRow]]]:
    """Yield (valid rows, bad rows) of a file, one pair for each batch of bounded size."""
    if is_typed(path):
        yield _divide_typed(open_typed(path, table, format_), table)
        return
    text = open_csv(path, table, format_)
    resolved = find_text_ids(text, resolve_csv(text, table, format_), format_)
    yield _keep_columns(pl.DataFrame(schema=resolved.schema), table, resolved), []
    for batch in read_batches(text, resolved):
        bad_rows = [
            BadRow(path.name, record.line, record.raw, "; ".join(map(_describe, record.problems)))
            for record in batch
            if record.problems
        ]
        yield _keep_columns(to_frame(batch, resolved), table, resolved), bad_rows


def _keep_columns(frame: pl.DataFrame, table: Table, resolved: Table) -> pl.DataFrame:
    """Return a checked frame with all columns of the table, but without ratings that the file doesn't have."""
    has_ratings = RATING in resolved.schema or RATING not in table.schema
    return complete(frame, table) if has_ratings else complete(frame, table).drop(RATING)


def _divide_typed(typed: TypedTable, table: Table) -> tuple[pl.DataFrame, list[BadRow]]:
    frame, resolved = typed.frame, typed.resolved
    reasons: dict[int, list[str]] = {}
    for column in resolved.columns:
        for row, reason in explain_invalid(find_invalid(frame, resolved, column), column):
            reasons.setdefault(row, []).append(f"{typed.found.sources[column.name]}: {reason}")
    numbered = frame.with_row_index("row", offset=1)
    is_bad = pl.col("row").is_in(list(reasons))
    bad_rows = [
        BadRow(
            typed.file,
            row,
            ",".join("" if value is None else str(value) for value in values),
            "; ".join(reasons[row]),
        )
        for row, *values in numbered.filter(is_bad).iter_rows()
    ]
    valid = to_canonical(numbered.filter(~is_bad).drop("row"), resolved)
    return _keep_columns(valid, table, resolved), bad_rows


def _describe(problem: DataProblem) -> str:
    return f"{problem.column}: {problem.message}" if problem.column else problem.message
