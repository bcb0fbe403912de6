"""A backtest: the quality of a model in each window of time and at each age, as a result file and a chart."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.run import Config, Result
from nextreel.data.reading.table_reader import read_tables
from nextreel.data.times import DAY, parse_timestamp
from nextreel.evaluation.backtesting.backtest_runner import run_backtest
from nextreel.evaluation.backtesting.backtest_windows import BacktestPlan
from nextreel.reporting.backtest_chart import plot_backtest

CHARTS = Path(__file__).parents[1] / "docs" / "assets"


def measure(config: Config, data: Path) -> Result:
    """Return the metrics and sentences of the backtest; write its chart as docs/assets/backtest-MODEL.svg."""
    plan = BacktestPlan(config["model"], parse_timestamp(config["start"]), config["every_days"] * DAY)
    with TemporaryDirectory() as name:
        backtest = run_backtest(read_tables(data), plan, Path(name) / "backtest", _print_progress)
        plot_backtest(backtest, Path(name))
        CHARTS.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(name) / "backtest.svg", CHARTS / f"backtest-{config['model']}.svg")
    facts = backtest.facts()
    kept = {key: facts[key] for key in ("start", "overall", "by_age", "windows")}
    return {"sentences": backtest.findings(), **kept}


def _print_progress(done: int, total: int, note: str) -> None:
    print(f"{done} of {total}: {note}", flush=True)
