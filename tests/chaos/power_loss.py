"""The disks that a loss of power may leave at any point of a run, and what is read from each.

Each must hold the state before or the one after; once the command has ended, the one after.
"""

import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.chaos import forks
from tests.chaos.commands import Command
from tests.chaos.disk_model import Disk, Operation, Sync, Write, write_tree
from tests.chaos.faults import Report, Trial, copy, read_state, trial_of
from tests.chaos.recording import Recording, record
from tests.chaos.tracing import run_traced

RANDOM_LEFT = 4
"""Number of random choices of what reached the disk, at each point of a run."""
MOST_PLACES = 12
"""Number of unsynced writes, at each point, of which each is dropped, kept and torn alone; of more, so many are drawn."""


@dataclass(frozen=True)
class LeftDisk:
    """What a loss of power has left."""

    tree: dict[str, bytes | None]
    """Content of each file, None for a directory, by path."""
    is_at_end: bool
    """Whether the command had ended."""
    how: str
    """What didn't reach the disk, in words."""


def lose_power(command: Command, most: int, seed: int = 0) -> Report:
    """Read about so many of the disks that a loss of power may leave during and after a command."""
    with trial_of(command) as trial:
        return open_left_disks(trial, record_run(trial), most, seed)


def record_run(trial: Trial) -> Recording:
    """Run the command of a trial once more and record what it writes."""
    home = copy(trial.before)
    before = Disk.read(home)
    run = run_traced(trial.command, home, with_data=True)
    assert run.code == 0, run.complaint
    recording = record(run.calls, before, home)
    finished = recording.before.copy()
    for operation in recording.operations:
        finished.apply(operation)
    found = Disk.read(home).tree()
    differing = {
        path for path in found.keys() | finished.tree().keys() if found.get(path) != finished.tree().get(path)
    }
    assert {Path(path).name for path in differing} <= recording.mapped, differing
    return recording


def left_disks(recording: Recording, most: int, seed: int = 0) -> Iterator[LeftDisk]:
    """Yield disks that a loss of power may leave, each once: all after the end, and of the others so many drawn ones."""
    draw = random.Random(seed)
    operations, end = recording.operations, len(recording.operations)
    choices = [(point, *choice) for point in range(end) for choice in choose_kept(operations[:point], draw)]
    chosen = draw.sample(choices, min(most, len(choices)))
    chosen += [(end, *choice) for choice in choose_kept(operations, draw)]
    seen: set[int] = set()
    for point, how, kept in chosen:
        disk = recording.before.copy()
        for place in sorted(kept):
            disk.apply(kept[place])
        tree = disk.tree()
        key = hash((frozenset(tree.items()), point == end))
        if key not in seen:
            seen.add(key)
            yield LeftDisk(tree, point == end, f"after {point} of {end} writes: {how}")


def divide(operations: list[Operation]) -> tuple[set[int], list[int]]:
    """Return the places of the operations that are on the disk for sure, and of those that may be."""
    synced: dict[int, int] = {}
    for place, operation in enumerate(operations):
        if isinstance(operation, Sync):
            synced[operation.inode] = place
    safe, unsafe = set(), []
    for place, operation in enumerate(operations):
        if isinstance(operation, Sync):
            continue
        if all(synced.get(inode, -1) > place for inode in operation.touched):
            safe.add(place)
        else:
            unsafe.append(place)
    return safe, unsafe


def choose_kept(
    operations: list[Operation], draw: random.Random
) -> Iterator[tuple[str, dict[int, Operation]]]:
    """Yield choices of the operations that reached the disk, by their places.

    Of the unsynced ones, that is none, all, one, all but one, all with one torn, or random ones.
    """
    safe, unsafe = divide(operations)
    certain = {place: operations[place] for place in safe}
    everything = {**certain, **{place: operations[place] for place in unsafe}}
    yield "none of the unsynced", certain
    yield "all", everything
    for place in unsafe if len(unsafe) <= MOST_PLACES else draw.sample(unsafe, MOST_PLACES):
        operation = operations[place]
        yield f"only {place} of the unsynced", {**certain, place: operation}
        yield f"not {place}", {other: kept for other, kept in everything.items() if other != place}
        if isinstance(operation, Write):
            for torn in operation.torn():
                yield f"{place} torn", {**everything, place: torn}
    for _ in range(RANDOM_LEFT if len(unsafe) > 2 else 0):
        chosen = [place for place in unsafe if draw.random() < 0.5]
        yield f"only {chosen}", {**certain, **{place: operations[place] for place in chosen}}


def open_left_disks(trial: Trial, recording: Recording, most: int, seed: int = 0) -> Report:
    """Read about so many of the disks."""
    report = Report(trial.command.name, len(recording.operations))
    disks = list(left_disks(recording, most, seed))
    states = forks.call(read_disks, trial.command, trial.home, disks)
    for disk, state in zip(disks, states, strict=True):
        kind = trial.kind_of(state)
        report.counts["runs"] += 1
        report.counts[kind] += 1
        if kind not in ("old", "new"):
            report.problems.append(f"{disk.how}: {state}")
        elif disk.is_at_end and kind == "old":
            report.problems.append(f"{disk.how}: the command had ended, but its result is gone")
    return report


def read_disks(command: Command, home: Path, disks: list[LeftDisk]) -> list[str]:
    """Write each disk into the directory of the run, and return the states that a reader finds there."""
    states = []
    for disk in disks:
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        write_tree(disk.tree, home)
        states.append(read_state(command, home))
    return states
