"""Kind `mutation`: how many small changes to a module its tests notice; survivors are listed."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.run import HERE, OUTPUTS, Config
from tests.mutation.killed_mutants import EQUIVALENT, count_killed


def measure(config: Config, data: Path) -> dict[str, Any]:
    """Change each module up to `most` times, for at most so many seconds; no data are needed.

    What was found for a module is kept beside the results, for as long as neither the module nor its tests change.
    """
    modules = {}
    for module, tests in config["tests"].items():
        found = OUTPUTS / f"mutation-{_hash_files(module, tests)}.json"
        if not found.is_file():
            seconds = config["seconds_per_module"]
            counts = count_killed(module, tests, config["most"], config["seed"], seconds)
            OUTPUTS.mkdir(exist_ok=True)
            found.write_text(json.dumps(counts), encoding="utf-8")
        modules[module] = json.loads(found.read_text(encoding="utf-8"))
    tried = sum(module["tried"] for module in modules.values())
    killed = sum(module["killed"] for module in modules.values())
    return {"tried": tried, "killed": killed, "killed_share": round(killed / tried, 3), "modules": modules}


def _hash_files(module: str, tests: Sequence[str]) -> str:
    """Return a SHA-256 of a module, of its tests, and of what changes it."""
    root = HERE.parent
    files = [
        root / "src" / "nextreel" / f"{module.replace('.', '/')}.py",
        *(root / "tests" / test for test in tests),
        *sorted((root / "tests" / "mutation").glob("*.py")),
    ]
    excepted = [change for change in EQUIVALENT if change.startswith(f"{module}:")]
    contents = [*(file.read_bytes() for file in files), *(change.encode() for change in excepted)]
    return hashlib.sha256(b"\0".join(contents)).hexdigest()
