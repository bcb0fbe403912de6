"""Every form that MovieLens comes in goes the whole way, from its raw files to recommendations."""

import json
from pathlib import Path

import pytest

from nextreel.data.schema import INTERACTIONS
from tests.cli.commands import succeed
from tests.data.sources.test_movielens import ML_1M, ML_10M, ML_100K, ML_LATEST, write_files

RAW = {"ml-100k": ML_100K, "ml-1m": ML_1M, "ml-10m": ML_10M, "ml-latest": ML_LATEST}


def go_on_from(data: Path, home: Path) -> list[int]:
    """Check, split, fit, evaluate and recommend; the MovieIDs recommended to the first user of the test part."""
    succeed("check", data)
    succeed("split", data, home / "parts", "--positives", 1, "--threshold", 2)
    succeed("fit", home / "parts", "--out", home / "model", "--model", "popularity")
    succeed("evaluate", home / "model", home / "parts", "-k", 1)
    header, row = (home / "parts" / "test.csv").read_text().splitlines()[:2]
    assert header.split(",") == INTERACTIONS.schema.names()
    user, _, _, moment = row.split(",")
    answer = json.loads(
        succeed("recommend", home / "model", "--user", user, "--at", moment, "-k", 2, "--json")
    )
    assert all(movie["Title"] for movie in answer["recommendations"])
    return [movie["MovieID"] for movie in answer["recommendations"]]


@pytest.mark.parametrize("form", RAW)
def test_a_raw_form_of_grouplens_goes_the_whole_way(form: str, tmp_path: Path) -> None:
    raw = write_files(tmp_path / "raw", RAW[form], "latin-1" if form in ("ml-100k", "ml-1m") else "utf-8")
    assert "Next: nextreel check" in succeed("convert", raw, tmp_path / "data")
    assert len(set(go_on_from(tmp_path / "data", tmp_path))) == 2


def test_the_courses_form_goes_the_whole_way(tmp_path: Path) -> None:
    data = tmp_path / "data"
    succeed("sample", data, "--users", 10, "--movies", 60, "--ratings", 200)
    assert "nothing needs converting" in succeed("convert", data, tmp_path / "other")
    assert len(set(go_on_from(data, tmp_path))) == 2
