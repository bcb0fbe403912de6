"""`nextreel evaluate`: how well does a saved model rank the queries of a test part?"""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from nextreel.cli.terminal.arguments import Device, IncludeSeen, MLflow, TiesOption
from nextreel.cli.terminal.json_output import AsJson, JsonFile, ReplaceFiles, print_json, refuse_other_json


def evaluate(
    model: Annotated[Path, typer.Argument(help="Directory of a saved model.")],
    test: Annotated[Path, typer.Argument(help="test.csv, or the directory that nextreel split wrote.")],
    history: Annotated[
        Literal["frozen", "live"],
        typer.Option(
            help="frozen: a user's history ends with what the model was fitted on. live: it holds everything "
            "before the query, earlier test rows included."
        ),
    ] = "frozen",
    ties: TiesOption = None,
    include_seen: IncludeSeen = False,
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Length of the recommendation lists.")] = 10,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Lowest rating that makes a test row a query; by default that of the split, or else the lowest "
            "positive rating of the data."
        ),
    ] = None,
    as_json: AsJson = False,
    json_file: JsonFile = None,
    force: ReplaceFiles = False,
    save: Annotated[
        bool,
        typer.Option(
            "--save",
            help="Add the figures to the saved model too, beside those of popularity, so that the server's Model page "
            "shows them. They replace earlier figures of the same protocol and test part.",
        ),
    ] = False,
    device: Device = "auto",
    mlflow: MLflow = False,
) -> None:
    """Evaluate a saved model on a test part.

    Every positive is a query. Prints NDCG, Recall and MRR with 95 % intervals.
    """
    from nextreel.artifacts import hash_file
    from nextreel.atomic_files import write_json
    from nextreel.cli.terminal.console import print_sentences, stages, stdout
    from nextreel.cli.terminal.result_tables import metrics_table
    from nextreel.data.reading.table_reader import read_interactions
    from nextreel.data.splitting.split_directory import find_test_part, read_split_rule
    from nextreel.data.splitting.split_rules import describe_rule
    from nextreel.evaluation import model_evaluation
    from nextreel.models.popularity import Popularity
    from nextreel.models.registry import model_name
    from nextreel.prediction.manifest import FittedOn
    from nextreel.prediction.saving import add_evaluation, load
    from nextreel.reporting.mlflow_tracking import log_evaluation, tracked
    from nextreel.version import __version__

    refuse_other_json(json_file, force)
    file = find_test_part(test)
    rule = read_split_rule(file.parent)
    if threshold is None and rule is not None:
        threshold = rule.threshold
    with stages("Evaluating") as show_stage:
        show_stage("loading the model")
        predictor = load(model)
        show_stage("reading the test part")
        evaluate_model = partial(
            model_evaluation.evaluate,
            train=predictor.dataset,
            test=read_interactions(file, predictor.dataset.format),
            history=history,
            k=k,
            threshold=threshold,
            exclude_seen=not include_seen,
            ties=ties,
        )
        show_stage("ranking its queries")
        evaluation = evaluate_model(predictor.model)
    name = model_name(predictor.model)
    console = stdout()
    seen = "included" if include_seen else "excluded"
    protocol = f"{history} history, {evaluation.protocol['ties']} ties, seen movies {seen}"
    if not as_json:
        console.print(metrics_table({name: evaluation}, protocol))
        print_sentences(console, evaluation.notes())
    if not (save or json_file or mlflow or as_json):
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
        **evaluation.facts(),
        "notes": evaluation.notes(),
    }
    if save:
        figures["popularity"] = evaluate_model(Popularity().fit(predictor.dataset)).facts()["metrics"]
    if as_json:
        print_json({**about, **figures})
    if json_file is not None:
        write_json({**about, **figures}, json_file)
    if save:
        add_evaluation(predictor, model, figures)
        typer.echo(f"Noted in {model}", err=as_json)
    if mlflow:
        with tracked(f"evaluate {name}"):
            log_evaluation({**about, **figures})
