"""Counts the changes to a module that its tests notice.

A module is changed in ways that are drawn by a seed, and each changed module is tested in a process of its own (polars
must not be forked). A change is killed if the tests fail or take too long. benchmarks/mutation.py runs this.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.mutation.mutants import Mutant, list_mutants
from tests.mutation.mutated_import import FILE, MODULE

ROOT = Path(__file__).parents[2]
EQUIVALENT: dict[str, str] = json.loads(
    (Path(__file__).with_name("equivalent.json")).read_text(encoding="utf-8")
)
"""Changes that change nothing, as `module: before -> after`, and why."""


def run_tests(module: str, source: str, tests: Sequence[str], limit: float) -> bool:
    """Say whether the tests pass with this source of the module, within the limit of seconds."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "mutated.py"
        file.write_text(source, encoding="utf-8")
        environment = {
            **os.environ,
            MODULE: f"nextreel.{module}",
            FILE: str(file),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        plugin = [
            "-p",
            "tests.mutation.mutated_import",
            "-p",
            "no:cacheprovider",
            "--hypothesis-profile=mutation",
        ]
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", *plugin]
        try:
            done = subprocess.run(
                [*command, *(f"tests/{test}" for test in tests)],
                cwd=ROOT,
                env=environment,
                capture_output=True,
                timeout=limit,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
    return done.returncode == 0


def show(module: str, mutant: Mutant) -> str:
    return f"{module}: {mutant.before} -> {mutant.after}"


def count_killed(module: str, tests: Sequence[str], most: int, seed: int, seconds: float) -> dict[str, Any]:
    """Change one module up to so many times, and return what its tests noticed."""
    source = (ROOT / "src" / "nextreel" / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
    started = time.monotonic()
    if not run_tests(module, source, tests, 600):
        raise SystemExit(f"the tests of {module} fail without a change")
    tested = time.monotonic()
    limit = 20 + 5 * (tested - started)
    mutants = list_mutants(source)
    drawn = random.Random(seed).sample(mutants, min(most, len(mutants)))
    tried, killed, equivalent, survivors = 0, 0, 0, []
    for mutant in drawn:
        if time.monotonic() > tested + seconds:
            break
        if show(module, mutant) in EQUIVALENT:
            equivalent += 1
            continue
        tried += 1
        if run_tests(module, mutant.source, tests, limit):
            survivors.append({"line": mutant.line, "before": mutant.before, "after": mutant.after})
        else:
            killed += 1
    print(f"{module}: {killed} of {tried} killed", flush=True)
    for survivor in survivors:
        print(f"  line {survivor['line']}: {survivor['before']} -> {survivor['after']}", flush=True)
    return {
        "changes": len(mutants),
        "tried": tried,
        "killed": killed,
        "equivalent": equivalent,
        "survivors": survivors,
    }
