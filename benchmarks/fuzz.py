"""Fuzzing: the property tests of one part of nextreel, with many more inputs and another seed each round.

    python -m benchmarks.fuzz TARGET [MINUTES]

runs the tests of a target until they have used so many minutes of processor time (10). A failing test ends it, and
prints the smallest input that hypothesis has found; this input then becomes a test of its own. The number of inputs of
a round is that of the profile `fuzz` in tests/conftest.py.
"""

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

from benchmarks.run import HERE, Config, Result

TARGETS = {
    "readers": [
        "tests/data/reading/test_fuzzed_tables.py",
        "tests/data/reading/test_fast_and_exact.py",
        "tests/data/reading/test_table_reader.py",
        "tests/data/reading/test_row_blocks.py",
        "tests/data/exports/test_fuzzed_exports.py",
        "tests/data/ingest/test_ingestion.py",
    ],
    "options": ["tests/models/test_fuzzed_options.py"],
    "models": ["tests/compatibility/test_fuzzed_models.py"],
    "store": [
        "tests/serving/inference/test_any_order_of_writes.py",
        "tests/serving/inference/test_odd_movies.py",
        "tests/serving/storage/test_store_import.py",
    ],
    "http": ["tests/serving/http/test_stateful_api.py", "tests/serving/http/test_openapi.py"],
}
"""Files of tests by what they attack; of these, only those by hypothesis and schemathesis are run."""
MINUTES = 10.0
SUMMARY = re.compile(r"(\d+) passed")


def measure(config: Config, data: Path) -> Result:
    """Fuzz the config's target for its minutes; `data` isn't used."""
    return fuzz(config["target"], config["cpu_minutes"])


def fuzz(target: str, minutes: float) -> Result:
    """Run rounds of a target's tests until they have used so many CPU minutes; SystemExit if one fails."""
    rounds, tests, seconds = 0, 0, 0.0
    while seconds < 60 * minutes:
        before = _child_seconds()
        completed = subprocess.run(
            _command(target, seed=rounds + 1),
            cwd=HERE.parent,
            env=_environment(),
            text=True,
            stdout=subprocess.PIPE,
            check=False,
        )
        seconds += _child_seconds() - before
        found = SUMMARY.search(completed.stdout)
        if completed.returncode != 0 or found is None:
            sys.exit(completed.stdout)
        rounds += 1
        tests += int(found[1])
        print(f"{target}: {rounds} rounds, {tests} tests passed, {seconds / 60:.1f} CPU minutes", flush=True)
    return {"rounds": rounds, "tests": tests, "cpu_minutes": round(seconds / 60, 1), "failures": 0}


def _command(target: str, seed: int) -> list[str]:
    options = ["-n", "0", "-m", "hypothesis", f"--hypothesis-seed={seed}", "--hypothesis-profile=fuzz"]
    return [sys.executable, "-m", "pytest", *options, *TARGETS[target]]


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH")])),
    }


def _child_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    fuzz(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else MINUTES)
