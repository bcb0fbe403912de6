"""Files and directories that are written completely or not at all, and that outlast a loss of power."""

from nextreel.atomic_files.replacement import atomic_directory, replacing
from nextreel.atomic_files.runs import claim_directory, write_json

__all__ = ["atomic_directory", "claim_directory", "replacing", "write_json"]
