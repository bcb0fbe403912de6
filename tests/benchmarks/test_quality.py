"""Tests of the benchmark of ranking quality."""

from pathlib import Path

import pytest

from benchmarks import quality
from benchmarks.split_data import SplitData
from nextreel.data.sources.synthetic_data import make_sample, write_sample
from nextreel.data.splitting.split_rules import SplitRule

CLEAN = {"rule": "clean", "positives": 2}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("data")
    write_sample(make_sample(users=60, movies=60, ratings=1200), data)
    return data


def test_the_members_of_a_blend_are_evaluated_too(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quality, "OUTPUTS", tmp_path)
    transformer = {"dimensions": 8, "layers": 1, "heads": 1, "epochs": 1, "held_out_share": 0.3}
    config = {
        "split": CLEAN,
        "model": "blend",
        "options": {"transformer": transformer},
        "protocols": [{"history": "frozen"}],
    }
    evaluations = quality.measure(config, data)["evaluations"]
    members = [evaluation.get("member") for evaluation in evaluations]
    assert members == [None, "transformer", "sequential-ridge"]


def test_an_inner_split_contains_nothing_of_the_outer_test_part(data: Path) -> None:
    rule = SplitRule.for_rule("clean", positives=2)
    outer, inner = SplitData.read(data, rule), SplitData.read(data, rule, inner=True)
    assert len(inner.train_rows) + len(inner.test) == len(outer.train_rows)
    assert outer.test.join(inner.test, on=["UserID", "MovieID", "Timestamp"], how="semi").is_empty()
