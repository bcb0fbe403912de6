from pathlib import Path

import pytest

from benchmarks import leaderboard_chart, render, run

CONFIGS = sorted(path.stem for path in (run.HERE / "configs").glob("*.json"))
MEASURED = [name for name in CONFIGS if run.has_result(name)]


@pytest.mark.parametrize("page", render.PAGES, ids=lambda page: page.name)
def test_the_tables_of_a_page_match_the_result_files(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "<!-- end -->" in text
    assert render.render(text) == text, "run make docs"


def test_every_table_stands_on_one_page() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in render.PAGES)
    assert {name: pages.count(f"<!-- {name} -->\n") for name in render.TABLES} == dict.fromkeys(
        render.TABLES, 1
    )
    assert pages.count("<!-- end -->") == len(render.TABLES)


def test_the_chart_matches_the_result_file() -> None:
    stored = leaderboard_chart.CHART.read_text(encoding="utf-8")
    assert leaderboard_chart.draw_leaderboard() == stored, "run make docs"


def test_the_chart_names_every_model_of_the_leaderboard() -> None:
    chart = leaderboard_chart.CHART.read_text(encoding="utf-8")
    models = run.read_result("leaderboard")["frozen"]["models"]
    assert [
        model["name"] for model in models if f">{model['name'].replace('`', '')}</text>" not in chart
    ] == []


@pytest.mark.parametrize("name", MEASURED)
def test_every_result_was_measured_with_the_current_config(name: str) -> None:
    config = run.read_config(name)
    result = run.read_result(name)
    assert result["config"] == config
    assert result["config_sha256"] == run.config_hash(config)


def test_every_result_has_a_config() -> None:
    assert {path.stem for path in (run.HERE / "results").glob("*.json")} <= set(CONFIGS)


def test_every_config_has_a_result_unless_it_is_awaited() -> None:
    assert set(CONFIGS) - set(MEASURED) <= set(render.AWAITED)
