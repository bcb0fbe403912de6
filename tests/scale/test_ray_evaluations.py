"""Backtests and comparisons on a Ray cluster: the same figures as in one process, whatever is killed meanwhile."""

import json
import sys
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from nextreel.data.reading.table_reader import read_tables
from nextreel.data.sources.synthetic_data import make_sample, write_sample
from nextreel.data.splitting.split_directory import read_train_test
from nextreel.data.tables import Tables
from nextreel.data.times import DAY
from nextreel.evaluation.backtesting.backtest_results import write_backtest
from nextreel.evaluation.backtesting.backtest_runner import WINDOWS, run_backtest
from nextreel.evaluation.backtesting.backtest_windows import BacktestPlan, find_start
from nextreel.evaluation.comparison.contestants import parse_contestants, run_contestant
from nextreel.evaluation.comparison.leaderboard import build_leaderboard
from nextreel.prediction.fitting import fit
from nextreel.prediction.saving import save
from nextreel.scale.ray_tasks import RayTasks
from tests.cli.commands import succeed
from tests.scale.jobs import KillingOnce


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    write_sample(make_sample(users=60, movies=80, ratings=1600), home / "data")
    return home


@pytest.fixture(scope="module")
def tables(home: Path) -> Tables:
    return read_tables(home / "data")


@pytest.fixture(scope="module")
def plan(tables: Tables) -> BacktestPlan:
    return BacktestPlan(
        "ease", find_start(tables.interactions, 0.6), 140 * DAY, {"regularization": 50}, refits=True
    )


def test_a_backtest_has_the_same_files_on_a_cluster_as_in_one_process(
    ray: Any, home: Path, tables: Tables, plan: BacktestPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "altair", None)  # a chart takes longer than all else
    arguments = ("backtest", "data", "--model", "ease", "--set", "regularization=50", "--every", "140d")
    printed = succeed(*arguments, "--on", "ray", "--out", "there", cwd=home)
    assert "After the first window, a refit every 140 days is worth" in printed
    here = run_backtest(tables, plan, home / "here")
    write_backtest(here, home / "here")
    for file in ("backtest.json", "backtest.csv", "plan.json"):
        assert (home / "there" / file).read_bytes() == (home / "here" / file).read_bytes()


def test_a_worker_that_is_killed_costs_no_window(
    ray: Any, tables: Tables, plan: BacktestPlan, tmp_path: Path
) -> None:
    killing = KillingOnce(RayTasks(ray), tmp_path / "killed")
    there = run_backtest(tables, plan, tmp_path / "there", run_tasks=killing)
    assert (tmp_path / "killed").is_file()
    assert there.ranks.equals(run_backtest(tables, plan, tmp_path / "here").ranks)


def test_an_interrupted_backtest_continues_on_a_cluster(
    ray: Any, tables: Tables, plan: BacktestPlan, tmp_path: Path
) -> None:
    def stop(done: int, total: int, note: str) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_backtest(tables, plan, tmp_path / "out", stop, RayTasks(ray, at_once=2))
    [kept] = (tmp_path / "out" / WINDOWS).iterdir()
    inode = kept.stat().st_ino
    again = run_backtest(tables, plan, tmp_path / "out", run_tasks=RayTasks(ray))
    assert kept.stat().st_ino == inode
    assert again.ranks.equals(run_backtest(tables, plan, tmp_path / "here").ranks)


def test_a_comparison_has_the_same_figures_on_a_cluster_as_in_one_process(ray: Any, home: Path) -> None:
    parts = read_train_test(home / "data")
    save(fit(parts.train, "popularity"), home / "saved")
    models = ["saved=saved", "ease"]
    printed = succeed(
        *("compare", "data", "--models", ",".join(models), "--history", "live", "--on", "ray", "--json"),
        cwd=home,
    )
    there = json.loads(printed)
    with chdir(home):
        runs = [
            run_contestant(contestant, parts, ["live"], 20) for contestant in parse_contestants(models, {})
        ]
    here = build_leaderboard(parts, runs, ["live"], [5, 10, 20]).facts()
    assert without_costs(there) == without_costs(json.loads(json.dumps(here)))


def without_costs(board: dict[str, Any]) -> dict[str, JsonValue]:
    """Return what a comparison says but the time and the memory of its models."""
    for model in board["models"]:
        del model["fit_seconds"], model["peak_memory_gib"], model["histories"]["live"]["queries_per_second"]
    return board
