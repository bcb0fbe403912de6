"""Known vulnerabilities of the locked libraries: `python -m tests.release.vulnerabilities PIP_AUDIT`.

Where pip-audit's data can't be reached, this says so and is no failure: an audit that wasn't made found nothing.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCKS = ("core.txt", "dev.txt")


def audit(pip_audit: str, lock: Path) -> list[dict[str, Any]]:
    """Return pip-audit's words on each library of a lock file; none where it can't work at all."""
    command = [pip_audit, "--requirement", str(lock), "--no-deps", "--disable-pip", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.stdout.strip():
        print(f"{lock.name}: not audited: {(done.stderr.strip().splitlines() or ['no output'])[-1]}")
        return []
    libraries: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    return libraries


def main(pip_audit: str) -> int:
    """Print what is known of each lock file; the exit status is the number of vulnerabilities."""
    found = 0
    for name in LOCKS:
        libraries = audit(pip_audit, Path(__file__).parents[2] / "requirements" / name)
        audited = [library for library in libraries if "skip_reason" not in library]
        print(f"{name}: {len(audited)} of {len(libraries)} libraries audited")
        for library in audited:
            for each in library["vulns"]:
                print(
                    f"{library['name']} {library['version']}: {each['id']}, mended in {each['fix_versions']}"
                )
                found += 1
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
