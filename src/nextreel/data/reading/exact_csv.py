"""The exact reading of a CSV file: every record with its true line, its raw text and what is wrong with it.

This is the reference that the fast reader agrees with, and what runs when the fast one refuses a file:
Python's csv module, one record at a time. A record that can't be split (a quote that never closes) costs
only its first line; reading goes on at the next one.
"""

import csv
from collections.abc import Iterator
from itertools import chain, islice
from typing import NamedTuple

import polars as pl

from nextreel.data.reading.csv_text import CsvText
from nextreel.data.schema import Table
from nextreel.data.value_checks import Value, parse_cell
from nextreel.errors import DataError, DataProblem
from nextreel.wording import number_of

BATCH = 100_000


class Record(NamedTuple):
    """One record of a file: a row, good or bad."""

    line: int
    """Line where it begins, counted from 1, the header included."""
    raw: str
    """Its text as it stands in the file, without the line's end."""
    values: tuple[Value, ...]
    """Values of the table's columns, in the table's order; empty when the row is bad."""
    problems: tuple[DataProblem, ...]


def read_exactly(text: CsvText, table: Table) -> tuple[pl.DataFrame, list[DataProblem], int]:
    """The rows, the first problems, and how many problems there are in all.

    Where there is a problem the rows are incomplete: they are of no use then, and take time.
    """
    frames = [pl.DataFrame(schema=table.schema)]
    problems: list[DataProblem] = []
    total = 0
    for batch in read_batches(text, table):
        found = [problem for record in batch for problem in record.problems]
        problems += found[: DataError.SHOWN - len(problems)]
        total += len(found)
        if not problems:
            frames.append(keep_good(batch, table))
    return pl.concat(frames), problems, total


def keep_good(records: list[Record], table: Table) -> pl.DataFrame:
    """The good rows among some records, in the table's columns and types."""
    rows = [record.values for record in records if not record.problems]
    return pl.DataFrame(rows, schema=table.schema, orient="row")


def read_batches(text: CsvText, table: Table) -> Iterator[list[Record]]:
    """All records as by `read_records`, a bounded number at a time."""
    records = read_records(text, table)
    return iter(lambda: list(islice(records, BATCH)), [])


def read_records(text: CsvText, table: Table) -> Iterator[Record]:
    """Every record after the header; blank lines are left out."""
    places = text.places(table)
    key = next((i for i, column in enumerate(table.columns) if column.name == table.key), None)
    line_of_key: dict[Value, int] = {}
    records = _split_records(text.lines())
    next(records)
    for line, raw, cells in records:
        if isinstance(cells, str):
            yield Record(line, raw, (), (DataProblem(text.file, line, None, cells),))
            continue
        if len(cells) != len(text.header):
            counts = f"{number_of(len(cells), 'field')}; expected {len(text.header)} as in the header"
            yield Record(line, raw, (), (DataProblem(text.file, line, None, counts),))
            continue
        values: list[Value] = []
        problems: list[DataProblem] = []
        for column, place in zip(table.columns, places, strict=True):
            try:
                values.append(parse_cell(column.kind, cells[place]))
            except ValueError as error:
                problems.append(DataProblem(text.file, line, column.name, str(error)))
        if key is not None and not problems:
            first = line_of_key.setdefault(values[key], line)
            if first != line:
                again = f"{values[key]} stands on line {first} already; expected each one once"
                problems.append(DataProblem(text.file, line, table.columns[key].name, again))
        yield Record(line, raw, () if problems else tuple(values), tuple(problems))


def _split_records(lines: Iterator[str]) -> Iterator[tuple[int, str, list[str] | str]]:
    """(line, raw text, cells) of each record, or the reason in place of cells that can't be told apart."""
    line = 1
    while True:
        taken: list[str] = []
        reader = csv.reader(_remember(lines, taken), strict=True)
        try:
            for cells in reader:
                if len(cells) > 1 or (cells and cells[0].strip()):
                    yield line, "".join(taken).rstrip("\r\n"), cells
                line += len(taken)
                taken.clear()
            return
        except csv.Error as error:
            yield line, taken[0].rstrip("\r\n"), _explain_quoting(str(error))
            line += 1
            lines = chain(taken[1:], lines)


def _remember(lines: Iterator[str], taken: list[str]) -> Iterator[str]:
    for line in lines:
        taken.append(line)
        yield line


def _explain_quoting(error: str) -> str:
    if error == "unexpected end of data" or error.startswith("field larger"):
        return "a quote is opened and never closed"
    if error.startswith("',' expected"):
        return "text follows a closing quote; a quote within a quoted field must be doubled"
    return f"can't be read as CSV: {error}"
