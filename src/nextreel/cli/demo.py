"""`nextreel demo`: a tour of the main commands, from data to ten recommendations."""

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
) -> None:
    """Take a tour of the main commands, on generated data or your own.

    Check the data, split them, fit a model, compare it with popularity, and recommend ten movies. Every step shows
    the command that does the same.
    """
    from nextreel.cli.check import check
    from nextreel.cli.fit import fit
    from nextreel.cli.sample import sample
    from nextreel.cli.split import split
    from nextreel.cli.terminal.console import stdout
    from nextreel.cli.terminal.recommendation_report import RecommendationReport
    from nextreel.cli.terminal.result_tables import metrics_table
    from nextreel.data.reading.table_reader import read_interactions
    from nextreel.evaluation.model_evaluation import evaluate
    from nextreel.prediction.saving import load

    console = stdout()

    def show_command(command: str) -> None:
        console.print(f"\n[bold cyan]$ nextreel {command}[/bold cyan]")

    directory, parts, saved = data or out / "data", out / "split", out / "model"
    if data is None:
        show_command(f"sample {directory}")
        sample(directory)
    show_command(f"check {directory}")
    check(directory)
    show_command(f"split {directory} {parts}")
    split(directory, parts)
    show_command(f"fit {parts} --out {saved}")
    fit(parts, saved)
    show_command(f"fit {parts} --out {out / BASELINE} --model {BASELINE}")
    fit(parts, out / BASELINE, BASELINE)

    show_command(f"evaluate {saved} {parts}")
    test, best = read_interactions(parts / "test.csv"), load(saved)
    predictors = {BASELINE: load(out / BASELINE), DEFAULT_MODEL: best}
    results = {name: evaluate(fitted.model, fitted.dataset, test) for name, fitted in predictors.items()}
    console.print(metrics_table(results, "frozen history, seen movies excluded"))
    if data is None:
        console.print("The data are generated: these figures say nothing about real viewers.")

    queries = results[DEFAULT_MODEL].queries
    query = queries.row(len(queries) // 2, named=True)
    user, timestamp = query["UserID"], query["Timestamp"]
    show_command(f"recommend {saved} --user {user} --at {timestamp}")
    report = RecommendationReport.of(best, user, timestamp, k=10, exclude_seen=True)
    console.print(report.to_table())
    console.print(
        "\n[bold]Next[/bold]\n"
        "  your own data      nextreel check DIR, with ratings_train.csv (and users.csv, movies.csv) in DIR\n"
        "  the real MovieLens nextreel download ml-1m ml-1m && nextreel demo --data ml-1m --out demo-ml-1m\n"
        f"  another user       nextreel recommend {saved} --user 7 --at now\n"
        f"  a web page and API pip install '.\\[serve]' && nextreel serve {saved}"
    )
