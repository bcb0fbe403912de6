"""The benchmark of a large server, on little data."""

from pathlib import Path

from benchmarks import large_server
from nextreel.data.sources.synthetic_data import make_sample, write_sample


def test_every_start_is_measured(tmp_path: Path) -> None:
    write_sample(make_sample(users=60, movies=80, ratings=2_000), tmp_path / "data")
    config = {"users": 2, "movies": 2, "model": "popularity", "workers": [1, 2], "queries": 3}
    result = large_server.measure(config, tmp_path / "data")
    assert (result["rows"], result["movies"]) == (4_000, 160)
    assert [start["workers"] for start in result["starts"]] == [1, 2]
    for start in result["starts"]:
        assert 0 < start["cpu_seconds"] < 60
        assert 0.05 < start["largest_own_memory_gib"] < start["memory_gib"] < 2
