"""Panics of polars as ordinary errors, without the report that Rust prints.

A damaged Parquet file can bring its reader to a failed assertion. Polars then raises PanicException, which isn't an
Exception, after Rust has written a report with a backtrace to the standard error stream.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

import polars as pl

STANDARD_ERROR = 2
_lock = RLock()
"""Held while the standard error stream is redirected, which concerns the whole process."""


@contextmanager
def panics_as_errors() -> Iterator[None]:
    """Run a block that calls polars; a panic becomes a ComputeError, and its report is dropped.

    Whatever else is written to the standard error stream meanwhile appears when the block ends.

    Raises
    ------
    polars.exceptions.ComputeError
        Polars has panicked.
    """
    with _lock, tempfile.TemporaryFile() as held_back:
        try:
            original = os.dup(STANDARD_ERROR)
        except OSError:  # the stream is closed, so nobody can see the report
            with _without_panics():
                yield
            return
        os.dup2(held_back.fileno(), STANDARD_ERROR)
        try:
            with _without_panics():
                yield
        except _Panicked:
            held_back.truncate(0)
            raise
        finally:
            os.dup2(original, STANDARD_ERROR)
            os.close(original)
            held_back.seek(0)
            _write_all(held_back.read())


class _Panicked(pl.exceptions.ComputeError):
    """A panic of polars."""


@contextmanager
def _without_panics() -> Iterator[None]:
    try:
        yield
    except pl.exceptions.PanicException as panic:
        raise _Panicked(str(panic)) from panic


def _write_all(report: bytes) -> None:
    while report:
        report = report[os.write(STANDARD_ERROR, report) :]
