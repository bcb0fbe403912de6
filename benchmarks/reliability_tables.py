"""The tables of docs/reliability.md: changed code, covered branches, fuzzing, failing writes, losses of power."""

from collections.abc import Mapping

from benchmarks.fuzz import TARGETS
from benchmarks.run import Result, has_result, read_result
from benchmarks.tables import make_table

WHAT = {
    "readers": "files of ratings, movies, users and queries, and exports of film sites",
    "options": "options of models, in files and as values",
    "models": "the arrays of a saved model, for each of the nine",
    "store": "writes, erasures, added and deleted movies and restarts in any order, on both stores",
    "http": "requests, alone and in sequences, on both stores, with and without keys",
}
"""What each target attacks."""


def mutation() -> str:
    """Return how many changes of each module its tests notice."""
    rows: list[list[str]] = []
    if has_result("mutation"):
        for module, counts in read_result("mutation")["modules"].items():
            share = counts["killed"] / counts["tried"]
            figures = [f"{counts[name]:,}" for name in ("tried", "killed", "equivalent")]
            rows.append([f"`{module}`", *figures, f"{share:.0%}"])
    return make_table(["module", "changes", "noticed", "without an effect", "noticed, share"], rows)


def coverage() -> str:
    """Return how many branches of each part its tests take."""
    rows: list[list[str]] = []
    if has_result("coverage"):
        for part in read_result("coverage")["parts"]:
            figures = [f"{part[name]:,}" for name in ("files", "branches", "covered")]
            rows.append([part["part"], *figures, f"{part['covered_share']:.1%}"])
    return make_table(["part", "modules", "branches", "taken", "taken, share"], rows)


def fuzzing() -> str:
    """Return the targets that were fuzzed."""
    rows = []
    for target in TARGETS:
        if has_result(f"fuzz-{target}"):
            result = read_result(f"fuzz-{target}")
            figures = [f"{result['cpu_minutes']:.1f}", f"{result['rounds']:,}", f"{result['failures']:,}"]
            rows.append([f"`{target}`", WHAT[target], *figures])
    return make_table(["target", "what is attacked", "CPU minutes", "rounds", "failures"], rows)


def faults() -> str:
    """Return what was found after each fault at each writing call, and how many faults no run came to."""
    missed = {
        command["command"]: command.get("missed", 0) for command in read_result("chaos-faults")["commands"]
    }
    return _outcomes("chaos-faults", "writing calls", "runs", missed)


def losses_of_power() -> str:
    """Return what was read from the disks that a loss of power may leave."""
    return _outcomes("chaos-power-loss", "writes", "disks")


_STATES = ("state before", "state after", "refused", "anything else", "broken promises")


def _outcomes(name: str, calls: str, runs: str, missed: Mapping[str, int] | None = None) -> str:
    """Return the table of a result file, by command and in all, with the headers of its first two counts."""
    rows = [
        [
            f"`{command['command']}`",
            f"{command['calls']:,}",
            f"{command['runs']:,}",
            *([] if missed is None else [f"{missed[command['command']]:,}"]),
            *_states(command),
        ]
        for command in read_result(name)["commands"]
    ]
    headers = [calls, runs, *([] if missed is None else ["not reached"]), *_STATES]
    return make_table(["command", *headers], [*rows, _sum(rows)])


def _states(command: Result) -> list[str]:
    counts = [command[kind] for kind in ("old", "new", "refused", "other")]
    return [f"{count:,}" for count in (*counts, len(command["problems"]))]


def _sum(rows: list[list[str]]) -> list[str]:
    columns = zip(*(row[1:] for row in rows), strict=True)
    return ["all", *(f"{sum(int(cell.replace(',', '')) for cell in column):,}" for column in columns)]
