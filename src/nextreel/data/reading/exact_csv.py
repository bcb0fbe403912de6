"""The exact CSV reader: slower than the fast one, but with each record's line number, raw text and problems.

It reads one record at a time with Python's csv module. The fast reader (polars) must agree with it, and hands over
every file that it can't read itself. If a record can't be split into cells (a quote that is never closed), only its
first line counts as bad, and reading continues on the next line.
"""

import csv
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import polars as pl

from nextreel.data.reading.csv_text import CsvText
from nextreel.data.schema import Column, Table
from nextreel.data.value_checks import Value, parse_cell
from nextreel.errors import DataError, DataProblem
from nextreel.wording import number_of

BATCH = 100_000
"""Number of records in memory at a time: few enough for a small machine, many enough to build frames fast."""


MOST_PROBLEMS = 10_000
"""Number of problems after which reading stops: nobody reads as many, and a file that isn't CSV has millions."""
MOST_LINES = 1_000
"""Number of lines of the longest record. A quote without a partner would make each line of a file reach to its end."""


class Record(NamedTuple):
    """One record (row) of a CSV file, valid or not."""

    line: int
    """Line of the file on which the record begins, counted from 1, the header included."""
    raw: str
    """The record's text in the file, without the line end."""
    values: tuple[Value, ...]
    """Values of the table's columns, in the table's order; empty for an invalid record."""
    problems: tuple[DataProblem, ...]
    """Everything that is wrong with the record; empty for a valid one."""


def read_exactly(text: CsvText, table: Table) -> pl.DataFrame:
    """Read all rows of a CSV file; not one may be invalid.

    Raises
    ------
    DataError
        A record is invalid. The error holds the first 20 problems and counts the others, up to a limit at which
        reading stops.
    """
    return pl.concat([pl.DataFrame(schema=table.schema), *iterate_exactly(text, table)])


def iterate_exactly(text: CsvText, table: Table) -> Iterator[pl.DataFrame]:
    """Iterate over all rows of a CSV file in frames of bounded size; not one row may be invalid.

    Raises
    ------
    DataError
        A record is invalid, as `read_exactly` says; frames of rows before it may have been yielded by then.
    """
    problems: list[DataProblem] = []
    total = 0
    records = _stop_after_problems(_read_records(text, table), MOST_PROBLEMS)
    for batch in _batches(records):
        new_problems = [problem for record in batch for problem in record.problems]
        problems += new_problems[: DataError.SHOWN - len(problems)]
        total += len(new_problems)
        if not problems:
            yield to_frame(batch, table)
    if problems:
        raise DataError(problems, total, is_partial=total >= MOST_PROBLEMS)


def to_frame(records: list[Record], table: Table) -> pl.DataFrame:
    """Return the valid ones of `records` as a frame with the table's columns and types."""
    rows = [record.values for record in records if not record.problems]
    return pl.DataFrame(rows, schema=table.schema, orient="row")


def read_batches(text: CsvText, table: Table) -> Iterator[list[Record]]:
    """Iterate over the records of a file in batches of bounded size, without the header and blank lines."""
    return _batches(_read_records(text, table))


def _batches(records: Iterator[Record]) -> Iterator[list[Record]]:
    return iter(lambda: list(islice(records, BATCH)), [])


def _stop_after_problems(records: Iterator[Record], most: int) -> Iterator[Record]:
    """Yield records up to the one with which the number of problems reaches `most`."""
    total = 0
    for record in records:
        yield record
        total += len(record.problems)
        if total >= most:
            return


def _read_records(text: CsvText, table: Table) -> Iterator[Record]:
    columns = list(zip(table.columns, text.positions(table), strict=True))
    key = next((i for i, column in enumerate(table.columns) if column.name == table.key), None)
    line_of_key: dict[Value, int] = {}
    raw_records = split_records(text.lines(), text.separator)
    next(raw_records)  # the header
    for line, raw, cells, error in raw_records:
        if not error and len(cells) != len(text.header):
            error = f"{number_of(len(cells), 'field')}; expected {len(text.header)} as in the header"
        if error:
            yield Record(line, raw, (), (DataProblem(text.file, line, None, error),))
            continue
        values, problems = _parse_cells(text, line, cells, columns)
        if key is not None and not problems:
            first = line_of_key.setdefault(values[key], line)
            if first != line:
                repeated = f"{values[key]} is already on line {first}; expected unique values"
                problems.append(DataProblem(text.file, line, text.name_of(table.columns[key].name), repeated))
        yield Record(line, raw, () if problems else tuple(values), tuple(problems))


def _parse_cells(
    text: CsvText, line: int, cells: list[str], columns: list[tuple[Column, int]]
) -> tuple[list[Value], list[DataProblem]]:
    values: list[Value] = []
    problems: list[DataProblem] = []
    for column, position in columns:
        if column.kind == "text":  # the only kind without invalid cells, and the most frequent one here
            values.append(cells[position] or None)
            continue
        try:
            values.append(parse_cell(column.kind, cells[position]))
        except ValueError as error:
            problems.append(DataProblem(text.file, line, text.name_of(column.name), str(error)))
    return values, problems


class RawRecord(NamedTuple):
    """One record of a CSV file as text."""

    line: int
    """Line of the file on which the record begins, counted from 1."""
    raw: str
    cells: list[str]
    error: str = ""
    """Why the record can't be split into cells; empty if it can."""


def split_records(lines: Iterator[str], separator: str) -> Iterator[RawRecord]:
    """Split lines into records, header included; one that can't be split counts as bad with its first line only."""
    line = 1
    pending: deque[str] = deque()
    """Lines that a record which turned out to be malformed had taken; they are read again before `lines`."""
    while True:
        consumed: list[str] = []
        reader = csv.reader(_record_lines(pending, lines, consumed), delimiter=separator, strict=True)
        try:
            for cells in reader:
                if len(cells) > 1 or (cells and cells[0].strip()):
                    yield RawRecord(line, "".join(consumed).rstrip("\r\n"), cells)
                line += len(consumed)
                consumed.clear()
            return
        except csv.Error as error:
            yield RawRecord(line, consumed[0].rstrip("\r\n"), [], _explain_quoting(str(error)))
            line += 1
            pending.extendleft(reversed(consumed[1:]))


def _record_lines(pending: deque[str], lines: Iterator[str], consumed: list[str]) -> Iterator[str]:
    """Yield lines, first the pending ones, and append each to `consumed`, which the caller clears after each record.

    `csv.reader` doesn't say which lines a record took. If it asks for more than a record may have, the lines end.
    """
    while len(consumed) < MOST_LINES:
        line = pending.popleft() if pending else next(lines, None)
        if line is None:
            return
        consumed.append(line)
        yield line


def _explain_quoting(error: str) -> str:
    if error == "unexpected end of data" or error.startswith("field larger"):
        return "a quote is opened but never closed"
    if "expected after" in error:
        return "text follows a closing quote; a quote within a quoted field must be doubled"
    return f"can't be read as CSV: {error}"
