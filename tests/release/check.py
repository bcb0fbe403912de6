"""Builds the release twice, looks into it, and uses its wheel in fresh environments: `python -m tests.release.check DIST`.

DIST holds a wheel and an sdist, which must have the bytes of a second build. The environments are: the newest allowed
libraries, the oldest, none of the extras, and the newest on every other Python from 3.11 that is found. torch is used
with this Python alone, in the version of requirements/torch.txt: elsewhere pip would fetch gigabytes of CUDA.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.release.contents import list_faults

ROOT = Path(__file__).parents[2]
SMOKE = Path(__file__).with_name("smoke.py")
EXTRAS = "mlflow,plots,serve,tune"
NEWEST_MINOR = 20
"""Pythons are looked for up to 3.20."""


def build(out: Path) -> None:
    """Build the sdist, and the wheel from it, at the time of the last commit."""
    time = subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    environment = {**os.environ, "SOURCE_DATE_EPOCH": time.stdout.strip()}
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)


def hash_files(directory: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(directory.iterdir())}


def read_oldest() -> list[str]:
    """Return the lower bounds of pyproject.toml as exact versions, without torch, Ray and what only we use."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [project["optional-dependencies"][extra] for extra in EXTRAS.split(",")]
    bounds = [requirement for each in (project["dependencies"], *extras) for requirement in each]
    return sorted({re.sub(">=", "==", bound.partition(";")[0].strip()) for bound in bounds})


def find_pythons() -> Iterator[str]:
    """Find the other Pythons from 3.11 that start."""
    for minor in range(11, NEWEST_MINOR + 1):
        name = f"python3.{minor}"
        if minor != sys.version_info.minor and shutil.which(name):
            started = subprocess.run([name, "-c", ""], capture_output=True, check=False)
            if not started.returncode:
                yield name


def try_wheel(name: str, python: str, requirements: Sequence[str]) -> bool:
    """Install the requirements in an environment of their own and run the smoke test in it."""
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([python, "-m", "venv", directory], check=True)
        installed = Path(directory) / "bin" / "python"
        pip = [
            str(installed),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--prefer-binary",
        ]
        for command in ([*pip, *requirements], [str(installed), str(SMOKE)]):
            if subprocess.run(command, cwd=directory, check=False).returncode:
                print(f"{name}: failed")
                return False
    print(f"{name}: passed", flush=True)
    return True


def main(dist: Path) -> int:
    """Check everything; the number of environments that failed is the exit status."""
    with tempfile.TemporaryDirectory() as again:
        build(Path(again))
        if hash_files(Path(again)) != hash_files(dist):
            raise SystemExit("a second build has other bytes")
    if faults := [fault for file in sorted(dist.iterdir()) for fault in list_faults(file)]:
        raise SystemExit("\n".join(faults))
    for name, digest in hash_files(dist).items():
        print(f"{digest}  {name}", flush=True)
    (wheel,) = dist.glob("*.whl")
    torch = ["--constraint", str(ROOT / "requirements" / "torch.txt")]
    passed = [
        try_wheel("newest libraries", sys.executable, [f"{wheel}[{EXTRAS},neural]", *torch]),
        try_wheel("oldest libraries, without torch", sys.executable, [f"{wheel}[{EXTRAS}]", *read_oldest()]),
        try_wheel("no extras", sys.executable, [str(wheel)]),
        *(
            try_wheel(f"{python}, newest libraries without torch", python, [f"{wheel}[{EXTRAS}]"])
            for python in find_pythons()
        ),
    ]
    return passed.count(False)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
