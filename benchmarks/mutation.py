"""Kind `mutation`: how many small changes to a module its tests notice; survivors are listed."""

from pathlib import Path
from typing import Any

from benchmarks.run import Config
from tests.mutation.killed_mutants import count_killed


def measure(config: Config, data: Path) -> dict[str, Any]:
    """Change each module up to `most` times, for at most so many seconds; no data are needed."""
    modules = {}
    for module, tests in config["tests"].items():
        seconds = config["seconds_per_module"]
        modules[module] = count_killed(module, tests, config["most"], config["seed"], seconds)
    tried = sum(module["tried"] for module in modules.values())
    killed = sum(module["killed"] for module in modules.values())
    return {"tried": tried, "killed": killed, "killed_share": round(killed / tried, 3), "modules": modules}
