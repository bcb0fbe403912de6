"""`nextreel compare`: which model is better, for whom, and at what cost?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from nextreel.cli.terminal.arguments import IncludeSeen, MLflow, RuleOfSplit, parse_options
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
            help=f"Models, separated by commas: {', '.join(PRESETS)}, {', '.join(model_names())}. NAME=MODEL gives one "
            "another name, so that it can stand twice with different options. NAME=PATH is a model fitted on the train "
            "part and saved, or another recommender's answers: a CSV or Parquet file of UserID, Timestamp, MovieID1 to "
            "MovieIDk.",
        ),
    ] = "popularity,item-knn,ease",
    rule: RuleOfSplit = None,
    history: Annotated[
        str,
        typer.Option(
            help="frozen: a user's history ends with the train part. live: it holds everything strictly before the "
            "query. Or both, with a comma."
        ),
    ] = "frozen,live",
    k: Annotated[
        str,
        typer.Option(
            "--k",
            "-k",
            help="Cutoffs. Tests, slices and lists are of 10 if it is one of them, else the largest.",
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
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write all figures to this JSON file too.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Write the whole comparison to this HTML file too: one file with plots, slices, example lists and a "
            "card for each model, for readers who weren't there."
        ),
    ] = None,
    mlflow: MLflow = False,
) -> None:
    """Fit several models on one split and compare them.

    Each positive of the test part is a query. Figures have 95 % intervals by a bootstrap over users; differences
    between models are tested in pairs, with Holm's correction for their number. Each model runs in a process of
    its own.
    """
    import json

    from nextreel.atomic_files import replacing
    from nextreel.cli.terminal.console import progress_bar, stdout
    from nextreel.evaluation.comparison.contestants import name_contestants
    from nextreel.evaluation.comparison.leaderboard import compare_models
    from nextreel.reporting.mlflow_tracking import log_leaderboard, tracked

    if report is not None:
        from nextreel.reporting.html_report import require_extras, write_report

        require_extras()
    contestants = name_contestants(_split(models), parse_options(options or []))
    histories, cutoffs = _parse_histories(history), _parse_cutoffs(k)
    with tracked("compare", mlflow), progress_bar("Comparing") as (progress, task):
        board = compare_models(
            directory,
            contestants,
            rule,
            histories,
            cutoffs,
            not include_seen,
            lambda done, name: progress.update(task, completed=done, total=len(contestants) + 1, note=name),
        )
        if mlflow:
            log_leaderboard(board)
    console = stdout()
    for each in histories:
        for made in (accuracy_table(board, each), lists_table(board, each), weakness_table(board, each)):
            console.print(made)
        if slices:
            console.print(slices_table(board, each))
    for sentence in (*board.sentences(), *_say_gaps(board)):
        console.print(sentence, soft_wrap=True)
    if json_file is not None:
        with replacing(json_file) as temporary:
            temporary.write_text(json.dumps(board.facts(), indent=2) + "\n", encoding="utf-8")
    if report is not None:
        write_report(board, directory.resolve().name, report)


def accuracy_table(board: "Leaderboard", history: "HistoryMode") -> "Table":
    """One row a model, best first: metrics at the main cutoff with their intervals, and costs."""
    from nextreel.cli.terminal.console import table
    from nextreel.wording import number_of

    figures = board.figures[history]
    shown = [
        name for name in next(iter(figures.values())).metrics if name.partition("@")[2] == _main_k(board)
    ]
    seen = "excluded" if board.protocol["exclude_seen"] else "included"
    title = f"{history} history, {number_of(len(board.users), 'query', 'queries')}, seen movies {seen}; 95 % intervals"
    made = table(title, "Model", *shown, "Fit", "Queries/s", "Peak memory", numbers=len(shown) + 3)
    for name in board.ranked(history):
        answers = board.answers[name]
        made.add_row(
            name,
            *(str(figures[name].metrics[metric]) for metric in shown),
            _or_dash(answers.fit_seconds, "{:,.1f} s"),
            _or_dash(answers.lists[history].rate, "{:,.0f}"),
            _or_dash(answers.peak_memory_gib, "{:.2f} GiB"),
        )
    return made


def lists_table(board: "Leaderboard", history: "HistoryMode") -> "Table":
    """One row a model: metrics at the other cutoffs, and what its lists are like."""
    from nextreel.cli.terminal.console import table

    figures = board.figures[history]
    first = next(iter(figures.values()))
    others = [name for name in first.metrics if name.partition("@")[2] != _main_k(board)]
    of_lists = [*first.lists.by_query, *first.lists.overall]
    title = f"{history} history: other cutoffs, and lists of {_main_k(board)}"
    columns = [*others, *(name.capitalize() for name in of_lists)]
    made = table(title, "Model", *columns, numbers=len(columns))
    for name in board.ranked(history):
        lists = figures[name].lists
        values = [
            *(figures[name].metrics[metric].mean for metric in others),
            *(estimate.mean for estimate in lists.by_query.values()),
            *lists.overall.values(),
        ]
        made.add_row(
            name, *(f"{value:.4f}" if n < len(others) else f"{value:.3f}" for n, value in enumerate(values))
        )
    return made


def weakness_table(board: "Leaderboard", history: "HistoryMode") -> "Table":
    """One row a model: the slices it is weakest in, and the gaps between groups of users."""
    from nextreel.cli.terminal.console import table

    attributes = list(board.gaps[history])
    title = f"{history} history: where {board.main} is lowest, and best minus worst group (* is real)"
    made = table(title, "Model", "Weakest slices", *(f"Gap by {attribute}" for attribute in attributes))
    for name in board.ranked(history):
        figures = board.figures[history][name].slices
        weakest = [f"{part} {figures[part].mean:.4f}" for part in board.weakest(history, name)]
        gaps = [board.gaps[history][attribute][name] for attribute in attributes]
        made.add_row(
            name,
            "\n".join(weakest),
            *(f"{gap.gap}{' *' if gap.significant else ''}\n{gap.best} over {gap.worst}" for gap in gaps),
        )
    return made


def slices_table(board: "Leaderboard", history: "HistoryMode") -> "Table":
    """One row a slice, one column a model."""
    from nextreel.cli.terminal.console import table

    names = board.ranked(history)
    made = table(
        f"{history} history: {board.main} by slice", "Slice", "Queries", *names, numbers=len(names) + 1
    )
    for part, inside in board.slices[history].items():
        figures = [board.figures[history][name].slices[part].mean for name in names]
        made.add_row(part, f"{inside.sum():,}", *(f"{figure:.4f}" for figure in figures))
    return made


def _say_gaps(board: "Leaderboard") -> list[str]:
    sentences = []
    for history, by_attribute in board.gaps.items():
        for attribute, models in by_attribute.items():
            real = [name for name, gap in models.items() if gap.significant]
            if real:
                sentences.append(
                    f"By {attribute}, {history} history, groups of users are really served unequally by "
                    f"{', '.join(real)}."
                )
    if board.gaps and not sentences:
        sentences.append("No difference between groups of users is larger than chance makes it.")
    return sentences


def _or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def _main_k(board: "Leaderboard") -> str:
    return board.main.partition("@")[2]


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _parse_histories(text: str) -> list["HistoryMode"]:
    from nextreel.errors import ConfigError

    found = list(dict.fromkeys(_split(text)))
    wrong = [name for name in found if name not in ("frozen", "live")]
    if wrong or not found:
        raise ConfigError(f"--history {text!r}: expected frozen, live or frozen,live")
    return cast("list[HistoryMode]", found)


def _parse_cutoffs(text: str) -> list[int]:
    from nextreel.errors import ConfigError

    try:
        found = sorted({int(part) for part in _split(text)})
    except ValueError:
        raise ConfigError(f"--k {text!r}: expected whole numbers with commas, such as 5,10,20") from None
    return found
