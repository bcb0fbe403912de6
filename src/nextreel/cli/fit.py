"""`nextreel fit`: learn a model and save it."""

from pathlib import Path
from typing import Annotated

import typer

from nextreel.cli.terminal.arguments import MLflow
from nextreel.models.registry import DEFAULT_MODEL, PRESETS, model_names


def fit(
    directory: Annotated[
        Path, typer.Argument(help="Data directory: your own, or one that nextreel split wrote.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Directory of the saved model.")] = Path("model"),
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help=f"{', '.join(PRESETS)}, or a model by name: {', '.join(model_names())}.",
            show_default=DEFAULT_MODEL,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="TOML file with a model and its options, such as nextreel tune writes; --set wins over it."
        ),
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option("--set", help="An option of the model, such as --set epochs=5; repeatable."),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            help="Time that the model may learn, such as 90s, 30m or 2h; for a model with the option minutes, such as "
            "transformer and blend."
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a fit that was stopped.")] = False,
    mlflow: MLflow = False,
) -> None:
    """Learn a model and save it.

    It learns from all ratings of the directory and is saved with its catalog and the histories. A test.csv in
    the directory is only used for the validation loss of funk-svd; networks hold users of the training part out.
    """
    from nextreel.cli.terminal.console import stdout
    from nextreel.cli.terminal.fit_progress import add_config, fit_and_save, parse_budget, parse_options
    from nextreel.models.registry import model_name
    from nextreel.reporting.mlflow_tracking import log_fit, tracked
    from nextreel.wording import number_of

    chosen = parse_options(options or [])
    if config is not None:
        model, chosen = add_config(config, model, chosen)
    model = model or DEFAULT_MODEL
    if budget is not None:
        chosen["minutes"] = parse_budget(budget, model)
    with tracked(f"fit {model}", mlflow):
        predictor, facts = fit_and_save(directory, out, model, chosen, resume)
        if mlflow:
            log_fit(out)
    console = stdout()
    name, dataset = model_name(predictor.model), predictor.dataset
    console.print(
        f"{name} learned from {number_of(len(dataset.timeline), 'interaction')} of "
        f"{number_of(dataset.n_users, 'user')} "
        f"in {facts['fit_seconds']:.1f} s. Saved to {out}"
    )
    if "best_epoch" in facts:
        console.print(
            f"Epoch {facts['best_epoch']:.0f} was kept: NDCG@10 {facts['validation_ndcg']:.4f} "
            "on users held out of the training."
        )
