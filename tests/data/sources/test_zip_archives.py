"""Damaged zips of every compression end in one sentence, wherever the damage is."""

import os
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZIP_STORED, BadZipFile, ZipFile

import pytest

from nextreel.data.sources.movielens import convert
from nextreel.data.sources.zip_archives import open_zip
from nextreel.errors import DataError

RATINGS = "".join(f"{user}::1193::5::{978300760 + user}\n" for user in range(1, 60))
METHODS = [ZIP_STORED, ZIP_DEFLATED, ZIP_BZIP2, ZIP_LZMA]


def pack(file: Path, method: int) -> bytes:
    with ZipFile(file, "w", method) as archive:
        archive.writestr("ml/ratings.dat", RATINGS)
        archive.writestr("ml/movies.dat", "1193::A (1999)::Drama\n")
    return file.read_bytes()


@pytest.mark.parametrize("method", METHODS)
def test_damage_anywhere_in_a_zip_is_one_kind_of_error(tmp_path: Path, method: int) -> None:
    file = tmp_path / "ml.zip"
    packed = pack(file, method)
    damaged = 0
    for i in range(len(packed)):
        file.write_bytes(packed[:i] + bytes([packed[i] ^ 0xFF]) + packed[i + 1 :])
        try:
            with open_zip(file) as archive:
                archive.testzip()
                for member in archive.infolist():
                    archive.read(member)
        except BadZipFile:
            damaged += 1
    assert damaged > len(packed) / 3


@pytest.mark.parametrize("method", METHODS)
def test_a_release_with_a_damaged_member_is_refused(tmp_path: Path, method: int) -> None:
    file = tmp_path / "ml.zip"
    packed = pack(file, method)
    start = packed.index(b"ratings.dat") + len("ratings.dat") + 15
    file.write_bytes(packed[:start] + bytes(20) + packed[start + 20 :])
    with pytest.raises(DataError, match=r"ml\.zip isn't a zip that can be read \(.+\): download it again"):
        convert(file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("device", ["pipe", "/dev/zero"])
def test_a_pipe_or_a_device_is_no_zip(tmp_path: Path, device: str) -> None:
    file = tmp_path / "ml.zip"
    if device == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to(device)
    with pytest.raises(DataError, match=r"ml\.zip: is not a regular file"):
        convert(file, tmp_path / "out")
