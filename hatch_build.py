"""Writes the bill of materials of a wheel while it is built: nextreel, and what it carries of others (PEP 770).

Libraries that pip installs beside nextreel aren't in the wheel, and so aren't in its bill: an environment's own bill
names their versions.
"""

import hashlib
import json
import re
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HTMX = Path("src/nextreel/serving/page/static/htmx.min.js")


class BillOfMaterials(BuildHookInterface):
    """Adds `nextreel.cdx.json` to the wheel's `.dist-info/sboms`; the same sources give the same bytes."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the bill where the wheel's builder finds it."""
        if version == "editable":
            return
        self._directory = tempfile.TemporaryDirectory()
        file = Path(self._directory.name) / "nextreel.cdx.json"
        bill = describe_wheel(Path(self.root), self.metadata.version)
        file.write_text(json.dumps(bill, indent=2) + "\n", encoding="utf-8")
        build_data["sbom_files"].append(str(file))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Delete the bill, which is in the wheel now."""
        if version != "editable":
            self._directory.cleanup()


def describe_wheel(root: Path, version: str) -> dict[str, Any]:
    """Say in CycloneDX's words what the wheel holds."""
    nextreel = f"pkg:pypi/nextreel@{version}"
    script = (root / HTMX).read_bytes()
    found = re.search(rb'version:"([0-9.]+)"', script)
    if found is None:
        raise ValueError(f"{HTMX} doesn't name its version")
    htmx_version = found[1].decode()
    htmx = f"pkg:npm/htmx.org@{htmx_version}"
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "library",
                "bom-ref": nextreel,
                "name": "nextreel",
                "version": version,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
                "purl": nextreel,
            }
        },
        "components": [
            {
                "type": "library",
                "bom-ref": htmx,
                "name": "htmx.org",
                "version": htmx_version,
                "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(script).hexdigest()}],
                "licenses": [{"license": {"id": "0BSD"}}],
                "purl": htmx,
                "evidence": {"occurrences": [{"location": HTMX.relative_to("src").as_posix()}]},
            }
        ],
        "dependencies": [{"ref": nextreel, "dependsOn": [htmx]}, {"ref": htmx}],
    }
