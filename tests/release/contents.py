"""What a wheel and an sdist of nextreel must hold, and mustn't."""

import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "nextreel"
IN_SDIST = {
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "PKG-INFO",
    "README.md",
    "SECURITY.md",
    "docs",
    "hatch_build.py",
    "mkdocs.yml",
    "pyproject.toml",
    "src",
}
IN_DIST_INFO = {
    "METADATA",
    "RECORD",
    "WHEEL",
    "entry_points.txt",
    "licenses/LICENSE",
    "sboms/nextreel.cdx.json",
}


def read_archive(file: Path) -> dict[str, bytes]:
    """Return the files of a wheel, or of an sdist without its first folder, by their names."""
    if file.suffix == ".whl":
        with ZipFile(file) as wheel:
            return {name: wheel.read(name) for name in wheel.namelist()}
    with tarfile.open(file) as sdist:
        files = {member.name.partition("/")[2]: sdist.extractfile(member) for member in sdist.getmembers()}
        return {name: data.read() for name, data in files.items() if data is not None}


def list_sources() -> dict[str, bytes]:
    """Return the files of the package as they are in the tree, without what Python left there."""
    files = [file for file in SOURCE.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    return {f"nextreel/{file.relative_to(SOURCE).as_posix()}": file.read_bytes() for file in files}


def list_faults(file: Path) -> list[str]:
    """Say what a wheel or an sdist lacks, has too much, or has changed."""
    held = read_archive(file)
    return [
        f"{file.name}: {fault}"
        for fault in (list_wheel_faults(held) if file.suffix == ".whl" else list_sdist_faults(held))
    ]


def list_wheel_faults(held: Mapping[str, bytes]) -> list[str]:
    version = read_version()
    info = f"nextreel-{version}.dist-info/"
    package = {name: data for name, data in held.items() if not name.startswith(info)}
    described = {name.removeprefix(info) for name in held if name.startswith(info)}
    return [*compare(package, list_sources()), *list_bill_faults(held, info, version)] + [
        f"{name} in .dist-info" for name in sorted(described ^ IN_DIST_INFO)
    ]


def list_bill_faults(held: Mapping[str, bytes], info: str, version: str) -> list[str]:
    """The bill of materials names this version and every foreign file of the wheel."""
    bill = json.loads(held.get(f"{info}sboms/nextreel.cdx.json", b"{}"))
    located = {
        each["location"]
        for component in bill.get("components", [])
        for each in component["evidence"]["occurrences"]
    }
    licensed = {name.replace(".LICENSE.txt", ".min.js") for name in held if name.endswith(".LICENSE.txt")}
    faults = [f"{name} isn't in the bill of materials" for name in sorted(licensed ^ located)]
    if bill.get("metadata", {}).get("component", {}).get("version") != version:
        faults.append("the bill of materials is of another version")
    return faults


def list_sdist_faults(held: Mapping[str, bytes]) -> list[str]:
    package = {
        name.removeprefix("src/"): data for name, data in held.items() if name.startswith("src/nextreel/")
    }
    tops = {name.partition("/")[0] for name in held}
    return [*compare(package, list_sources()), *(f"{name} at its top" for name in sorted(tops ^ IN_SDIST))]


def compare(held: Mapping[str, bytes], wanted: Mapping[str, bytes]) -> list[str]:
    return [
        *(f"{name} is missing" for name in sorted(wanted.keys() - held.keys())),
        *(f"{name} is too much" for name in sorted(held.keys() - wanted.keys())),
        *(f"{name} differs" for name in sorted(held.keys() & wanted.keys()) if held[name] != wanted[name]),
    ]


def read_version() -> str:
    """Return the version that the tree has."""
    name, _, version = (SOURCE / "version.py").read_text(encoding="utf-8").splitlines()[-1].partition(" = ")
    assert name == "__version__"
    return version.strip('"')
