"""Real file systems of a few kilobytes, which become full."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted_disk(size: str) -> Iterator[Path]:
    """Mount a file system of a size such as 12m outside pytest's directories, which are closed to the user postgres."""
    directory = Path(tempfile.mkdtemp(prefix="nextreel-small-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "tmpfs", str(directory)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        directory.rmdir()
        pytest.skip("needs the right to mount a small file system")
    directory.chmod(0o755)
    yield directory
    subprocess.run(["umount", "--lazy", directory], check=True)
    directory.rmdir()
