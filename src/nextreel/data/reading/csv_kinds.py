"""What the columns of a CSV file hold: numeric or text ids, times in which unit, ratings on which scale."""

import csv
from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import islice

import numpy as np

from nextreel.data.data_format import DataFormat
from nextreel.data.frames import SAMPLED, rating_kind
from nextreel.data.reading.csv_text import CsvText
from nextreel.data.schema import UNITS, Column, Kind, Table
from nextreel.data.value_checks import DECIMAL, INTEGER, is_text_id, kind_of_time

CHUNK = 2**18
"""Bytes of a file that are searched at a time: few enough for a processor's cache."""
MOST_LOCATED = 10_000
"""Number of odd cells, such as zip codes with a leading zero, whose columns are looked up."""


def resolve_csv(text: CsvText, table: Table, format_: DataFormat) -> Table:
    """Return the table with the columns that a file has, each with the kind that its first cells are of.

    Ids that look like numbers in the first rows are numbers; whether this holds for all rows, `find_text_ids` tells.
    """
    present = [column for column in table.recognised if text.name_of(column.name) in text.header]
    positions = [text.header.index(text.name_of(column.name)) for column in present]
    sample = list(islice(_cells(text), SAMPLED))
    return replace(
        table,
        columns=tuple(
            replace(column, kind=_kind_of(column, [cells[position] for cells in sample], format_))
            for column, position in zip(present, positions, strict=True)
        ),
    )


def may_have_text_ids(text: CsvText, resolved: Table) -> bool:
    """Return whether an id may begin with a plus, or with a zero before another digit.

    Such a cell, read as a number, would lose what distinguishes it from another id.
    """
    columns = {
        text.header.index(text.name_of(column.name)) for column in resolved.columns if column.kind == "id"
    }
    data, is_quoted = text.data, b'"' in text.data
    separator = text.separator.encode()
    for n_found, position in enumerate(_find_odd_numbers(text)):
        line_start = data.rfind(b"\n", 0, position) + 1
        if is_quoted or n_found > MOST_LOCATED or data.count(separator, line_start, position) in columns:
            return True
    return False


def _find_odd_numbers(text: CsvText) -> Iterator[int]:
    """Iterate over the positions of cells that begin with a plus, or with a zero before another digit."""
    data = np.frombuffer(text.data, dtype=np.uint8)
    separator, newline, quote, zero, plus = (ord(mark) for mark in (text.separator, "\n", '"', "0", "+"))
    for start in range(0, len(data), CHUNK):
        chunk = data[start : start + CHUNK + 2]
        before, first, second = chunk[:-2], chunk[1:-1], chunk[2:]
        # Bytes below "0" become large numbers here, as they are unsigned.
        odd = (first == zero) & (second - np.uint8(zero) < 10) | (first == plus)
        if odd.any():
            odd &= (before == separator) | (before == newline) | (before == quote)
            yield from (start + 1 + np.flatnonzero(odd)).tolist()


def find_text_ids(text: CsvText, resolved: Table, format_: DataFormat) -> Table:
    """Return the table with the kind "text id" for each column of ids in which a cell is one."""
    undecided = {text.header.index(text.name_of(name)): name for name in undecided_ids(resolved, format_)}
    texts: set[str] = set()
    for cells in _cells(text):
        for position in [p for p in undecided if is_text_id(cells[p])]:
            texts.add(undecided.pop(position))
        if not undecided:
            break
    return with_text_ids(resolved, texts)


def undecided_ids(resolved: Table, format_: DataFormat) -> list[str]:
    """Return the columns of ids that look like numbers so far, without those that the format says are numbers."""
    return [
        column.name
        for column in resolved.columns
        if column.kind == "id" and format_.kind_of(column.name) is None
    ]


def with_text_ids(table: Table, names: Collection[str]) -> Table:
    """Return the table with the kind "text id" for the named columns."""
    return replace(
        table,
        columns=tuple(
            replace(column, kind="text id") if column.name in names else column for column in table.columns
        ),
    )


def _kind_of(column: Column, cells: list[str], format_: DataFormat) -> Kind:
    if column.kind == "id":
        known = format_.kind_of(column.name)
        is_text = known == "text" or (known is None and any(map(is_text_id, cells)))
        return "text id" if is_text else "id"
    if column.kind == "rating":
        return rating_kind(format_)
    if column.kind == "timestamp":
        return _kind_of_times(cells)
    return column.kind


def _kind_of_times(cells: list[str]) -> Kind:
    """Return the unit that most of the cells are in; seconds if several are as frequent."""
    known = [cell.strip() for cell in cells if cell.strip()]
    units = [_kind_of_time_cell(cell) for cell in known]
    n_iso = units.count("iso time")
    return "iso time" if n_iso > len(units) / 2 else max(UNITS, key=units.count)


def _kind_of_time_cell(cell: str) -> Kind:
    if INTEGER.fullmatch(cell) and len(cell) < 20:
        return kind_of_time(int(cell))
    return "timestamp" if DECIMAL.fullmatch(cell) else "iso time"


def _cells(text: CsvText) -> Iterator[list[str]]:
    """Iterate over the rows that have all cells, without the header; it ends at a quote that is never closed."""
    rows = csv.reader(text.lines(), delimiter=text.separator)
    next(rows)
    try:
        for cells in rows:
            if len(cells) == len(text.header):
                yield cells
    except csv.Error:
        return
