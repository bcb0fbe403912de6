"""Run one benchmark: read its config and write its result file.

    python -m benchmarks.run NAME DATA_DIR

reads benchmarks/configs/NAME.json and writes benchmarks/results/NAME.json, which states the config and its hash, the
machine, the versions, the fingerprint of the data and the measurements. The config's `kind` names the module of this
package whose function `measure` is called.
"""

import hashlib
import json
import os
import platform
import sys
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from nextreel import __version__
from nextreel.atomic_files import replacing

Config = dict[str, Any]
"""A benchmark's config, as in its JSON file."""
Result = dict[str, Any]
"""A benchmark's measurements, as in its result file."""

HERE = Path(__file__).parent
OUTPUTS = HERE / "answers"
"""What benchmarks leave for others, by the hash of their config: a saved model or a peer's recommendation lists."""
PACKAGES = ("numpy", "polars", "scipy", "torch")


def run(name: str, data: Path) -> Path:
    """Measure what configs/NAME.json describes, write results/NAME.json and return its path."""
    config = read_config(name)
    kind = import_module(f"benchmarks.{config['kind'].replace('-', '_')}")
    measurements = kind.measure(config, data)
    result = {
        "name": name,
        "config": config,
        "config_sha256": config_hash(config),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": describe_machine(),
        "versions": {"nextreel": __version__, "python": platform.python_version(), **_package_versions()},
        **measurements,
    }
    file = HERE / "results" / f"{name}.json"
    with replacing(file) as temporary:
        temporary.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return file


def find_outputs(name: str, data: Path) -> Path:
    """Return the directory of what a benchmark left for others; run the benchmark first if there is none."""
    directory = OUTPUTS / config_hash(read_config(name))
    if not directory.is_dir():
        print(run(name, data), flush=True)
    return directory


def read_config(name: str) -> Config:
    """Return what configs/NAME.json holds."""
    config: Config = json.loads((HERE / "configs" / f"{name}.json").read_text(encoding="utf-8"))
    return config


def read_result(name: str) -> Result:
    """Return what results/NAME.json holds."""
    result: Result = json.loads((HERE / "results" / f"{name}.json").read_text(encoding="utf-8"))
    return result


def has_result(name: str) -> bool:
    """Return whether there is a result file; a config may be ready before its benchmark has run."""
    return (HERE / "results" / f"{name}.json").is_file()


def config_hash(config: Config) -> str:
    """Return the SHA-256 of a config, which doesn't depend on the order of its keys."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def describe_machine() -> dict[str, str | float]:
    """Return the processor, the number of cores that this process may use, the memory in GiB, and the system."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory, 1),
        "system": platform.system(),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _package_versions() -> dict[str, str]:
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m benchmarks.run NAME DATA_DIR")
    print(run(sys.argv[1], Path(sys.argv[2])))
