"""The fast CSV reader: polars, for files without anything that parsers treat differently.

It reads a file, or a piece of one that ends at the end of a record. Where it isn't sure what polars would make of the
text, or finds anything invalid, it hands over to the exact reader.
"""

import re

import polars as pl

from nextreel.data.data_format import DataFormat
from nextreel.data.frames import to_canonical
from nextreel.data.reading.csv_kinds import may_have_text_ids, undecided_ids, with_text_ids
from nextreel.data.reading.csv_text import CsvText
from nextreel.data.schema import DTYPES, Kind, Table
from nextreel.data.value_checks import is_text_id, is_valid

CANONICAL_NUMBER = r"^(0|[1-9][0-9]{0,17})$"
"""Ids that are numbers without doubt; longer ones may be too large."""
READ_AS: dict[Kind, pl.DataType] = {
    "iso time": pl.String(),
    "rating": pl.Float64(),
    "number": pl.Float64(),
}
"""Types in which a plain CSV file is read, where they aren't those of the table. A decimal that is rounded to 32 bits
at once isn't always what it is in Python, Parquet files and frames, which round it to 64 bits before."""


def read_plain(text: CsvText, resolved: Table, format_: DataFormat) -> pl.DataFrame | None:
    """Read a CSV file with polars; return None if only the exact reader can tell what the file holds.

    Ids that look like numbers in the file's first rows become texts if one of the others is one.
    """
    has_numbers = any(column.kind == "id" for column in resolved.columns)
    frame = None if has_numbers and may_have_text_ids(text, resolved) else read_fast(text, resolved)
    undecided = undecided_ids(resolved, format_)
    return _read_undecided(text, resolved, undecided) if frame is None and undecided else frame


def _read_undecided(text: CsvText, resolved: Table, undecided: list[str]) -> pl.DataFrame | None:
    """Read a CSV file fast with ids as texts, and make those of a column numbers if all of them are."""
    frame = read_fast(text, with_text_ids(resolved, undecided))
    if frame is None:
        return None
    for name in undecided:
        others = frame.select(pl.col(name).filter(~pl.col(name).str.contains(CANONICAL_NUMBER)).unique())
        if others.is_empty():
            frame = frame.with_columns(pl.col(name).cast(pl.Int64))
        elif not any(map(is_text_id, others[name])):
            return None
    return frame


def read_fast(text: CsvText, table: Table) -> pl.DataFrame | None:
    """Read a CSV file with polars; return None if only the exact reader can tell what the file holds."""
    if not _is_plain(text, table):
        return None
    types = {
        text.name_of(column.name): READ_AS.get(column.kind, DTYPES[column.kind]) for column in table.columns
    }
    ours = {text.name_of(column.name): column.name for column in table.columns}
    names = [name if name in types else f"ignored {position}" for position, name in enumerate(text.header)]
    try:
        frame = pl.read_csv(
            text.data.rstrip(b"\r\n") if text.data[-2:-1] in b"\r\n" else text.data,
            has_header=False,
            skip_rows=1,
            separator=text.separator,
            schema={name: types.get(name, pl.String()) for name in names},
        )
    except pl.exceptions.NoDataError:
        return pl.DataFrame(schema=table.schema)
    except pl.exceptions.PolarsError:
        return None
    # Polars fills a row that has too few fields with nulls, as it does for empty cells.
    may_be_ragged = frame[names[-1]].null_count() > 0
    frame = frame.select(pl.col(source).alias(name) for source, name in ours.items())
    if may_be_ragged or not _is_all_valid(frame, table):
        return None
    frame = to_canonical(frame, table).select(table.schema.names())
    repeats_a_key = table.key is not None and frame[table.key].is_duplicated().any()
    return None if repeats_a_key else frame


def _is_all_valid(frame: pl.DataFrame, table: Table) -> bool:
    """Return whether every value of the frame is allowed; of text ids, which repeat, each one is looked at once."""
    columns = [column for column in table.columns if column.kind != "text id"]
    if columns and not frame.select(pl.all_horizontal(is_valid(c).all() for c in columns)).item():
        return False
    return all(
        frame.select(pl.col(column.name).unique()).select(is_valid(column).all()).item()
        for column in table.columns
        if column.kind == "text id"
    )


def _is_plain(text: CsvText, table: Table) -> bool:
    """Return whether a file has none of the CSV constructs that parsers treat differently.

    These are quotes within a cell or without a partner, line breaks within quotes, a CR outside a CRLF, and a separator
    at the end of a line.
    """
    data, separator = text.data, text.separator.encode()
    header_end = data.find(b"\n") + 1
    texts = ("text", "text id", "iso time")
    has_text = len(text.header) > len(table.columns) or any(column.kind in texts for column in table.columns)
    if not header_end:
        return False
    if has_text and data.find(b'"', header_end) >= 0 and not _has_plain_quotes(data, header_end, separator):
        return False
    if b'"' in data and (data.count(b'"', 0, header_end) % 2 or data.count(b'"') % 2):
        return False
    if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
        return False
    return not data.endswith(separator) and separator + b"\n" not in data and separator + b"\r\n" not in data


def _has_plain_quotes(data: bytes, start: int, separator: bytes) -> bool:
    """Return whether quotes stand only around whole cells of one line, and doubled ones within them."""
    other = rb'[^"\r\n' + re.escape(separator) + rb"]"
    cell = rb'(?:"[^"\r\n]*+(?:""[^"\r\n]*+)*+"|' + other + rb"*+)"
    cells = re.compile(rb"(?:" + cell + rb"(?:" + re.escape(separator) + rb"|\r?\n|\Z))*+")
    found = cells.match(data, start)
    return found is not None and found.end() == len(data)
