"""Whatever of a result is written when the disk is full: there is one error that says so, and nothing is left."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import nextreel
from nextreel.data.ingest.ingestion import ingest
from nextreel.data.reading.table_reader import read_dataset
from nextreel.errors import ArtifactError, DataError
from nextreel.testing import tiny_dataset
from tests.small_disks import mounted_disk

FULL = "No space left on device"
PAGE = 4_096


@pytest.fixture
def disk() -> Iterator[Path]:
    with mounted_disk("256k") as directory:
        yield directory


def fill(disk: Path, free_pages: int) -> None:
    """Leave so many pages of the disk free."""
    ballast = disk / "ballast"
    ballast.write_bytes(b"")
    with ballast.open("ab", buffering=0) as file:
        for _ in range(os.statvfs(disk).f_bavail - free_pages):
            file.write(bytes(PAGE))


def test_a_model_is_saved_as_a_whole_or_not_at_all(disk: Path) -> None:
    predictor = nextreel.fit(tiny_dataset(), "popularity")
    refusals = 0
    for free_pages in range(1, 16):
        fill(disk, free_pages)
        try:
            nextreel.save(predictor, disk / "model")
        except ArtifactError as error:
            refusals += FULL in str(error) and str(disk / "model") in str(error)
            assert [path.name for path in disk.iterdir()] == ["ballast"]
        else:
            assert nextreel.load(disk / "model")
            break
    assert refusals == free_pages - 1 > 3


def test_files_are_ingested_as_a_whole_or_not_at_all(disk: Path, tmp_path: Path) -> None:
    source = tmp_path / "ratings.csv"
    rows = "".join(f"{n % 9},{n},4,{10**9 + n}\n" for n in range(60))
    source.write_text(f"UserID,MovieID,Rating,Timestamp\n{rows}")
    refusals = 0
    for free_pages in range(1, 60):
        fill(disk, free_pages)
        try:
            ingest(source, disk / "data")
        except DataError as error:
            refusals += FULL in str(error)
            assert [path.name for path in disk.iterdir()] == ["ballast"]
        else:
            assert len(read_dataset(disk / "data").timeline) == 60
            break
    assert refusals == free_pages - 1 > 3
