"""`nextreel demo`: a tour of the main commands, from data to ten recommendations."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from nextreel.models.registry import DEFAULT_MODEL

BASELINE = "popularity"


def demo(
    data: Annotated[
        Path | None, typer.Option(help="Your own data directory instead of the synthetic sample.")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Directory for everything that the demo writes.")
    ] = Path("demo"),
    force: Annotated[
        bool, typer.Option("--force", help="Replace the results of a demo on other data.")
    ] = False,
) -> None:
    """Take a tour of the main commands, on generated data or your own.

    Check the data, split them, fit a model, compare it with popularity, and recommend ten movies. Every step shows
    the command that does the same.
    """
    from nextreel.cli.check import check
    from nextreel.cli.fit import fit
    from nextreel.cli.sample import sample
    from nextreel.cli.split import split
    from nextreel.cli.terminal.console import stages, stdout
    from nextreel.cli.terminal.program_name import next_command, python_name
    from nextreel.cli.terminal.recommendation_report import RecommendationReport
    from nextreel.cli.terminal.result_tables import metrics_table
    from nextreel.data.reading.table_reader import read_interactions
    from nextreel.evaluation.model_evaluation import evaluate
    from nextreel.prediction.saving import load

    console = stdout()

    def show_command(*arguments: object) -> None:
        console.print(f"\n$ {next_command(*arguments)}", style="bold cyan", soft_wrap=True)

    directory, parts, saved = data or out / "data", out / "split", out / "model"
    if data is None:
        show_command("sample", directory)
        sample(directory, force=force)
    show_command("check", directory)
    check(directory)
    show_command("split", directory, parts)
    split(directory, parts, force=force)
    show_command("fit", parts, "--out", saved)
    fit(parts, saved, force=force)
    show_command("fit", parts, "--out", out / BASELINE, "--model", BASELINE)
    fit(parts, out / BASELINE, BASELINE, force=force)

    show_command("evaluate", saved, parts)
    test, best = read_interactions(parts / "test.csv"), load(saved)
    predictors = {BASELINE: load(out / BASELINE), DEFAULT_MODEL: best}
    results = {}
    for name, fitted in predictors.items():
        with stages("Evaluating") as show_stage:
            show_stage(name)
            results[name] = evaluate(fitted.model, fitted.dataset, test)
    console.print(metrics_table(results, "frozen history, seen movies excluded"))
    if data is None:
        console.print("The data are generated: these figures say nothing about real viewers.")

    queries = results[DEFAULT_MODEL].queries
    query = queries.row(len(queries) // 2, named=True)
    user, timestamp = query["UserID"], query["Timestamp"]
    show_command("recommend", saved, "--user", user, "--at", timestamp)
    report = RecommendationReport.of(best, user, timestamp, k=10, exclude_seen=True)
    console.print(report.to_table())
    console.print("\nNext", style="bold")
    another = queries["UserID"][-1]
    get = ("download", "ml-1m", "ml-1m")
    try_it = ("demo", "--data", "ml-1m", "--out", "demo-ml-1m")
    is_served = find_spec("fastapi") is not None
    install = "" if is_served else f"{python_name()} -m pip install '.[serve]' && "
    for what, command in (
        ("your own data", next_command("check", "FILE.csv")),
        ("real MovieLens", f"{next_command(*get)} && {next_command(*try_it)}"),
        ("another user", next_command("recommend", saved, "--user", another, "--at", "now")),
        ("a page and an API", f"{install}{next_command('serve', saved)}"),
    ):
        console.print(f"  {what:<18} {command}", soft_wrap=True)
