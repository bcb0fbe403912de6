"""The release as it would be built now: its contents, its metadata, and the workflow that builds it."""

import re
import tarfile
from email.parser import BytesParser
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from tests.release.contents import ROOT, list_faults, read_archive, read_version

CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(next(WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("wheel")))))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(next(SdistBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("sdist")))))


def test_the_wheel_holds_the_package_its_licence_and_its_bill_of_materials(wheel: Path) -> None:
    assert list_faults(wheel) == []


def test_the_sdist_holds_sources_and_documentation_but_no_tests(sdist: Path) -> None:
    assert list_faults(sdist) == []


def test_a_wheel_that_is_built_from_the_sdist_has_the_same_bytes(
    wheel: Path, sdist: Path, tmp_path: Path
) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    again = next(WheelBuilder(str(unpacked)).build(directory=str(tmp_path / "again")))
    assert Path(again).read_bytes() == wheel.read_bytes()


def test_the_metadata_name_the_version_the_licence_and_the_oldest_python(wheel: Path) -> None:
    (metadata,) = (data for name, data in read_archive(wheel).items() if name.endswith(".dist-info/METADATA"))
    said = BytesParser().parsebytes(metadata)
    assert (said["Version"], said["License-Expression"]) == (read_version(), "Apache-2.0")
    assert said["Requires-Python"] == ">=3.11"


def test_the_newest_entry_of_the_changelog_is_this_version() -> None:
    released = re.findall(r"^## (\d\S*)", CHANGELOG, re.MULTILINE)
    assert released[0] == read_version()


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_calls_targets_that_make_has(workflow: Path) -> None:
    called = set(re.findall(r"run: make (?:[A-Z]+=\S+ )*([a-z-]+)", workflow.read_text(encoding="utf-8")))
    assert called
    assert called <= set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
