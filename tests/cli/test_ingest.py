"""Partitioned data on the command line."""

from pathlib import Path

import pytest

from nextreel.data.reading.table_reader import read_dataset
from tests.cli.commands import fail, succeed


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample, and the same ingested in two parts as `data`."""
    home = tmp_path_factory.mktemp("ingest")
    succeed("sample", "films", "--users", 60, "--movies", 90, "--ratings", 1800, cwd=home)
    lines = (home / "films" / "ratings_train.csv").read_text().splitlines(keepends=True)
    for day, rows in (("monday", lines[1:1000]), ("tuesday", lines[1000:])):
        (home / day).mkdir()
        (home / day / "ratings.csv").write_text("".join([lines[0], *rows]))
        for table in ("users.csv", "movies.csv"):
            (home / day / table).write_text((home / "films" / table).read_text())
    first = succeed("ingest", "monday", "data", cwd=home)
    assert first == "Added 999 rows of 1 file to data, which has 999 rows now.\nNext: nextreel check data\n"
    assert "which has 1,800 rows now" in succeed("ingest", "tuesday", "data", cwd=home)
    return home


def test_every_command_takes_ingested_data(data: Path) -> None:
    assert read_dataset(data / "data").fingerprint == read_dataset(data / "films").fingerprint
    assert "data is valid" in succeed("check", "data", cwd=data)
    succeed("fit", "data", "--model", "popularity", "--out", "model", cwd=data)
    of_ingested = succeed("recommend", "model", "--user", 1, "--at", "2030-01-01", cwd=data)
    succeed("fit", "films", "--model", "popularity", "--out", "other", cwd=data)
    assert succeed("recommend", "other", "--user", 1, "--at", "2030-01-01", cwd=data) == of_ingested
    for source in ("data", "films"):
        succeed("split", source, f"parts-{source}", cwd=data)
        succeed("fit", f"parts-{source}", "--model", "popularity", "--out", f"model-{source}", cwd=data)
    shown = [
        succeed("evaluate", f"model-{source}", f"parts-{source}", "--json", cwd=data)
        for source in ("data", "films")
    ]
    assert shown[0].replace("data", "films") == shown[1]
    assert "popularity" in succeed("compare", "data", "--models", "popularity", cwd=data)


def test_users_are_erased_by_id_and_by_a_file(data: Path, tmp_path: Path) -> None:
    succeed("ingest", data / "films", "kept", cwd=tmp_path)
    (tmp_path / "leavers.csv").write_text("UserID\n2\n3\n")
    printed = succeed("ingest", "kept", "--forget", 1, "--forget", "leavers.csv", "--compact", cwd=tmp_path)
    assert printed.startswith("Erased 3 users with ")
    assert "files of rows in kept into" in printed
    assert not set(read_dataset(tmp_path / "kept").user_ids) & {1, 2, 3}


def test_mistakes_are_explained(data: Path, tmp_path: Path) -> None:
    assert "OUT is missing" in fail("ingest", "films", cwd=data)
    assert "was ingested already" in fail("ingest", "monday", "data", cwd=data)
    assert "--forget: 'x' is not a number; expected a whole number from 0" in fail(
        "ingest", "data", "--forget", "x", cwd=data
    )
    assert "there are no bad rows to set aside" in fail(
        "check", "data", "--quarantine", tmp_path / "bad.csv", "--clean", tmp_path / "clean", cwd=data
    )
    assert "films has no partitions.json" in fail("ingest", "films", "--compact", cwd=data)
