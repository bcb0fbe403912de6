"""`nextreel evaluate`: how good are a model's answers on a test part?"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from nextreel.cli.terminal.arguments import IncludeSeen, MLflow


def evaluate(
    model: Annotated[Path, typer.Argument(help="Directory of a saved model.")],
    test: Annotated[Path, typer.Argument(help="test.csv, or the directory that nextreel split wrote.")],
    history: Annotated[
        Literal["frozen", "live"],
        typer.Option(
            help="frozen: a user's history ends with what the model was fitted on. live: it holds everything "
            "strictly before the query, earlier test rows included."
        ),
    ] = "frozen",
    include_seen: IncludeSeen = False,
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Length of the lists.")] = 10,
    threshold: Annotated[
        float | None, typer.Option(help="Rating from which on a row is a query (the split's own, or 4).")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures to this JSON file too.")
    ] = None,
    save: Annotated[
        bool,
        typer.Option(
            "--save",
            help="Note the figures in the saved model too: the server's Model page shows them. They replace those "
            "of the same protocol and test part.",
        ),
    ] = False,
    mlflow: MLflow = False,
) -> None:
    """Measure a model on a test part.

    Each positive is a query: NDCG, Recall and MRR, with 95 % intervals.
    """
    from nextreel.artifacts import hash_file
    from nextreel.atomic_files import write_json
    from nextreel.cli.terminal.console import stdout
    from nextreel.cli.terminal.result_tables import metrics_table
    from nextreel.data.reading.table_reader import read_interactions
    from nextreel.data.splitting.split_directory import find_test_part, read_split_rule
    from nextreel.data.splitting.split_rules import describe_rule
    from nextreel.evaluation.model_evaluation import evaluate as ask
    from nextreel.models.registry import model_name
    from nextreel.prediction.manifest import FittedOn
    from nextreel.prediction.saving import add_evaluation, load
    from nextreel.reporting.mlflow_tracking import log_evaluation, tracked
    from nextreel.version import __version__

    file = find_test_part(test)
    rule = read_split_rule(file.parent)
    if threshold is None and rule is not None:
        threshold = rule.threshold
    predictor = load(model)
    rows = read_interactions(file)
    result = ask(predictor.model, predictor.dataset, rows, history, k, threshold, not include_seen)
    name = model_name(predictor.model)
    console = stdout()
    console.print(
        metrics_table(
            {name: result}, f"{history} history, seen movies {'included' if include_seen else 'excluded'}"
        )
    )
    for note in result.notes():
        console.print(note)
    if not (save or json_file or mlflow):
        return
    about = {
        "model": name,
        "config": predictor.model.config.model_dump(mode="json"),
        "fitted_on": FittedOn.of(predictor.dataset).model_dump(by_alias=True),
    }
    figures = {
        "nextreel": __version__,
        "split": describe_rule(rule),
        "test": {"file": file.name, "sha256": hash_file(file)},
        **result.facts(),
        "notes": result.notes(),
    }
    if json_file is not None:
        write_json({**about, **figures}, json_file)
    if save:
        add_evaluation(predictor, model, figures)
        console.print(f"Noted in {model}", soft_wrap=True, markup=False)
    if mlflow:
        with tracked(f"evaluate {name}"):
            log_evaluation({**about, **figures})
