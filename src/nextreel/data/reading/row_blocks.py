"""The interactions of a file of any size, in blocks of bounded size.

What is read, and what is refused with which message, is what `table_reader` reads and refuses. A file is first read as
if it were ordinary; where it turns out not to be, `Reread` says how to read it from the beginning.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import polars as pl

from nextreel.data.data_format import DataFormat
from nextreel.data.frames import SAMPLED, complete, resolve
from nextreel.data.ids import IdKind, kind_of
from nextreel.data.reading.csv_kinds import find_text_ids, resolve_csv
from nextreel.data.reading.exact_csv import iterate_exactly
from nextreel.data.reading.fast_csv import read_plain
from nextreel.data.reading.large_csv import open_large_csv, unpack_to
from nextreel.data.reading.partitioned_rows import is_manifest, open_partitioned
from nextreel.data.reading.typed_files import (
    PARQUET,
    find_typed_columns,
    is_typed,
    open_typed,
    parquet_problems,
    prepare,
    rename,
    scan_parquet,
)
from nextreel.data.schema import INTERACTIONS, MOVIE_ID, USER_ID
from nextreel.errors import DataError, DataProblem

BLOCK_BYTES = 2**25
"""Bytes of CSV text that are read at once: about a million rows."""
BYTES_OF_A_ROW = 32
"""Bytes of a typical row, by which the number of rows of a block of Parquet is chosen."""


class RereadError(Exception):
    """A file must be read from its beginning in another way than it was; no user sees it."""

    def __init__(self, format_: DataFormat, exactly: bool) -> None:
        super().__init__()
        self.format = format_
        self.exactly = exactly


@dataclass(frozen=True)
class RowBlocks:
    """The interactions of one file."""

    sources: tuple[tuple[str, str], ...]
    """The columns that the file has, each with the file's name for it."""
    notes: tuple[str, ...]
    """Messages about accepted deviations from the format."""
    frames: Iterator[pl.DataFrame]
    """UserID, MovieID, Rating, Timestamp with every value checked, in the order of the file; ids are of one kind."""


def open_blocks(
    path: Path, format_: DataFormat, scratch: Path, exactly: bool = False, size: int = BLOCK_BYTES
) -> RowBlocks:
    """Open a file of interactions for reading in blocks.

    Parameters
    ----------
    path : Path
        A file that `read_interactions` reads, or the manifest of partitioned data.
    format_ : DataFormat
        What is known of the format.
    scratch : Path
        An existing directory for an unpacked copy.
    exactly : bool
        Whether to read a CSV file record by record, as `RereadError` may have asked for.
    size : int
        About how many bytes of text a block has.

    Raises
    ------
    DataError
        The file can't be read or lacks a column; or, from `frames`, a row is invalid.
    RereadError
        From `frames`: the file must be opened again as the error says, and what was read of it dropped.
    """
    if is_manifest(path):
        data = open_partitioned(path.parent)
        return RowBlocks(data.sources, (), data.iterate())
    if is_typed(path):
        return _open_typed_blocks(path, format_, scratch, max(1, size // BYTES_OF_A_ROW))
    text = open_large_csv(path, INTERACTIONS, format_, scratch)
    resolved = resolve_csv(text, INTERACTIONS, format_)
    sources = tuple((column.name, text.name_of(column.name)) for column in resolved.columns)
    if exactly:
        found = find_text_ids(text, resolved, format_)
        frames: Iterator[pl.DataFrame | None] = iterate_exactly(text, found)
    else:
        frames = (read_plain(piece, resolved, format_) for piece in text.pieces(size))
    return RowBlocks(sources, text.notes, _of_one_kind(frames, format_, exactly))


def _of_one_kind(
    frames: Iterator[pl.DataFrame | None], format_: DataFormat, exactly: bool
) -> Iterator[pl.DataFrame]:
    """Yield complete frames while all are known and their ids are of one kind; otherwise raise RereadError."""
    kinds: dict[str, IdKind] = {}
    for frame in frames:
        if frame is None:
            raise RereadError(format_, exactly=True)
        if frame.is_empty():
            continue
        for name, field in ((USER_ID, "user_ids"), (MOVIE_ID, "movie_ids")):
            if kinds.setdefault(name, kind_of(frame[name])) != kind_of(frame[name]):
                raise RereadError(format_.model_copy(update={field: "text"}), exactly)
        yield complete(frame, INTERACTIONS)


def _open_typed_blocks(path: Path, format_: DataFormat, scratch: Path, rows: int) -> RowBlocks:
    if path.suffix.lower() == PARQUET:
        with parquet_problems(path):
            lazy = scan_parquet(path)
            schema = lazy.collect_schema()
    else:
        lazy = _read_json_lines(path, format_, scratch)
        schema = lazy.collect_schema()
    found = find_typed_columns(path.name, schema, INTERACTIONS, format_)
    ignored = ", ".join(map(repr, found.ignored))
    notes = (f"{path.name}: ignored columns {ignored}",) if ignored else ()
    frames = _iterate(path, lazy.select(found.sources.values()), rows)
    first = next(frames, pl.DataFrame(schema={name: schema[name] for name in found.sources.values()}))
    with parquet_problems(path):
        sample = (
            first if first.height >= SAMPLED else lazy.select(found.sources.values()).head(SAMPLED).collect()
        )
    resolved = resolve(INTERACTIONS, rename(sample, found), format_)

    def check() -> Iterator[pl.DataFrame]:
        problems: dict[str | None, list[DataProblem]] = defaultdict(list)
        total = rows_before = 0
        for frame in chain([first], frames):
            try:
                block = prepare(path.name, rename(frame, found), resolved, found, rows_before)
                checked = block.read(INTERACTIONS)
                if not total and checked.height:
                    yield checked
            except DataError as error:
                for problem in error.problems:
                    problems[problem.column].append(problem)
                total += error.total
            rows_before += frame.height
        if total:
            shown = [problems[found.sources[column.name]][: DataError.SHOWN] for column in resolved.columns]
            raise DataError(list(chain(*shown)), total)

    return RowBlocks(tuple(found.sources.items()), notes, check())


def _iterate(path: Path, lazy: pl.LazyFrame, rows: int) -> Iterator[pl.DataFrame]:
    with parquet_problems(path):
        batches = iter(lazy.collect_batches(chunk_size=rows, maintain_order=True))
    while True:
        with parquet_problems(path):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


def _read_json_lines(path: Path, format_: DataFormat, scratch: Path) -> pl.LazyFrame:
    """Return the values in a file of JSON lines, from a Parquet file in `scratch` that holds them with their types."""
    source, copy = unpack_to(path, scratch).absolute(), scratch / "lines.parquet"
    # Polars would take a name with one of these marks for a pattern; what is opened already is read into memory.
    is_pattern = any(mark in str(source) for mark in "*?[")
    try:
        with source.open("rb") as opened:
            lines = pl.scan_ndjson(opened if is_pattern else source, infer_schema_length=None)
            lines.sink_parquet(copy.absolute())
    except pl.exceptions.PolarsError:
        open_typed(path, INTERACTIONS, format_)  # which says what is wrong, and on which line
        raise
    return scan_parquet(copy)
