"""`nextreel compare`: which model is better, for whom, and at what cost?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from nextreel.cli.terminal.arguments import (
    Columns,
    IncludeSeen,
    LikedFrom,
    MLflow,
    On,
    RuleOfSplit,
    TiesOption,
    parse_options,
)
from nextreel.cli.terminal.json_output import AsJson, JsonFile, ReplaceFiles, print_json, refuse_other_json
from nextreel.models.registry import PRESETS, model_names

if TYPE_CHECKING:
    from rich.table import Table

    from nextreel.evaluation.comparison.leaderboard import Leaderboard
    from nextreel.evaluation.protocol import HistoryMode


def compare(
    directory: Annotated[
        Path,
        typer.Argument(help="Data directory, which is split by the rule, or one that nextreel split wrote."),
    ],
    models: Annotated[
        str,
        typer.Option(
            "--models",
            "-m",
            help=f"Models, separated by commas: {', '.join(PRESETS)}, {', '.join(model_names())}. NAME=MODEL gives a "
            "model another name, so that it can take part twice with different options. NAME=PATH is a saved model "
            "that was fitted on the train part, or the recommendation lists of another recommender: a CSV or Parquet "
            "file of UserID, Timestamp, MovieID1 to MovieIDk.",
        ),
    ] = "popularity,item-knn,ease",
    rule: RuleOfSplit = None,
    columns: Columns = None,
    liked_from: LikedFrom = None,
    history: Annotated[
        str,
        typer.Option(
            help="frozen: a user's history ends with the train part. live: it holds everything before the query. "
            "Or both, separated by a comma."
        ),
    ] = "frozen,live",
    ties: TiesOption = None,
    k: Annotated[
        str,
        typer.Option(
            "--k",
            "-k",
            help="Cutoffs of the metrics, separated by commas. Tests, slices and properties of lists use 10 if it is "
            "one of them, otherwise the largest.",
        ),
    ] = "5,10,20",
    options: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="An option of one model, such as --set ease.regularization=500; repeatable."
        ),
    ] = None,
    include_seen: IncludeSeen = False,
    slices: Annotated[
        bool,
        typer.Option("--slices", help="Print the figures of every slice; the JSON file always has them."),
    ] = False,
    as_json: AsJson = False,
    json_file: JsonFile = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Write a report to this HTML file too: charts, slices, example lists and a card for each model in one "
            "file that can be read on its own."
        ),
    ] = None,
    force: ReplaceFiles = False,
    mlflow: MLflow = False,
    on: On = "local",
) -> None:
    """Fit several models on the train part of one split and compare them on its test part.

    Every positive of the test part is a query. Figures have 95 % intervals from a bootstrap over users. All pairs of
    models are tested, with Holm's correction for the number of tests. Each model runs in a process of its own.
    """
    from nextreel.atomic_files import write_json
    from nextreel.cli.terminal.console import print_sentences, progress_bar, stdout
    from nextreel.data.data_format import DataFormat
    from nextreel.evaluation.comparison.contestants import parse_contestants
    from nextreel.evaluation.comparison.leaderboard import compare_models
    from nextreel.reporting.mlflow_tracking import log_leaderboard, tracked
    from nextreel.scale.ray_tasks import prepare_place, tasks_at

    if report is not None:
        from nextreel.reporting.html_report import refuse_other_report, require_extras, write_report

        require_extras()
        refuse_other_report(report, force)
    refuse_other_json(json_file, force)
    contestants = parse_contestants(_split(models), parse_options(options or []))
    modes, cutoffs = _parse_modes(history), _parse_cutoffs(k)
    prepare_place(on)
    with (
        tracked("compare", mlflow),
        progress_bar("Comparing") as (progress, task),
        tasks_at(on, own_process=True) as run_tasks,
    ):
        progress.update(task, total=len(contestants) + 1, note="reading data", refresh=True)
        board = compare_models(
            directory,
            contestants,
            rule,
            modes,
            cutoffs,
            not include_seen,
            lambda done, name: progress.update(task, completed=done, note=name, refresh=True),
            DataFormat.parse(columns, liked_from),
            ties,
            run_tasks,
        )
        if mlflow:
            log_leaderboard(board)
    if json_file is not None:
        write_json(board.facts(), json_file)
    if report is not None:
        write_report(board, directory.resolve().name, report)
    if as_json:
        print_json(board.facts())
        return
    console = stdout()
    for mode in modes:
        console.print(accuracy_table(board, mode))
        console.print(lists_table(board, mode))
        console.print(weakness_table(board, mode))
        if slices:
            console.print(slices_table(board, mode))
    print_sentences(console, (*board.findings(), *board.gap_findings(), *board.seen_findings()))


def accuracy_table(board: "Leaderboard", mode: "HistoryMode") -> "Table":
    """Return a table with one row per model, best first: metrics at the main cutoff k, and costs (time, memory)."""
    from nextreel.cli.terminal.console import table as empty_table
    from nextreel.wording import number_of

    figures = board.figures[mode]
    metrics, _ = _divide_metrics(board, mode)
    seen = "excluded" if board.protocol["exclude_seen"] else "included"
    queries = number_of(len(board.users), "query", "queries")
    table = empty_table(
        f"{mode} history, {board.ties(mode)} ties, {queries}, seen movies {seen}; 95 % intervals",
        *("Model", *metrics, "Fit", "Queries/s", "Peak memory"),
        numbers=len(metrics) + 3,
    )
    for name in board.ranked(mode):
        run = board.runs[name]
        table.add_row(
            name,
            *(str(figures[name].metrics[metric]) for metric in metrics),
            _or_dash(run.fit_seconds, "{:,.1f} s"),
            _or_dash(run.lists[mode].rate, "{:,.0f}"),
            _or_dash(run.peak_memory_gib, "{:.2f} GiB"),
        )
    return table


def lists_table(board: "Leaderboard", mode: "HistoryMode") -> "Table":
    """Return a table with one row per model: metrics at the other cutoffs k, and properties of its lists."""
    from nextreel.cli.terminal.console import table as empty_table

    figures = board.figures[mode]
    _, metrics = _divide_metrics(board, mode)
    first = next(iter(figures.values())).lists
    columns = [*metrics, *(name.capitalize() for name in (*first.by_query, *first.overall))]
    title = f"{mode} history: other cutoffs, and lists of {board.main_cutoff}"
    table = empty_table(title, "Model", *columns, numbers=len(columns))
    for name in board.ranked(mode):
        lists = figures[name].lists
        properties = [*(estimate.mean for estimate in lists.by_query.values()), *lists.overall.values()]
        table.add_row(
            name,
            *(f"{figures[name].metrics[metric].mean:.4f}" for metric in metrics),
            *(f"{value:.3f}" for value in properties),
        )
    return table


def weakness_table(board: "Leaderboard", mode: "HistoryMode") -> "Table":
    """Return a table with one row per model: the slices of queries where it is weakest, and its fairness gaps."""
    from nextreel.cli.terminal.console import table as empty_table

    attributes = list(board.gaps[mode])
    table = empty_table(
        f"{mode} history: where {board.main} is lowest, and best minus worst group (* is significant)",
        *("Model", "Weakest slices", *(f"Gap by {attribute}" for attribute in attributes)),
    )
    for name in board.ranked(mode):
        estimates = board.figures[mode][name].slices
        weakest = [f"{part} {estimates[part].mean:.4f}" for part in board.weakest(mode, name)]
        gaps = [board.gaps[mode][attribute][name] for attribute in attributes]
        table.add_row(
            name,
            "\n".join(weakest),
            *(f"{gap.gap}{' *' if gap.significant else ''}\n{gap.best} over {gap.worst}" for gap in gaps),
        )
    return table


def slices_table(board: "Leaderboard", mode: "HistoryMode") -> "Table":
    """Return a table of the main metric, with one row per slice of the queries and one column per model."""
    from nextreel.cli.terminal.console import table as empty_table

    names = board.ranked(mode)
    title = f"{mode} history: {board.main} by slice"
    table = empty_table(title, "Slice", "Queries", *names, numbers=len(names) + 1)
    for part, inside in board.slices[mode].items():
        means = [board.figures[mode][name].slices[part].mean for name in names]
        table.add_row(part, f"{inside.sum():,}", *(f"{mean:.4f}" for mean in means))
    return table


def _divide_metrics(board: "Leaderboard", mode: "HistoryMode") -> tuple[list[str], list[str]]:
    """Return the names of the metrics at the main cutoff, such as "NDCG@10", and of those at other cutoffs."""
    names = list(next(iter(board.figures[mode].values())).metrics)
    at_main = [name for name in names if name.partition("@")[2] == str(board.main_cutoff)]
    return at_main, [name for name in names if name not in at_main]


def _or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _parse_modes(text: str) -> list["HistoryMode"]:
    from nextreel.errors import ConfigError

    modes = list(dict.fromkeys(_split(text)))
    if not modes or any(mode not in ("frozen", "live") for mode in modes):
        raise ConfigError(f"--history {text!r}: expected frozen, live or frozen,live")
    return cast("list[HistoryMode]", modes)


def _parse_cutoffs(text: str) -> list[int]:
    from nextreel.errors import ConfigError

    try:
        return sorted({int(part) for part in _split(text)})
    except ValueError:
        raise ConfigError(f"--k {text!r}: expected whole numbers with commas, such as 5,10,20") from None
