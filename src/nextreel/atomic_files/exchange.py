"""Exchanging two names in one step, where the system can: Linux with glibc or musl, and macOS.

Python has no function for it. Directories can't replace each other by an ordinary rename, unless one is empty.
"""

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

AT_FDCWD, RENAME_EXCHANGE = -100, 2
"""Numbers in Linux' fcntl.h and fs.h."""
RENAME_SWAP = 2
"""Number in macOS' stdio.h."""
UNSUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM)
"""Errors of systems, sandboxes and file systems that can't exchange names."""


def exchange(one: Path, other: Path) -> bool:
    """Exchange two names of one file system in one step; return False, with nothing changed, if the system can't.

    Raises
    ------
    OSError
        One of them isn't there or may not be changed.
    """
    call = _find_call()
    if call is None:
        return False
    if call(os.fsencode(one), os.fsencode(other)) == 0:
        return True
    number = ctypes.get_errno()
    if number in UNSUPPORTED:
        return False
    raise OSError(number, os.strerror(number), str(one), None, str(other))


@cache
def _find_call() -> Callable[[bytes, bytes], int] | None:
    """Return the C library's function as one of two names, None if it has none."""
    if sys.platform not in ("linux", "darwin"):
        return None
    library = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "darwin":
        swap = getattr(library, "renamex_np", None)
        return None if swap is None else lambda one, other: int(swap(one, other, RENAME_SWAP))
    rename = getattr(library, "renameat2", None)
    if rename is None:
        return None
    return lambda one, other: int(rename(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE))
