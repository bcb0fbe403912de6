"""Files and directories that are written completely or not at all, and that outlast a loss of power."""

from nextreel.atomic_files.replacement import (
    WRITE_ERRORS,
    atomic_directory,
    explain_write_error,
    replacing,
)
from nextreel.atomic_files.runs import claim_directory, write_json

__all__ = [
    "WRITE_ERRORS",
    "atomic_directory",
    "claim_directory",
    "explain_write_error",
    "replacing",
    "write_json",
]
