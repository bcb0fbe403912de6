"""A backtest along the data's own time: quality by window and by age of the model, as a result file and a picture."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nextreel.data.reading.table_reader import read_tables
from nextreel.data.times import DAY, parse_timestamp
from nextreel.evaluation.backtesting.backtest_results import Backtest
from nextreel.evaluation.backtesting.backtest_runner import run_backtest
from nextreel.evaluation.backtesting.backtest_windows import BacktestPlan
from nextreel.reporting.backtest_chart import plot_backtest

PICTURES = Path(__file__).parents[1] / "docs" / "assets"


def measure(config: dict[str, Any], data: Path) -> dict[str, Any]:
    """All figures of the backtest and what they say; its picture becomes docs/assets/backtest-MODEL.svg."""
    plan = BacktestPlan(config["model"], parse_timestamp(config["start"]), config["every_days"] * DAY)
    with TemporaryDirectory() as name:
        result = run_backtest(read_tables(data), plan, Path(name) / "backtest", _print)
        plot_backtest(result, Path(name))
        PICTURES.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(name) / "backtest.svg", PICTURES / f"backtest-{config['model']}.svg")
    return {"sentences": result.findings(), **_keep_main(result)}


def _keep_main(result: Backtest) -> dict[str, Any]:
    facts = result.facts()
    return {key: facts[key] for key in ("start", "overall", "by_age", "windows")}


def _print(done: int, total: int, note: str) -> None:
    print(f"{done} of {total}: {note}", flush=True)
