"""A process that frees large arrays returns their memory to the operating system."""

import platform
import subprocess
import sys

import pytest

GROW_AND_FREE = """
import numpy as np
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from nextreel.serving.upkeep import return_freed_memory

def resident_mib():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20

def grow_and_free():
    large, small = [], []
    for _ in range(1000):
        large.append(np.ones(2**13))  # 64 KiB, which glibc takes from the heap of the thread
        small.append(np.ones(2**7))
    return small

before = resident_mib()
with ThreadPoolExecutor(1) as thread:
    left = grow_and_free(), thread.submit(grow_and_free).result()
    grown = resident_mib() - before
    return_freed_memory()
    print(grown, resident_mib() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators return memory themselves")
def test_freed_arrays_go_back_to_the_system_though_small_ones_stand_between() -> None:
    ran = subprocess.run([sys.executable, "-c", GROW_AND_FREE], capture_output=True, text=True, check=True)
    kept, left = map(float, ran.stdout.split())
    assert left < 20 < 50 < kept
