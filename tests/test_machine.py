"""Cores and memory, as affinity, control groups and the machine allow."""

import os
from pathlib import Path

import pytest

from nextreel import machine

GIB = 2**30


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with 8 GiB free on which this process is in the control group box/job, which limits nothing."""
    (tmp_path / "cgroup").mkdir()
    job = tmp_path / "cgroup" / "box" / "job"
    job.mkdir(parents=True)
    (tmp_path / "self").write_text("0::/box/job\n", encoding="utf-8")
    (tmp_path / "meminfo").write_text(
        f"MemTotal: {16 * 2**20} kB\nMemAvailable: {8 * 2**20} kB\n", encoding="utf-8"
    )
    for name, path in (("CGROUPS", "cgroup"), ("PROCESS", "self"), ("MEMORY", "meminfo")):
        monkeypatch.setattr(machine, name, tmp_path / path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(6)), raising=False)
    return job


def limit_memory(group: Path, limit: str, used: int, cached: int = 0) -> None:
    (group / "memory.max").write_text(f"{limit}\n", encoding="utf-8")
    (group / "memory.current").write_text(f"{used}\n", encoding="utf-8")
    (group / "memory.stat").write_text(f"anon 5\ninactive_file {cached}\n", encoding="utf-8")


def test_without_limits_the_machine_counts(groups: Path) -> None:
    assert machine.usable_cores() == 6
    assert machine.usable_memory() == 8 * GIB


@pytest.mark.parametrize(
    ("quota", "cores"), [("200000 100000", 2), ("150000 100000", 2), ("10000 100000", 1)]
)
def test_a_quota_of_a_group_limits_the_cores(groups: Path, quota: str, cores: int) -> None:
    (groups / "cpu.max").write_text(quota, encoding="utf-8")
    assert machine.usable_cores() == cores


def test_a_group_without_limits_allows_everything(groups: Path) -> None:
    (groups / "cpu.max").write_text("max 100000", encoding="utf-8")
    limit_memory(groups, "max", 3 * GIB)
    assert machine.usable_cores() == 6
    assert machine.usable_memory() == 8 * GIB


def test_a_limit_of_an_outer_group_counts_too(groups: Path) -> None:
    (groups.parent / "cpu.max").write_text("300000 100000", encoding="utf-8")
    limit_memory(groups, str(6 * GIB), 1 * GIB)
    limit_memory(groups.parent, str(4 * GIB), 2 * GIB)
    assert machine.usable_cores() == 3
    assert machine.usable_memory() == 2 * GIB


def test_copies_of_files_count_as_free(groups: Path) -> None:
    limit_memory(groups, str(4 * GIB), 3 * GIB, cached=2 * GIB)
    assert machine.usable_memory() == 3 * GIB


def test_a_group_above_its_limit_has_nothing_left(groups: Path) -> None:
    limit_memory(groups, str(1 * GIB), 2 * GIB)
    assert machine.usable_memory() == 0


def test_memory_is_unknown_where_the_system_does_not_say(groups: Path) -> None:
    machine.MEMORY.unlink()
    assert machine.usable_memory() is None


@pytest.mark.parametrize(
    ("variable", "threads"), [("", 6), ("4", 4), ("100", 6), ("0", 1), ("many", 6)], ids=str
)
def test_threads_are_as_many_as_cores_unless_fewer_are_asked_for(
    groups: Path, monkeypatch: pytest.MonkeyPatch, variable: str, threads: int
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", variable)
    assert machine.usable_threads() == threads
