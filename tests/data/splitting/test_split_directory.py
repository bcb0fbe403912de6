import json
from pathlib import Path

import pytest

from nextreel.data.reading.table_reader import read_interactions
from nextreel.data.sources.synthetic_data import make_sample, write_sample
from nextreel.data.splitting.split_directory import (
    choose_rule,
    find_test_part,
    read_split_rule,
    write_split,
)
from nextreel.data.splitting.split_rules import SHARE, SplitRule
from nextreel.errors import DataError, QueryError


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    write_sample(make_sample(users=20, movies=60, ratings=400), tmp_path / "data")
    write_split(tmp_path / "data", tmp_path / "parts", SplitRule.for_rule("clean"))
    return tmp_path / "parts"


def test_a_split_never_takes_the_place_of_its_own_source(parts: Path) -> None:
    before = {file.name: file.read_bytes() for file in parts.iterdir()}
    with pytest.raises(
        DataError, match="parts: would be replaced by its own split; choose another directory"
    ):
        write_split(parts, parts.parent / "data" / ".." / "parts", SplitRule.for_rule("clean"))
    assert {file.name: file.read_bytes() for file in parts.iterdir()} == before


def test_a_split_may_be_made_again(parts: Path) -> None:
    facts = write_split(parts.parent / "data", parts, SplitRule.for_rule("leave-one-out"))
    assert facts.rule == "leave-one-out"


def test_the_test_part_is_a_file_or_stands_in_a_directory(parts: Path) -> None:
    assert find_test_part(parts) == find_test_part(parts / "test.csv") == parts / "test.csv"


def test_a_directory_that_is_not_split_is_told_how_to_split_it(parts: Path) -> None:
    data = parts.parent / "data"
    with pytest.raises(DataError) as caught:
        find_test_part(data)
    assert str(caught.value) == (
        f"{data} has no test.csv: split it first (nextreel split {data} parts), fit on parts and evaluate on parts"
    )


def test_the_rule_of_a_split_is_read_back(parts: Path) -> None:
    assert read_split_rule(parts) == SplitRule.for_rule("clean")
    assert read_split_rule(parts.parent / "data") is None


def test_split_json_names_rule_source_and_parts_in_this_order(parts: Path) -> None:
    facts = write_split(parts.parent / "data", parts, SplitRule.for_rule("global"))
    written = json.loads((parts / "split.json").read_text())
    assert list(written) == [
        *("rule", "positives", "threshold", "share", "moment"),
        *("source", "left_out", "train", "test"),
    ]
    assert written["moment"] == facts.moment == read_interactions(parts / "test.csv")["Timestamp"].min()
    assert written == facts.model_dump(exclude_none=True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Expecting property name"),
        ("3", "expected an object"),
        ('{"positives": 5, "threshold": 4.0}', "option rule of the rule is missing; expected course, clean"),
        (
            '{"rule": "weekly", "positives": 5, "threshold": 4.0}',
            "option rule of the rule is 'weekly'; expected course, clean",
        ),
    ],
    ids=["json", "number", "missing", "unknown"],
)
def test_a_damaged_split_json_is_an_error_that_names_the_file(parts: Path, text: str, reason: str) -> None:
    (parts / "split.json").write_text(text)
    with pytest.raises(DataError, match=r"split.json is damaged: .*; run nextreel split again") as caught:
        read_split_rule(parts)
    assert reason in str(caught.value)


def test_a_split_directory_is_split_once_more_by_its_own_rule() -> None:
    written = SplitRule.for_rule("global", positives=2, moment=86_400)
    assert choose_rule(Path("parts"), None, written) == SplitRule.for_rule("global", positives=2, share=SHARE)
    assert choose_rule(Path("data"), None, None) == SplitRule.for_rule("clean")
    with pytest.raises(QueryError, match="parts was split already: leave the rule 'course' out"):
        choose_rule(Path("parts"), "course", written)
