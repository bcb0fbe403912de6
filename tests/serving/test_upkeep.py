"""A process that frees large arrays returns their memory to the operating system."""

import platform
import subprocess
import sys

import pytest

GROW_AND_FREE = """
import numpy as np
from pathlib import Path
from nextreel.serving.upkeep import return_freed_memory

def resident_mib():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20

return_freed_memory()
np.ones(2**21)  # 16 MiB: from its end on glibc would call nothing smaller large
before = resident_mib()
large, small = [], []
for _ in range(100):
    large.append(np.ones(2**17))
    small.append(np.ones(2**10))
del large
print(resident_mib() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators have no such size")
def test_freed_arrays_go_back_to_the_system_though_small_ones_stand_between() -> None:
    ran = subprocess.run([sys.executable, "-c", GROW_AND_FREE], capture_output=True, text=True, check=True)
    assert float(ran.stdout) < 20
