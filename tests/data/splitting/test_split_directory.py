from pathlib import Path

import pytest

from nextreel.data.sources.synthetic_data import make_sample, write_sample
from nextreel.data.splitting.split_directory import find_test_part, write_split
from nextreel.data.splitting.split_rules import SplitRule
from nextreel.errors import DataError


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
    assert facts["rule"] == "leave-one-out"


def test_the_test_part_is_a_file_or_stands_in_a_directory(parts: Path) -> None:
    assert find_test_part(parts) == find_test_part(parts / "test.csv") == parts / "test.csv"


def test_a_directory_that_is_not_split_is_told_how_to_split_it(parts: Path) -> None:
    data = parts.parent / "data"
    with pytest.raises(DataError) as caught:
        find_test_part(data)
    assert str(caught.value) == (
        f"{data} has no test.csv: split it first (nextreel split {data} parts), fit on parts and evaluate on parts"
    )
