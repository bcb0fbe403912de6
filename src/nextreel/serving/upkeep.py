"""Freed arrays go back to the operating system, so that a server that runs for weeks stays as large as it needs to be.

glibc gives a large block a mapping of its own, which ends when the block is freed, but each one that is freed moves the
size from which on a block counts as large upwards, to at most 32 MiB. From then on the arrays of batches and of folding
lie in the heaps of whichever thread made them, which fragment and grow for hours. mallopt(3) fixes the size.
"""

import ctypes
import platform

MMAP_THRESHOLD = -3
"""M_MMAP_THRESHOLD of glibc's malloc.h."""
LARGE = 256 * 1024
"""Bytes from which on a block has a mapping of its own. What a single query needs is smaller."""


def return_freed_arrays() -> None:
    """Fix the size from which on this process frees a block to the system; without glibc, nothing changes."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(MMAP_THRESHOLD, LARGE)
