"""Kind `mutation`: how many small changes to a module its tests notice; survivors are listed."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.run import HERE, Config, has_result, read_result
from tests.mutation.killed_mutants import EQUIVALENT, count_killed


def measure(config: Config, data: Path) -> dict[str, Any]:
    """Change each module up to `most` times, for at most so many seconds; no data are needed.

    What an earlier run has found for a module is kept if neither the module, nor its tests, nor the changes differ.
    """
    earlier = read_result("mutation")["modules"] if has_result("mutation") else {}
    modules = {}
    for module, tests in config["tests"].items():
        fingerprint = _hash_files(module, tests)
        counts = earlier.get(module, {})
        if counts.get("sha256") != fingerprint:
            seconds = config["seconds_per_module"]
            counts = count_killed(module, tests, config["most"], config["seed"], seconds)
        modules[module] = {**counts, "sha256": fingerprint}
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
