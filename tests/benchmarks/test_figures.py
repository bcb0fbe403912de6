import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks import leaderboard_chart, render, run, scaling_chart
from benchmarks.tables import show_exponent

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


@pytest.mark.parametrize("chart", render.CHARTS, ids=lambda chart: chart.name)
def test_a_chart_matches_the_result_file(chart: Path) -> None:
    assert render.CHARTS[chart]() == chart.read_text(encoding="utf-8"), "run make docs"


def test_the_chart_names_every_model_of_the_leaderboard() -> None:
    chart = leaderboard_chart.draw_leaderboard()
    models = run.read_result("leaderboard")["frozen"]["models"]
    assert [
        model["name"] for model in models if f">{model['name'].replace('`', '')}</text>" not in chart
    ] == []


SCALING_CHARTS = [
    ("scaling", scaling_chart.draw_time_by_rows),
    ("scaling", scaling_chart.draw_memory_by_rows),
    ("scaling-movies", scaling_chart.draw_time_by_movies),
]


@pytest.mark.parametrize(
    ("name", "draw"), SCALING_CHARTS, ids=lambda value: getattr(value, "__name__", value)
)
def test_a_chart_of_growth_names_every_fit_with_a_figure_and_labels_do_not_overlap(
    name: str, draw: Callable[[], str]
) -> None:
    exponents = run.read_result(name)["exponents"]
    labels = re.findall(
        r'<text x="\d+" y="([\d.]+)" fill="#\w+" class="label">(.+?) (-?[\d.]+).*</text>', draw()
    )
    named = {task: figure for _, task, figure in labels}
    assert {task for task in exponents if task.startswith("fit")} <= set(named)
    if "time" in draw.__name__:
        assert named == {task: show_exponent(exponents[task]) for task in named}
    heights = sorted(float(y) for y, _, _ in labels)
    assert all(below - above > 17.9 for above, below in pairwise(heights))


@pytest.mark.parametrize("name", MEASURED)
def test_every_result_was_measured_with_the_current_config(name: str) -> None:
    config = run.read_config(name)
    result = run.read_result(name)
    assert result["config"] == config
    assert result["config_sha256"] == run.config_hash(config)


def test_every_config_has_a_result_and_every_result_a_config() -> None:
    assert {path.stem for path in (run.HERE / "results").glob("*.json")} == set(CONFIGS)
