"""Fitting a model in a terminal: a progress bar, a hint on how to resume, and a chart of the loss."""

import sys
from collections.abc import Sequence
from pathlib import Path

from nextreel.cli.terminal.console import progress_bar
from nextreel.data.data_format import DataFormat
from nextreel.errors import MissingExtraError
from nextreel.models.base import Recommender
from nextreel.models.registry import model_name
from nextreel.models.training.epochs import Epoch
from nextreel.models.training.replicas import RunReplicas
from nextreel.prediction.fitting import fit_and_save
from nextreel.prediction.manifest import FitFacts
from nextreel.prediction.predictor import Predictor
from nextreel.reporting.loss_curve import plot_loss
from nextreel.tasks import RunTasks


def fit_with_progress(
    model: Recommender,
    directory: Path,
    out: Path,
    resume: bool = False,
    request: DataFormat | None = None,
    force: bool = True,
    run_tasks: RunTasks | None = None,
    run_replicas: RunReplicas | None = None,
) -> tuple[Predictor, FitFacts]:
    """Fit a model on a data directory and save it to `out`, as `fit_and_save` does, with a progress bar.

    Without `force`, a saved model of another kind, or one that was fitted on other data, isn't replaced. `run_tasks`
    and `run_replicas` say where blocks of the fit are computed and where networks learn, by default in this process.
    """
    epochs: list[Epoch] = []
    with progress_bar(f"Fitting {model_name(model)}") as (progress, task):

        def show_step(done: int, total: int, loss: float) -> None:
            note = f"epoch {len(epochs) + 1}, loss {loss:.4f}{_describe_validation(epochs)}"
            progress.update(task, completed=done, total=total, note=note)

        def explain_resume() -> None:
            hint = "the same command with --resume continues the fit"
            print(f"Stopped after epoch {len(epochs)}: {hint}.", file=sys.stderr)

        return fit_and_save(
            model,
            directory,
            out,
            resume,
            replace_other=force,
            on_stage=lambda stage: progress.update(task, note=stage, refresh=True),
            request=request,
            on_step=show_step,
            on_epoch=epochs.append,
            on_interrupt=explain_resume,
            add_files=_plot_loss,
            run_tasks=run_tasks,
            run_replicas=run_replicas,
        )


def _describe_validation(epochs: Sequence[Epoch]) -> str:
    """Return the validation result of the last epoch, such as "; validation NDCG@10 0.1234"; empty if there is none."""
    if not epochs:
        return ""
    ndcg, loss = epochs[-1].validation_ndcg, epochs[-1].validation_loss
    if ndcg is not None:
        return f"; validation NDCG@10 {ndcg:.4f}"
    return f"; validation loss {loss:.4f}" if loss is not None else ""


def _plot_loss(epochs: Sequence[Epoch], directory: Path) -> None:
    try:
        plot_loss(epochs, directory)
    except MissingExtraError as error:
        (directory / "loss.txt").write_text(f"No picture of the loss: {error}\n", encoding="utf-8")
