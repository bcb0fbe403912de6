from pathlib import Path

import pytest

from benchmarks import render, run

CONFIGS = sorted(path.stem for path in (run.HERE / "configs").glob("*.json"))


@pytest.mark.parametrize("page", render.PAGES, ids=lambda page: page.name)
def test_the_tables_of_a_page_match_the_result_files(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.count("<!-- end -->") >= 3
    assert render.render(text) == text, "run make docs"


@pytest.mark.parametrize("name", CONFIGS)
def test_every_result_was_measured_with_the_current_config(name: str) -> None:
    config = run.read_config(name)
    result = run.read_result(name)
    assert result["config"] == config
    assert result["config_sha256"] == run.config_hash(config)


def test_every_result_has_a_config() -> None:
    assert {path.stem for path in (run.HERE / "results").glob("*.json")} == set(CONFIGS)
