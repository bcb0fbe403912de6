from pathlib import Path

import pytest

from nextreel.data.sources.synthetic_data import make_sample, write_sample
from nextreel.data.splitting.split_directory import write_split
from nextreel.data.splitting.split_rules import SplitRule
from tests.cli.commands import fail, succeed


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    write_sample(make_sample(users=60, movies=80, ratings=1600), home / "data")
    write_split(home / "data", home / "parts", SplitRule.for_rule("clean"))
    return home


def test_tune_finds_options_without_reading_the_test_part(home: Path) -> None:
    (home / "parts" / "test.csv").write_bytes(b"\xff\x00 not a table")
    printed = succeed("tune", "parts", "--model", "ease", "--trials", 4, "--out", "out", cwd=home)
    assert "NDCG@10 of the defaults on the inner split: 0." in printed
    assert "of the best of 3 other trials" in printed
    assert "nextreel fit parts --config out/best.toml" in printed
    assert (home / "out" / "search.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "depth=3"], "ease has no option 'depth'; its options: "),
        (["--rule", "course"], "parts was split already: leave the rule 'course' out"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_clear_message(home: Path, arguments: list[str], message: str) -> None:
    assert message in fail("tune", "parts", "--model", "ease", *arguments, cwd=home)
