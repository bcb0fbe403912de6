"""Tests of the pages under docs: their examples run and print what the pages show."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import nextreel
from nextreel import errors
from tests.docs.pages import DOCS, FENCE, PAGES, RUN, find_blocks, run_blocks, tidy, without_numbers


@pytest.mark.parametrize(
    "path",
    [path for path in PAGES if find_blocks(path.read_text(encoding="utf-8"))],
    ids=lambda path: path.relative_to(DOCS).as_posix(),
)
def test_the_examples_of_a_page_run_and_print_what_it_shows(path: Path, tmp_path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    blocks = find_blocks(page)
    for block, output in zip(blocks, run_blocks(blocks, tmp_path), strict=True):
        if block.kind == "console":
            assert tidy(output) == block.text
        elif block.output is not None:
            assert without_numbers(output) == without_numbers(page[block.output]), (
                "python -m tests.docs.pages"
            )


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(DOCS).as_posix())
def test_every_block_of_a_page_is_of_a_kind_that_is_tested(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    assert {fence[1] for fence in FENCE.finditer(page)} <= RUN | {"text"}
    assert page.count("```") == 2 * len(FENCE.findall(page))


def test_the_reference_has_every_public_name() -> None:
    page = (DOCS / "reference" / "python.md").read_text(encoding="utf-8")
    documented = {line.removeprefix("::: ") for line in page.splitlines() if line.startswith("::: ")}
    public_names = {
        f"{getattr(nextreel, name).__module__}.{name}" for name in nextreel.__all__ if name != "SplitRule"
    }
    assert public_names <= documented


def test_the_reference_has_every_error() -> None:
    page = (DOCS / "reference" / "python.md").read_text(encoding="utf-8")
    names = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert {name for name in names if f"`{name}`" in page} == names


def test_the_message_about_a_missing_extra_is_as_on_the_page(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('No module named torch', name='torch')\n")
    code = "from nextreel.models.registry import model_class; model_class('transformer')"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    completed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )
    message = completed.stderr.splitlines()[-1].removeprefix("nextreel.errors.MissingExtraError: ")
    page = (DOCS / "how-to" / "mistakes.md").read_text(encoding="utf-8")
    assert f"```text\nnextreel: {message}\n```" in page


def test_the_page_of_mistakes_has_at_least_twenty() -> None:
    page = (DOCS / "how-to" / "mistakes.md").read_text(encoding="utf-8")
    assert sum(block.kind == "console" for block in find_blocks(page)) >= 20
