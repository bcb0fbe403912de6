"""Time and memory of a process and of all that it started."""

import os
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

KIB_PER_GIB = 2**20
SECONDS_BETWEEN_LOOKS = 1.0


@dataclass(frozen=True)
class Usage:
    """What a command took until it ended."""

    seconds: float
    cpu_seconds: float
    """Processor time of the command and of what it waited for."""
    peak_memory_gib: float
    """Highest resident memory of its largest process, or of all together."""


def run_measured(command: list[str], directory: Path) -> Usage:
    """Run a command in a directory and return what it took; RuntimeError if it fails.

    Call it in a small process: the peak memory of a command counts that of the process which starts it.
    """
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with status {process.returncode}")
    return Usage(
        seconds=round(time.perf_counter() - started, 2),
        cpu_seconds=round(usage.ru_utime + usage.ru_stime, 2),
        peak_memory_gib=round(usage.ru_maxrss / KIB_PER_GIB, 3),
    )


def run_measured_with_children(command: list[str], directory: Path) -> Usage:
    """Run a command as `run_measured` does, and return the time and memory of all processes together.

    They are looked at once a second. Memory that processes share counts once.
    """
    started, cpu_seconds, peak = time.perf_counter(), dict[int, float](), 0
    process = subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        memory = 0
        with suppress(OSError):  # a process may end while it is looked at
            for pid in list_processes(process.pid):
                cpu_seconds[pid] = read_cpu_seconds(pid)
                memory += read_memory(pid)["Pss"]
        peak = max(peak, memory)
        with suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS_BETWEEN_LOOKS)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with status {process.returncode}")
    seconds = round(time.perf_counter() - started, 2)
    return Usage(seconds, round(sum(cpu_seconds.values()), 2), to_gib(peak))


def list_processes(pid: int) -> list[int]:
    """Return a process and all that it started, directly or not."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(found for child in children for found in list_processes(int(child)))]


def read_cpu_seconds(pid: int) -> float:
    """Return the processor time of a running process."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def read_memory(pid: int) -> dict[str, int]:
    """Return kinds of memory in KiB: Pss, in which shared pages count in parts, and Anonymous, which isn't of files."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    return {name: int(value.split()[0]) for name, value in (line.split(":") for line in lines)}


def to_gib(kib: int) -> float:
    """Return KiB as GiB, rounded for a table."""
    return round(kib / KIB_PER_GIB, 2)
