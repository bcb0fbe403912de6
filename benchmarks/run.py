"""Run one benchmark: a config in, a result file out.

    python -m benchmarks.run NAME DATA_DIR

reads benchmarks/configs/NAME.json and writes benchmarks/results/NAME.json, which states the config and its hash, the
machine, the versions, the data's fingerprint and the figures. A config's kind names the module here that measures it.
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

HERE = Path(__file__).parent
ANSWERS = HERE / "answers"
"""What rows of a leaderboard leave behind, by the hash of their config: a saved model, or a peer's answers.parquet."""
PACKAGES = ("numpy", "polars", "scipy", "torch")


def config_hash(config: dict[str, Any]) -> str:
    """SHA-256 of a config, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def read_config(name: str) -> dict[str, Any]:
    """configs/NAME.json."""
    config: dict[str, Any] = json.loads((HERE / "configs" / f"{name}.json").read_text(encoding="utf-8"))
    return config


def read_result(name: str) -> dict[str, Any]:
    """results/NAME.json."""
    result: dict[str, Any] = json.loads((HERE / "results" / f"{name}.json").read_text(encoding="utf-8"))
    return result


def run(name: str, data: Path) -> Path:
    """Measure what configs/NAME.json describes and write the result file."""
    config = read_config(name)
    kind = import_module(f"benchmarks.{config['kind'].replace('-', '_')}")
    figures = kind.measure(config, data)
    result = {
        "name": name,
        "config": config,
        "config_sha256": config_hash(config),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": describe_machine(),
        "versions": {"nextreel": __version__, "python": platform.python_version(), **_versions()},
        **figures,
    }
    file = HERE / "results" / f"{name}.json"
    with replacing(file) as temporary:
        temporary.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return file


def left_by(row: str, data: Path) -> Path:
    """What the benchmark of this name left to answer with; it is run first if it never was here."""
    place = ANSWERS / config_hash(read_config(row))
    if not place.is_dir():
        print(run(row, data), flush=True)
    return place


def describe_machine() -> dict[str, object]:
    """Processor, cores that this process may use, memory in GiB, system."""
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


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m benchmarks.run NAME DATA_DIR")
    print(run(sys.argv[1], Path(sys.argv[2])))
