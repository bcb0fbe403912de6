"""`nextreel backtest`: how does a model do along time, and what are refits worth?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nextreel.cli.terminal.arguments import parse_options
from nextreel.models.registry import DEFAULT_MODEL, PRESETS, model_names

if TYPE_CHECKING:
    import polars as pl
    from rich.table import Table

    from nextreel.evaluation.backtesting.backtest_results import Backtest, GroupMetrics


"""Of a window, in seconds: moments end in 2100."""


def backtest(
    directory: Annotated[
        Path,
        typer.Argument(help="Data directory; of one that nextreel split wrote, only the train part is used."),
    ],
    model: Annotated[
        str,
        typer.Option(
            "--model", "-m", help=f"{', '.join(PRESETS)}, or a model by name: {', '.join(model_names())}."
        ),
    ] = DEFAULT_MODEL,
    options: Annotated[
        list[str] | None,
        typer.Option("--set", help="An option of the model, such as --set regularization=500; repeatable."),
    ] = None,
    every: Annotated[str, typer.Option(help="Length of a window, such as 12h, 30d or 8w.")] = "30d",
    start: Annotated[
        str,
        typer.Option(help="Where the first window opens: the share of the ratings before it, or a moment."),
    ] = "60%",
    refit: Annotated[
        Literal["every", "never"],
        typer.Option(
            help="every: before each window, beside a model that is never refitted. never: only the latter."
        ),
    ] = "every",
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Directory of the results; finished windows are kept there.")
    ] = Path("backtest"),
) -> None:
    """Replay time: fit before each window, ask about it, and see how a model ages.

    Each positive of a window is a query, answered from everything strictly before it. Stopped with Ctrl-C, the same
    command goes on with the window that wasn't finished.
    """
    import sys

    from nextreel.cli.terminal.console import progress_bar, stdout
    from nextreel.data.reading.table_reader import read_tables
    from nextreel.data.times import parse_duration
    from nextreel.errors import MissingExtraError
    from nextreel.evaluation.backtesting.backtest_results import write_backtest
    from nextreel.evaluation.backtesting.backtest_runner import run_backtest
    from nextreel.evaluation.backtesting.backtest_windows import BacktestPlan
    from nextreel.reporting.backtest_chart import plot_backtest

    tables = read_tables(directory)
    plan = BacktestPlan(
        model,
        _parse_start(start, tables.interactions),
        parse_duration(every, "--every"),
        parse_options(options or []),
        refit == "every",
    )
    with progress_bar("Backtest") as (progress, task):

        def report(done: int, total: int, note: str) -> None:
            progress.update(task, completed=done, total=total, note=note)

        try:
            result = run_backtest(tables, plan, out, report)
        except KeyboardInterrupt:
            print("Stopped. The same command goes on with the window that wasn't finished.", file=sys.stderr)
            raise
    console = stdout()
    console.print(windows_table(result))
    console.print(groups_table(result))
    if len(result.by_age) > 1:
        console.print(ages_table(result))
    for sentence in result.sentences():
        console.print(sentence, soft_wrap=True)
    write_backtest(result, out)
    try:
        plot_backtest(result, out)
    except MissingExtraError as error:
        console.print(f"No picture: {error}", soft_wrap=True)
    console.print(f"Written to {out}")


def windows_table(result: "Backtest") -> "Table":
    """One row a window: NDCG of each model, with the part of the queries that new users ask."""
    from nextreel.cli.terminal.console import table
    from nextreel.data.times import format_timestamp
    from nextreel.evaluation.backtesting.backtest_results import EVERYONE, MAIN, NEW_USERS

    models = _models(result)
    made = table(
        f"{result.about['model']}, {MAIN} by window; 95 % intervals",
        *("From", "Queries", "Of new users", *(model.capitalize() for model in models)),
        numbers=2 + len(models),
    )
    for window, groups in zip(result.windows, result.by_window, strict=True):
        everyone = groups[EVERYONE]
        new = groups[NEW_USERS].queries / everyone.queries if NEW_USERS in groups else 0.0
        queries, *figures = _cells(everyone, models)
        made.add_row(format_timestamp(window.opens)[:10], queries, f"{new:.0%}", *figures)
    return made


def groups_table(result: "Backtest") -> "Table":
    """All windows together, by whose queries they are."""
    from nextreel.cli.terminal.console import table
    from nextreel.evaluation.backtesting.backtest_results import MAIN

    models = _models(result)
    title = f"{MAIN} of all windows, by users"
    made = table(
        title, "Users", "Queries", *(model.capitalize() for model in models), numbers=1 + len(models)
    )
    for group, part in result.overall.items():
        made.add_row(group, *_cells(part, models))
    return made


def ages_table(result: "Backtest") -> "Table":
    """One row for each age of the model that is never refitted."""
    from nextreel.cli.terminal.console import table
    from nextreel.evaluation.backtesting.backtest_results import MAIN

    models = _models(result)
    made = table(
        f"{MAIN} by age of the model that was never refitted; * is shown to differ",
        *("Age", "Queries", *(model.capitalize() for model in models)),
        numbers=1 + len(models),
    )
    for aging in result.by_age:
        *cells, last = _cells(aging.part, models)
        made.add_row(str(aging), *cells, last + (" *" if aging.differs else ""))
    return made


def _models(result: "Backtest") -> list[str]:
    return list(next(iter(result.overall.values())).figures)


def _cells(part: "GroupMetrics", models: list[str]) -> list[str]:
    from nextreel.evaluation.backtesting.backtest_results import MAIN

    figures = [part.figures[model][MAIN] for model in models]
    return [
        f"{part.queries:,}",
        *(str(each) if part.has_interval else f"{each.mean:.4f}" for each in figures),
    ]


def _parse_start(text: str, interactions: "pl.DataFrame") -> int:
    """The moment of "60%" of the interactions, of a date or of POSIX seconds."""
    from nextreel.data.times import parse_timestamp
    from nextreel.errors import QueryError
    from nextreel.evaluation.backtesting.backtest_windows import find_start

    if not text.endswith("%"):
        return parse_timestamp(text)
    try:
        share = float(text[:-1]) / 100
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise QueryError(
            f"--start {text!r}: expected a share between 0% and 100%, or a moment such as 2001-01-31"
        )
    return find_start(interactions, share)
