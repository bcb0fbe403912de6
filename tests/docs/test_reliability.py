"""The tests that the page on testing names are there, and so are the commands."""

import re
from pathlib import Path

import pytest

from tests.docs.test_threat_model import functions

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[^`]+\.py)::([^`]+)`", PAGE)


@pytest.mark.parametrize(("file", "test"), NAMED, ids=[test for _, test in NAMED])
def test_a_test_that_the_page_names_is_there(file: str, test: str) -> None:
    assert test in functions(file)


def test_the_commands_of_the_page_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"`make ([a-z-]+)", PAGE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    configs = ROOT / "benchmarks" / "configs"
    for name in re.findall(r"NAME=([a-z-]+)", PAGE):
        assert (configs / f"{name}.json").is_file(), name
