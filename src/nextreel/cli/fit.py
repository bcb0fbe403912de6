"""`nextreel fit`: fit a model and save it."""

from pathlib import Path
from typing import Annotated

import typer

from nextreel.cli.terminal.arguments import (
    Columns,
    Device,
    LikedFrom,
    MLflow,
    On,
    add_config,
    complete_model,
    parse_budget,
    parse_options,
)
from nextreel.models.registry import DEFAULT_MODEL, PRESETS, model_names


def fit(
    directory: Annotated[
        Path,
        typer.Argument(
            help="Data directory, a file of interactions, or a directory that nextreel split wrote."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Directory of the saved model.")] = Path("model"),
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            autocompletion=complete_model,
            help=f"{', '.join(PRESETS)}, or a model by name: {', '.join(model_names())}.",
            show_default=DEFAULT_MODEL,
        ),
    ] = None,
    columns: Columns = None,
    liked_from: LikedFrom = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="TOML file with a model and its options, such as nextreel tune writes; --set overrides its options."
        ),
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option("--set", help="Option of the model, such as --set epochs=5; may be repeated."),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            help="Time that the model may learn, such as 90s, 30m or 2h; for a model with the option minutes, such as "
            "transformer and blend."
        ),
    ] = None,
    device: Device = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Continue a fit that was interrupted.")] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Replace a saved model in --out even if it is another model or was fitted on other data.",
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Only read the data and say about how long the fit would take, and how much memory.",
        ),
    ] = False,
    mlflow: MLflow = False,
    on: On = "local",
) -> None:
    """Fit a model and save it.

    The model is fitted on all ratings of the directory, except those in a test.csv, and saved with the catalog and
    the users' histories. A test.csv is only used for the validation loss of funk-svd; neural networks hold out some
    users of the train part for validation.
    """
    from nextreel.cli.terminal.console import stdout
    from nextreel.cli.terminal.fit_progress import fit_with_progress
    from nextreel.data.data_format import DataFormat
    from nextreel.models.registry import create_model, model_name
    from nextreel.reporting.mlflow_tracking import log_fit, tracked
    from nextreel.scale.ray_fits import require_fit_by_tasks
    from nextreel.scale.ray_replicas import RayReplicas
    from nextreel.scale.ray_tasks import prepare_place, tasks_at
    from nextreel.wording import number_of

    model_options = parse_options(options or [])
    if config is not None:
        model, model_options = add_config(config, model, model_options)
    model = model or DEFAULT_MODEL
    if budget is not None:
        model_options["minutes"] = parse_budget(budget, model)
    unfitted = create_model(model, model_options)
    if dry_run:
        from nextreel.cli.terminal.fit_estimate import describe_fit
        from nextreel.data.dataset import Dataset
        from nextreel.data.reading.table_reader import read_tables

        tables = read_tables(directory, DataFormat.parse(columns, liked_from))
        console = stdout()
        estimate = describe_fit(unfitted, Dataset.from_tables(tables))
        console.print(estimate, soft_wrap=not console.is_terminal)
        return
    if on != "local":
        require_fit_by_tasks(unfitted)
    prepare_place(on)
    with tracked(f"fit {model}", mlflow), tasks_at(on) as run_tasks:
        predictor, facts = fit_with_progress(
            unfitted,
            directory,
            out,
            resume,
            DataFormat.parse(columns, liked_from),
            force=force,
            run_tasks=run_tasks,
            run_replicas=RayReplicas(run_tasks.ray) if run_tasks is not None else None,
        )
        if mlflow:
            log_fit(out)
    console = stdout()
    name, dataset = model_name(predictor.model), predictor.dataset
    console.print(
        f"{name} learned from {number_of(len(dataset.timeline), 'interaction')} of "
        f"{number_of(dataset.n_users, 'user')} "
        f"in {facts.fit_seconds:.1f} s. Saved to {out}",
        soft_wrap=not console.is_terminal,
    )
    if facts.best_epoch is not None:
        console.print(
            f"Epoch {facts.best_epoch} was kept: NDCG@10 {facts.validation_ndcg:.4f} on users held out of training."
        )
