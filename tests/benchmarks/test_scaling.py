"""The benchmark of how time and memory grow, on little data."""

from pathlib import Path

from benchmarks import scaling, single_answers
from nextreel.data.sources.synthetic_data import make_sample, write_sample


def test_every_command_is_measured(tmp_path: Path) -> None:
    write_sample(make_sample(users=60, movies=80, ratings=2_000), tmp_path / "data")
    config = {
        "growth": {"of": "rows", "from": 0},
        "sizes": [{"users": 3, "movies": 2, "one_of": 2, "most_rated": 60}],
        "models": [{"name": "popularity", "single_answers": 5}, {"name": "item-knn", "most_rows": 1_000}],
        "queries": 10_000,
        "evaluated_users": 30,
    }
    (size,) = scaling.measure(config, tmp_path / "data")["sizes"]
    assert (size["users"], size["movies"]) == (90, 120)
    assert 2_000 < size["rows"] < 3_300
    commands = ["check", "ingest", "split", "fit popularity", "answer popularity", "evaluate popularity"]
    assert list(size["tasks"]) == commands
    assert all(0.01 < task["peak_memory_gib"] < 2 for task in size["tasks"].values())
    assert size["tasks"]["answer popularity"]["queries_per_second"] > 0
    assert 30 <= size["tasks"]["evaluate popularity"]["queries"] <= 30 * 5 + 100
    kinds = ["list", "similar movies", "search", "search with a typo", "explanation"]
    assert list(size["single_answers"]["popularity"]) == kinds
    assert all(
        0 < of_kind["p50_ms"] <= of_kind["p99_ms"]
        for of_kind in size["single_answers"]["popularity"].values()
    )


def test_a_title_is_typed_without_its_year_and_its_end() -> None:
    assert single_answers._type_title("Blade Runner no. 4 (1982)") == "blade runner n"
    assert single_answers._swap_letters("blade runner n") == "balde runner n"


def test_the_exponent_is_the_slope_of_the_logarithms() -> None:
    sizes = [
        {"rows": rows, "tasks": {"fit": {"cpu_seconds": (rows / 1e6) ** 1.5}}} for rows in (1e6, 4e6, 9e6)
    ]
    assert scaling._exponent(sizes, "fit", "rows", 0) == 1.5
    assert scaling._exponent(sizes, "fit", "rows", 5_000_000) is None
