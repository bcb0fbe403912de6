"""Every release of MovieLens can be converted, checked, split, fitted, evaluated and queried."""

import json
from pathlib import Path

import pytest

from nextreel.data.schema import INTERACTIONS
from tests.cli.commands import succeed
from tests.data.sources.test_movielens import ML_1M, ML_10M, ML_100K, ML_LATEST, write_files

RAW = {"ml-100k": ML_100K, "ml-1m": ML_1M, "ml-10m": ML_10M, "ml-latest": ML_LATEST}


def run_all_commands(data: Path, home: Path) -> list[int]:
    """Check, split, fit, evaluate and recommend; returns the MovieIDs recommended to the first user of the test part."""
    succeed("check", data)
    succeed("split", data, home / "parts", "--positives", 1, "--threshold", 2)
    succeed("fit", home / "parts", "--out", home / "model", "--model", "popularity")
    succeed("evaluate", home / "model", home / "parts", "-k", 1)
    header, row = (home / "parts" / "test.csv").read_text().splitlines()[:2]
    assert header.split(",") == INTERACTIONS.schema.names()
    user, _, _, timestamp = row.split(",")
    report = json.loads(
        succeed("recommend", home / "model", "--user", user, "--at", timestamp, "-k", 2, "--json")
    )
    assert all(movie["Title"] for movie in report["recommendations"])
    return [movie["MovieID"] for movie in report["recommendations"]]


@pytest.mark.parametrize("form", RAW)
def test_every_release_of_grouplens_works_with_all_commands(form: str, tmp_path: Path) -> None:
    raw = write_files(tmp_path / "raw", RAW[form], "latin-1" if form in ("ml-100k", "ml-1m") else "utf-8")
    assert "Next: nextreel check" in succeed("convert", raw, tmp_path / "data")
    assert len(set(run_all_commands(tmp_path / "data", tmp_path))) == 2


def test_the_courses_files_work_with_all_commands(tmp_path: Path) -> None:
    data = tmp_path / "data"
    succeed("sample", data, "--users", 10, "--movies", 60, "--ratings", 200)
    assert "nothing needs converting" in succeed("convert", data, tmp_path / "other")
    assert len(set(run_all_commands(data, tmp_path))) == 2
