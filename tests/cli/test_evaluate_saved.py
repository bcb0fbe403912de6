import json
from pathlib import Path
from typing import Any

import pytest

from nextreel.artifacts import hash_file
from nextreel.data.sources.synthetic_data import make_sample, write_sample
from nextreel.data.splitting.split_directory import write_split
from nextreel.data.splitting.split_rules import SplitRule
from nextreel.prediction.saving import load
from tests.cli.commands import succeed


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    write_sample(make_sample(users=60, movies=80, ratings=1600), home / "data")
    write_split(home / "data", home / "parts", SplitRule.for_rule("clean"))
    succeed("fit", "parts", "--model", "popularity", "--out", "model", cwd=home)
    return home


def manifest(home: Path) -> dict[str, Any]:
    return dict(json.loads((home / "model" / "manifest.json").read_text()))


def test_a_saved_model_states_the_split_that_it_learned_from(home: Path) -> None:
    assert manifest(home)["split"] == {"rule": "clean", "positives": 5, "threshold": 4.0}


def test_evaluating_leaves_the_model_alone_unless_asked_to_save(home: Path) -> None:
    before = (home / "model" / "manifest.json").read_bytes()
    succeed("evaluate", "model", "parts", cwd=home)
    assert (home / "model" / "manifest.json").read_bytes() == before


def test_saved_figures_come_with_their_protocol_split_and_test_part(home: Path) -> None:
    printed = succeed("evaluate", "model", "parts", "--save", "--json-file", "figures.json", cwd=home)
    [noted] = manifest(home)["evaluations"]
    protocol = {"history": "frozen", "ties": "file-order", "k": 10, "threshold": 4.0, "exclude_seen": True}
    assert noted["protocol"] == protocol
    assert noted["split"] == {"rule": "clean", "positives": 5, "threshold": 4.0}
    assert noted["popularity"] == noted["metrics"]  # the model is itself a popularity
    assert noted["test"] == {"file": "test.csv", "sha256": hash_file(home / "parts" / "test.csv")}
    assert "Noted in model" in printed
    assert json.loads((home / "figures.json").read_text()).items() >= noted.items()


def test_each_protocol_has_one_evaluation_and_the_model_still_loads(home: Path) -> None:
    for history in ("frozen", "live", "live"):
        succeed("evaluate", "model", "parts", "--history", history, "--save", cwd=home)
    assert [evaluation["protocol"]["history"] for evaluation in manifest(home)["evaluations"]] == [
        "frozen",
        "live",
    ]
    load(home / "model")
