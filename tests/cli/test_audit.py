import json
from pathlib import Path

import pytest

from tests.cli.commands import fail, succeed


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    succeed("sample", "data", "--users", 60, "--movies", 80, "--ratings", 1600, cwd=home)
    return home


def test_audit_finds_the_row_that_the_courses_split_shares_and_its_effect(home: Path) -> None:
    printed = succeed("audit", "data", "--rule", "course", "--json-file", "audit.json", cwd=home)
    assert "shared rows: 59 rows of 59 users are in both parts" in printed
    assert "measured with item-knn" in printed
    facts = json.loads((home / "audit.json").read_text())
    shared = facts["leaks"][0]
    assert (facts["split"]["rule"], shared["name"], shared["queries"]) == ("course", "shared rows", 59)
    assert shared["prices"][0]["label"] == "all queries, seen movies excluded"
    assert f"{shared['prices'][0]['difference']['mean']:.4f}" in printed


def test_audit_says_so_where_it_finds_nothing(home: Path) -> None:
    printed = succeed("audit", "data", "popularity", "--set", "window_days=30", cwd=home)
    assert "shared rows: No row of the test part is in the train part." in printed
    assert "│ shared rows" not in printed


def test_an_unknown_model_is_one_clear_message(home: Path) -> None:
    assert "model 'oracle' is unknown" in fail("audit", "data", "oracle", cwd=home)
