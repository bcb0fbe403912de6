"""The cores, the memory and the device for networks that this process may use.

A container or a batch system often grants less than the machine has, through the process's affinity or its control
group (cgroup v2, https://docs.kernel.org/admin-guide/cgroup-v2.html). Linux doesn't refuse memory beyond such a limit:
it kills the process.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path

from nextreel.errors import TooLargeError

GIB = 2**30
"""Bytes in a gibibyte."""
CGROUPS = Path("/sys/fs/cgroup")
"""Where the control groups are mounted."""
PROCESS = Path("/proc/self/cgroup")
"""The file that names this process's control group."""
MEMORY = Path("/proc/meminfo")
MEMORY_SHARE = 0.8
"""Share of the free memory that one task may need; the rest is for what an estimate misses, and for other processes."""
DEVICE_VARIABLE = "NEXTREEL_DEVICE"
"""Environment variable that names the device of networks, so that it holds for all processes of a command; `--device`
sets it."""
DEVICES = ("auto", "cpu", "cuda", "mps")
"""Devices by torch's names; auto is a GPU if torch finds one, or else the CPU."""


def usable_cores() -> int:
    """Return the number of cores that this process may use, at least 1."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        cores = os.cpu_count() or 1
    for group in _control_groups():
        quota, _, period = _read(group / "cpu.max").partition(" ")
        if quota.isdigit() and period.isdigit():
            cores = min(cores, math.ceil(int(quota) / int(period)))
    return max(1, cores)


def usable_threads() -> int:
    """Return how many threads to compute with: one a core, or fewer if OMP_NUM_THREADS says so, as BLAS does."""
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(usable_cores(), int(limit))) if limit.isdigit() else usable_cores()


def usable_memory() -> int | None:
    """Return how many bytes this process could allocate now without being killed or swapped out; None if unknown.

    Memory that holds only copies of files counts as free, since the system gives it up when it is needed.
    """
    free = [line.split()[1] for line in _read(MEMORY).splitlines() if line.startswith("MemAvailable:")]
    if not free:
        return None
    usable = int(free[0]) * 1024
    for group in _control_groups():
        limit, used = _read(group / "memory.max"), _read(group / "memory.current")
        if limit.isdigit() and used.isdigit():
            cached = dict(line.split() for line in _read(group / "memory.stat").splitlines()).get(
                "inactive_file", "0"
            )
            usable = min(usable, int(limit) - int(used) + int(cached))
    return max(0, usable)


def require_memory(needed: float, who: str, purpose: str, advice: str = "") -> None:
    """Do nothing if there is memory enough for a task.

    Linux doesn't refuse memory that it lacks but kills the process later, so this is found out before the task.

    Parameters
    ----------
    needed : float
        Bytes that the task will allocate.
    who, purpose : str
        The subject and the end of the message, such as "Ease" and "to learn from 9 interactions".
    advice : str
        What to change, as the end of a sentence, if anything can be.

    Raises
    ------
    TooLargeError
        The task would need more than MEMORY_SHARE of the memory that this process may use.
    """
    usable = usable_memory()
    if usable is not None and needed > MEMORY_SHARE * usable:
        raise TooLargeError(
            f"{who} would need about {needed / GIB:.1f} GiB of memory {purpose}, and {usable / GIB:.1f} GiB are free"
            + (f": {advice}" if advice else "")
        )


def _control_groups() -> Iterator[Path]:
    """Yield the directories of this process's control group and of the groups that it is part of."""
    for line in _read(PROCESS).splitlines():
        if line.startswith("0::/"):
            group = CGROUPS / line.removeprefix("0::/")
            yield group
            yield from (parent for parent in group.parents if parent.is_relative_to(CGROUPS))


def _read(file: Path) -> str:
    """Return the text of a file without white space around it; empty if it can't be read."""
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
