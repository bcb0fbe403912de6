"""A run of a command for each of its writing calls and each fault: killed before the call, or the call fails.

What must hold: the state is the one before or the one after. A failed command says so in one line and with its exit
code. The next run of the command ends in the state after and leaves nothing else behind.
"""

import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from nextreel.errors import NextreelError
from tests.chaos import forks
from tests.chaos.commands import Command
from tests.chaos.tracing import Call, Fault, Run, run_traced, run_untraced

KILL, REFUSED = "KILL", "refused: "
WHATS = (KILL, "ENOSPC", "EIO")
KILLED = -9
KINDS = ("old", "new", "refused", "other")
"""The state before the command, the one after, one that is refused in a sentence, and what must not be."""
TRIES = 3
"""Runs until a fault hits what it is meant for: the numbers of calls may differ between two runs."""


@dataclass
class Report:
    """What came of all runs of a command."""

    name: str
    calls: int
    """Number of its calls that write."""
    counts: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(("runs", *KINDS), 0)))
    """Number of runs, and in which state they ended."""
    problems: list[str] = field(default_factory=list)
    """What didn't hold, a sentence each."""

    def facts(self) -> dict[str, object]:
        """Return it for a result file."""
        return {"command": self.name, "calls": self.calls, **self.counts, "problems": self.problems}


@dataclass(frozen=True)
class Trial:
    """A command, the directory in which it starts, and what it makes of it undisturbed."""

    command: Command
    before: Path
    old: str
    new: str
    names: set[str]
    """Names of all files that an undisturbed run leaves."""
    calls: list[Call]
    """Its calls."""

    @property
    def home(self) -> Path:
        """The directory in which the command runs, a copy of `before` each time."""
        return self.before.with_name("home")

    def kind_of(self, state: str) -> str:
        """Return which of KINDS a state is."""
        known = {self.old: "old", self.new: "new"}
        return known.get(state, "refused" if state.startswith(REFUSED) else "other")


@contextmanager
def trial_of(command: Command) -> Iterator[Trial]:
    """Prepare a directory for a command, and run it undisturbed in a copy."""
    with tempfile.TemporaryDirectory(prefix="nextreel-chaos-") as name:
        before = Path(name).resolve() / "before"
        before.mkdir()
        forks.call(command.prepare, before)
        old = forks.call(read_state, command, before)
        home = copy(before)
        run = run_traced(command, home)
        assert run.code == 0, run.complaint
        new = forks.call(read_state, command, home)
        if old == new:
            raise ValueError(f"{command.name} changes nothing")
        yield Trial(command, before, old, new, list_names(home), run.calls)


def run_with_faults(command: Command, most: int | None = None, seed: int = 0) -> Report:
    """Run a command once for each fault at each of its writing calls, or for so many drawn ones."""
    with trial_of(command) as trial:
        faults = choose_faults(trial.calls, trial.home)
        report = Report(command.name, len(faults) // len(WHATS))
        if most is not None and most < len(faults):
            faults = random.Random(seed).sample(faults, most)
        try_faults(trial, faults, report)
        return report


def copy(before: Path) -> Path:
    """Copy the directory to a place of the same name each time, so that all paths stay."""
    home = before.with_name("home")
    shutil.rmtree(home, ignore_errors=True)
    return Path(shutil.copytree(before, home))


def list_names(home: Path) -> set[str]:
    """Return the names of all that a directory holds."""
    return {str(path.relative_to(home)) for path in home.rglob("*")}


def read_files(home: Path) -> dict[str, bytes]:
    """Return the content of every file."""
    return {name: (home / name).read_bytes() for name in list_names(home) if (home / name).is_file()}


def choose_faults(calls: Sequence[Call], home: Path) -> list[Fault]:
    """Return each fault at each writing call in a directory; `calls` are all of a run."""
    places = []
    counts: Counter[tuple[str, str, str]] = Counter()
    for call in calls:
        for path in dict.fromkeys((*call.names, *call.paths)):
            counts[call.thread, call.name, path] += 1
        if call.writes and call.is_within(home):
            path = call.names[0]  # strace recognises a rename by its first path only
            places.append((call.name, path, counts[call.thread, call.name, path]))
    return [Fault(*place, what) for place in dict.fromkeys(places) for what in WHATS]


def try_faults(trial: Trial, faults: Sequence[Fault], report: Report) -> None:
    """Run the command once for each fault, and add to the report what came of it."""
    for fault in faults:
        for _ in range(TRIES):
            home = copy(trial.before)
            run = run_traced(trial.command, home, fault)
            if is_hit(run, fault, home):
                break
        else:
            report.counts["missed"] += 1
            continue
        report.counts["runs"] += 1
        problems = judge(trial, run, fault, home, report)
        report.problems += [
            f"{fault.what} at {fault.call} {fault.number} of {fault.path}: {text}" for text in problems
        ]


def is_hit(run: Run, fault: Fault, home: Path) -> bool:
    """Whether the fault happened at a call within the directory."""
    if fault.what == KILL:
        return run.code == KILLED
    return any(call.is_injected and call.writes and call.is_within(home) for call in run.calls)


def judge(trial: Trial, run: Run, fault: Fault, home: Path, report: Report) -> Iterator[str]:
    """Yield what doesn't hold after a run, and after the next one."""
    state = forks.call(read_state, trial.command, home)
    kind = trial.kind_of(state)
    report.counts[kind] += 1
    if kind == "other":
        yield f"neither the state before nor the one after: {state}"
    if fault.what != KILL:
        yield from judge_complaint(run, kind)
    if kind == "old" and read_files(home) == read_files(trial.before):
        return  # the next run is the undisturbed one
    again = run_untraced(trial.command, home)
    if "Traceback" in again.complaint:
        yield f"the next run: {last_line(again.complaint)}"
    if again.code != 0 and kind != "new":
        yield f"the next run refuses: {last_line(again.complaint)}"
    after = forks.call(read_state, trial.command, home)
    if after != trial.new:
        yield f"the next run ends in another state: {after}"
    if leftovers := list_names(home) ^ trial.names:
        yield f"the next run leaves other files: {', '.join(sorted(leftovers))}"


def judge_complaint(run: Run, kind: str) -> Iterator[str]:
    """Yield what is wrong with how a command ends whose call failed."""
    if "Traceback" in run.complaint:
        yield f"a traceback: {last_line(run.complaint)}"
    if run.code == 0 and kind != "new":
        yield "it seems to succeed"
    is_clear = run.code == 1 and run.complaint.startswith("nextreel: ") and run.complaint.count("\n") == 1
    if run.code != 0 and not is_clear:
        yield f"it ends with {run.code} and says: {last_line(run.complaint)}"


def read_state(command: Command, home: Path) -> str:
    """Return the state that a reader finds, or how it is refused."""
    try:
        return command.read(home)
    except NextreelError as error:
        return f"{REFUSED}{error}"
    except Exception as error:  # what isn't told as an error of nextreel is a fault that was found
        return f"{type(error).__name__}: {error}"


def last_line(text: str) -> str:
    """Return the last line that isn't empty."""
    return (text.strip().splitlines() or ["nothing"])[-1]
