"""Waiting until what was written is on the disk, so that it is still there after a loss of power."""

import errno
import os
from pathlib import Path

CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EROFS)
"""Errors of file systems that keep no order between memory and disk, such as some network and overlay ones."""


def sync_file(file: Path) -> None:
    """Wait until the content of a file is on the disk."""
    _sync(file, os.O_RDWR if os.name == "nt" else os.O_RDONLY)


def sync_directory(directory: Path) -> None:
    """Wait until the names in a directory are on the disk; Windows writes them without being asked."""
    if os.name != "nt":
        _sync(directory, os.O_RDONLY)


def make_directories(directory: Path) -> None:
    """Create a directory with its parents, as far as they are missing, and wait until their names are on the disk."""
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    for path in missing:
        sync_directory(path.parent)


def sync_tree(directory: Path) -> None:
    """Wait until a directory with all that it holds is on the disk."""
    for path in directory.rglob("*"):
        if path.is_symlink():
            continue
        if path.is_dir():
            sync_directory(path)
        elif path.is_file():
            sync_file(path)
    sync_directory(directory)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in CANNOT_SYNC:
            raise
    finally:
        os.close(descriptor)
