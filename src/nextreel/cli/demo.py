"""`nextreel demo`: the whole way once, from data to ten recommendations."""

from pathlib import Path
from typing import Annotated

import typer

from nextreel.models.registry import DEFAULT_MODEL

BASELINE = "popularity"


def demo(
    data: Annotated[
        Path | None, typer.Option(help="Your own data directory instead of the synthetic sample.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Directory for all that the demo writes.")] = Path(
        "demo"
    ),
) -> None:
    """Go the whole way once, on invented data or your own.

    Check the data, split them, fit a model, measure it beside popularity, and recommend ten movies. Each step
    shows the command that does the same.
    """
    from nextreel.cli.check import check
    from nextreel.cli.fit import fit
    from nextreel.cli.sample import sample
    from nextreel.cli.split import split
    from nextreel.cli.terminal.console import stdout
    from nextreel.cli.terminal.result_tables import answer, answer_table, metrics_table
    from nextreel.data.reading.table_reader import read_interactions
    from nextreel.evaluation.model_evaluation import evaluate
    from nextreel.prediction.saving import load

    console = stdout()

    def step(command: str) -> None:
        console.print(f"\n[bold cyan]$ nextreel {command}[/bold cyan]")

    directory, parts, saved = data or out / "data", out / "split", out / "model"
    if data is None:
        step(f"sample {directory}")
        sample(directory)
    step(f"check {directory}")
    check(directory)
    step(f"split {directory} {parts}")
    split(directory, parts)
    step(f"fit {parts} --out {saved}")
    fit(parts, saved)
    step(f"fit {parts} --out {out / BASELINE} --model {BASELINE}")
    fit(parts, out / BASELINE, BASELINE)

    step(f"evaluate {saved} {parts}")
    test, predictor = read_interactions(parts / "test.csv"), load(saved)
    compared = {BASELINE: load(out / BASELINE), DEFAULT_MODEL: predictor}
    results = {name: evaluate(each.model, each.dataset, test) for name, each in compared.items()}
    console.print(metrics_table(results, "frozen history, seen movies excluded"))
    if data is None:
        console.print("The sample is synthetic: these figures say nothing about real viewers.")

    asked = results[DEFAULT_MODEL].queries.row(len(results[DEFAULT_MODEL].queries) // 2, named=True)
    user, moment = asked["UserID"], asked["Timestamp"]
    step(f"recommend {saved} --user {user} --at {moment}")
    console.print(answer_table(answer(predictor, user, moment, 10, True)))
    console.print(
        "\n[bold]Next[/bold]\n"
        "  your own data      nextreel check DIR, with ratings_train.csv (and users.csv, movies.csv) in DIR\n"
        "  the real MovieLens nextreel download ml-1m ml-1m && nextreel demo --data ml-1m --out demo-ml-1m\n"
        f"  someone else       nextreel recommend {saved} --user 7 --at now\n"
        f"  a page and an API  pip install '.\\[serve]' && nextreel serve {saved}"
    )
