"""`nextreel backtest`: how does the quality of a model develop over time, and how much do refits improve it?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nextreel.cli.terminal.arguments import Columns, LikedFrom, On, complete_model, parse_options
from nextreel.models.registry import DEFAULT_MODEL, PRESETS, model_names

if TYPE_CHECKING:
    from rich.table import Table

    from nextreel.evaluation.backtesting.backtest_results import Backtest, GroupMetrics


def backtest(
    directory: Annotated[
        Path,
        typer.Argument(
            help="Data directory; of a directory that nextreel split wrote, only the train part is used."
        ),
    ],
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            autocompletion=complete_model,
            help=f"{', '.join(PRESETS)}, or a model by name: {', '.join(model_names())}.",
        ),
    ] = DEFAULT_MODEL,
    options: Annotated[
        list[str] | None,
        typer.Option("--set", help="An option of the model, such as --set regularization=500; repeatable."),
    ] = None,
    columns: Columns = None,
    liked_from: LikedFrom = None,
    every: Annotated[str, typer.Option(help="Length of a window, such as 12h, 30d or 8w.")] = "30d",
    start: Annotated[
        str,
        typer.Option(
            help="When the first window opens: the share of the ratings before it, such as 60%, or a time, such as "
            "2001-01-31."
        ),
    ] = "60%",
    refit: Annotated[
        Literal["every", "never"],
        typer.Option(
            help="every: compare a model that is refitted before each window with one that is never refitted. never: "
            "only the latter."
        ),
    ] = "every",
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="Directory for the results; finished windows are kept there."),
    ] = Path("backtest"),
    on: On = "local",
) -> None:
    """Replay time: fit before each window, rank its queries, and see how the model ages.

    Every positive of a window is a query, ranked from everything strictly before it. If stopped with Ctrl-C, the same
    command continues with the window that wasn't finished.
    """
    import sys

    from nextreel.cli.terminal.console import print_sentences, progress_bar, stages, stdout
    from nextreel.data.data_format import DataFormat
    from nextreel.data.reading.table_reader import read_tables
    from nextreel.data.times import parse_duration
    from nextreel.errors import MissingExtraError
    from nextreel.evaluation.backtesting.backtest_results import write_backtest
    from nextreel.evaluation.backtesting.backtest_runner import run_backtest
    from nextreel.evaluation.backtesting.backtest_windows import BacktestPlan, parse_start
    from nextreel.reporting.backtest_chart import plot_backtest
    from nextreel.scale.ray_tasks import prepare_place, tasks_at
    from nextreel.tasks import run_here

    prepare_place(on)
    with stages("Backtest") as show_stage:
        show_stage("reading data")
        tables = read_tables(directory, DataFormat.parse(columns, liked_from))
    plan = BacktestPlan(
        model,
        parse_start(start, tables.interactions, "--start"),
        parse_duration(every, "--every"),
        parse_options(options or []),
        refit == "every",
    )
    with progress_bar("Backtest") as (progress, task):

        def report(done: int, total: int, note: str) -> None:
            progress.update(task, completed=done, total=total, note=note)

        try:
            with tasks_at(on) as run_tasks:
                result = run_backtest(tables, plan, out, report, run_tasks or run_here)
        except KeyboardInterrupt:
            print(
                "Stopped. The same command continues with the window that wasn't finished.", file=sys.stderr
            )
            raise
    console = stdout()
    console.print(windows_table(result))
    console.print(groups_table(result))
    if len(result.by_age) > 1:
        console.print(ages_table(result))
    print_sentences(console, result.findings())
    write_backtest(result, out)
    try:
        plot_backtest(result, out)
    except MissingExtraError as error:
        console.print(f"No chart: {error}", soft_wrap=True)
    console.print(f"Written to {out}", soft_wrap=True)


def windows_table(result: "Backtest") -> "Table":
    """Return a table with one row per window: its queries, the share of them by new users, and NDCG by model."""
    from nextreel.cli.terminal.console import table as empty_table
    from nextreel.data.times import format_timestamp
    from nextreel.evaluation.backtesting.backtest_results import EVERYONE, MAIN, NEW_USERS

    models = _name_models(result)
    table = empty_table(
        f"{result.about['model']}, {MAIN} by window; 95 % intervals",
        *("From", "Queries", "Of new users", *(model.capitalize() for model in models)),
        numbers=2 + len(models),
    )
    for window, groups in zip(result.windows, result.by_window, strict=True):
        everyone = groups[EVERYONE]
        new_share = groups[NEW_USERS].queries / everyone.queries if NEW_USERS in groups else 0.0
        queries, *estimates = _format_cells(everyone, models)
        table.add_row(format_timestamp(window.opens)[:10], queries, f"{new_share:.0%}", *estimates)
    return table


def groups_table(result: "Backtest") -> "Table":
    """Return a table with one row per group of users: its queries in all windows, and NDCG@10 by model."""
    from nextreel.cli.terminal.console import table as empty_table
    from nextreel.evaluation.backtesting.backtest_results import MAIN

    models = _name_models(result)
    table = empty_table(
        f"{MAIN} of all windows, by users",
        *("Users", "Queries", *(model.capitalize() for model in models)),
        numbers=1 + len(models),
    )
    for group, part in result.overall.items():
        table.add_row(group, *_format_cells(part, models))
    return table


def ages_table(result: "Backtest") -> "Table":
    """Return a table of NDCG@10 by the age of the model that is never refitted, one row per range of ages."""
    from nextreel.cli.terminal.console import table as empty_table
    from nextreel.evaluation.backtesting.backtest_results import MAIN

    models = _name_models(result)
    table = empty_table(
        f"{MAIN} by age of the model that was never refitted; * is significant",
        *("Age", "Queries", *(model.capitalize() for model in models)),
        numbers=1 + len(models),
    )
    for age_class in result.by_age:
        *cells, last = _format_cells(age_class.part, models)
        table.add_row(str(age_class), *cells, last + (" *" if age_class.differs else ""))
    return table


def _name_models(result: "Backtest") -> list[str]:
    return list(next(iter(result.overall.values())).figures)


def _format_cells(part: "GroupMetrics", models: list[str]) -> list[str]:
    """Return table cells: the number of queries, then NDCG@10 of each model, with its interval if it has one."""
    from nextreel.evaluation.backtesting.backtest_results import MAIN

    estimates = [part.figures[model][MAIN] for model in models]
    return [
        f"{part.queries:,}",
        *(str(estimate) if part.has_interval else f"{estimate.mean:.4f}" for estimate in estimates),
    ]
