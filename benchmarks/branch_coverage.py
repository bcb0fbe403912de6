"""Kind `branch-coverage`: which branches of the most important parts their own tests take, by coverage.py."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.run import HERE, Config, Result

ROOT = HERE.parent
PACKAGE = Path("src/nextreel")


def measure(config: Config, data: Path) -> Result:
    """Return, for each of the config's parts, its branches and those that its tests take; `data` isn't used.

    What only other processes run (commands, servers) isn't seen, so the figures are lower bounds.
    """
    files = _measure_files(config["tests"])
    return {
        "parts": [
            _count(name, {file: facts for file, facts in files.items() if _is_in(file, part)})
            for name, part in config["parts"].items()
        ]
    }


def _measure_files(tests: list[str]) -> dict[str, Any]:
    """Run the tests and return coverage.py's facts about each file of the package."""
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "coverage.json"
        environment = {**os.environ, "COVERAGE_FILE": str(Path(directory) / "coverage")}
        coverage = [sys.executable, "-m", "coverage"]
        test = ["run", "--branch", "--source", "nextreel", "-m", "pytest", "-n", "0", *tests]
        subprocess.run([*coverage, *test], cwd=ROOT, env=environment, check=True)
        subprocess.run([*coverage, "json", "-o", str(report)], cwd=ROOT, env=environment, check=True)
        files: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))["files"]
    return files


def _is_in(file: str, part: str) -> bool:
    return (PACKAGE / part) in (path := Path(file), *path.parents)


def _count(name: str, files: dict[str, Any]) -> dict[str, Any]:
    summaries = [facts["summary"] for facts in files.values()]
    branches = sum(summary["num_branches"] for summary in summaries)
    covered = sum(summary["covered_branches"] for summary in summaries)
    return {
        "part": name,
        "files": len(files),
        "branches": branches,
        "covered": covered,
        "covered_share": round(covered / branches, 4),
        "missing": {
            file: facts["missing_branches"] for file, facts in files.items() if facts["missing_branches"]
        },
    }
