"""The benchmark of how time and memory grow, on little data."""

from pathlib import Path

from benchmarks import scaling
from nextreel.data.sources.synthetic_data import make_sample, write_sample


def test_every_command_is_measured(tmp_path: Path) -> None:
    write_sample(make_sample(users=60, movies=80, ratings=2_000), tmp_path / "data")
    config = {
        "sizes": [{"users": 3, "movies": 2, "one_of": 2}],
        "models": [{"name": "popularity"}, {"name": "item-knn", "most_rows": 2_000}],
        "queries": 10_000,
    }
    (size,) = scaling.measure(config, tmp_path / "data")["sizes"]
    assert (size["users"], size["movies"]) == (90, 160)
    assert 2_700 < size["rows"] < 3_300
    assert list(size["tasks"]) == ["check", "ingest", "split", "fit popularity", "answer popularity"]
    assert all(0.01 < task["peak_memory_gib"] < 2 for task in size["tasks"].values())
    assert size["tasks"]["answer popularity"]["queries_per_second"] > 0


def test_the_exponent_is_the_slope_of_the_logarithms() -> None:
    sizes = [
        {"rows": rows, "tasks": {"fit": {"cpu_seconds": (rows / 1e6) ** 1.5}}} for rows in (1e6, 4e6, 9e6)
    ]
    assert scaling._exponent(sizes, "fit") == 1.5
