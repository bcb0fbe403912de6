"""`nextreel fit`: learn a model and save it."""

from pathlib import Path
from typing import Annotated

import typer

from nextreel.models.names import DEFAULT_MODEL, MODELS, PRESETS


def fit(
    directory: Annotated[
        Path, typer.Argument(help="Data directory: your own, or one that nextreel split wrote.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Directory of the saved model.")] = Path("model"),
    model: Annotated[
        str,
        typer.Option("--model", "-m", help=f"{', '.join(PRESETS)}, or a model by name: {', '.join(MODELS)}."),
    ] = DEFAULT_MODEL,
    options: Annotated[
        list[str] | None,
        typer.Option("--set", help="An option of the model, such as --set epochs=5; repeatable."),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            help="Time that the fit may take, such as 90s, 30m or 2h; for models that learn in epochs."
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a fit that was stopped.")] = False,
) -> None:
    """Learn a model and save it.

    It learns from all ratings of the directory and is saved with its catalog and the histories. A test.csv in
    the directory is only used for the validation loss of funk-svd; networks hold users of the training part out.
    """
    from nextreel.cli.console import stdout
    from nextreel.cli.fitting import fit_and_save, parse_budget, parse_options
    from nextreel.models.registry import model_name

    chosen = parse_options(options or [])
    if budget is not None:
        chosen["minutes"] = parse_budget(budget)
    predictor, facts = fit_and_save(directory, out, model, chosen, resume)
    console = stdout()
    name, dataset = model_name(predictor.model), predictor.dataset
    console.print(
        f"{name} learned from {len(dataset.timeline):,} interactions of {dataset.n_users:,} users "
        f"in {facts['fit_seconds']:.1f} s. Saved to {out}"
    )
    if "best_epoch" in facts:
        console.print(
            f"Epoch {facts['best_epoch']:.0f} was kept: NDCG@10 {facts['validation_ndcg']:.4f} "
            "on users held out of the training."
        )
