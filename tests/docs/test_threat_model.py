"""The threat model names a test beside each of its promises, and the tests are there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "explanations" / "threat-model.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.endswith("| shown by |")]
PROMISES = [row for row in ROWS if not set(row) <= set("| -")]
NAMED = sorted(set(re.findall(r"`(tests/[^`]+\.py)::([^`]+)`", PAGE)))


@cache
def functions(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize(("file", "test"), NAMED, ids=[test for _, test in NAMED])
def test_a_test_that_the_threat_model_names_is_there(file: str, test: str) -> None:
    assert (ROOT / file).is_file(), file
    assert test.startswith("test_")
    assert test in functions(file)


@pytest.mark.parametrize("row", PROMISES, ids=[row.split("|")[1].strip()[:60] for row in PROMISES])
def test_each_promise_has_a_test_beside_it(row: str) -> None:
    _, attack, promise, shown_by, _ = row.split("|")
    assert attack.strip()
    assert promise.strip()
    assert re.fullmatch(r"( `tests/[\w/]+\.py::test_\w+`)+ ", shown_by)


def test_the_threat_model_has_promises_and_fits_on_a_page() -> None:
    assert len(PROMISES) >= 20
    words = re.sub(r"`tests/[^`]+`|\|", "", PAGE).split()
    assert len(words) <= 1_200


def test_vulnerabilities_are_reported_in_private() -> None:
    policy = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert "Report a vulnerability" in policy
    assert "Supported versions" in policy
    assert "docs/explanations/threat-model.md" in policy
