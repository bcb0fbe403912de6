"""Fitting with everything a person at a terminal expects: a bar, a checkpoint, a curve, a saved model."""

import json
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from nextreel.artifacts import MANIFEST
from nextreel.cli.terminal.console import progress_bar
from nextreel.data.dataset import Dataset
from nextreel.data.reading.table_reader import read_dataset, read_interactions
from nextreel.data.splitting.split_directory import read_split_rule
from nextreel.data.times import parse_duration
from nextreel.errors import ArtifactError, ConfigError, MissingExtraError
from nextreel.models.registry import PRESETS, create_model, model_class, model_name, read_toml
from nextreel.models.training.epochs import Epoch, Training, best_epoch, write_epochs
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import save
from nextreel.reporting.loss_curve import plot_loss


def parse_options(pairs: Sequence[str]) -> dict[str, object]:
    """Options as written on the command line: name=value, the value a JSON number, true, null or plain text."""
    options: dict[str, object] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not (name and equals):
            raise ConfigError(f"--set {pair!r} isn't of the form name=value")
        model, dot, option = name.rpartition(".")
        name = model + dot + option.replace("-", "_")
        try:
            options[name] = json.loads(text)
        except ValueError:
            options[name] = text
    return options


def add_config(file: Path, model: str | None, options: dict[str, object]) -> tuple[str, dict[str, object]]:
    """A file's model and options, with what the command line says: its options win, another model is an error."""
    named, written = read_toml(file)
    if model is not None and model_class(model) is not model_class(named):
        raise ConfigError(f"{file} has options of {named}, --model names {model}: leave one of them out")
    return named, {**written, **options}


def parse_budget(text: str, model: str) -> float:
    """Minutes of a duration such as "90s", "30m" or "2h"; ConfigError for a model that takes no budget."""
    if "minutes" not in model_class(model).Config.model_fields:
        raise ConfigError(
            f"{PRESETS.get(model, model)} has no time budget: leave --budget out, it is for a model with the option "
            "minutes, such as transformer and blend"
        )
    return parse_duration(text, "--budget") / 60


def fit_and_save(
    directory: Path, out: Path, name: str, options: dict[str, object], resume: bool = False
) -> tuple[Predictor, dict[str, float]]:
    """Fit a model by name and save it to `out`; returns it with facts on the fit."""
    if out.exists() and not (out / MANIFEST).is_file():
        raise ArtifactError(f"{out} exists and isn't a saved model; name another directory with --out")
    model = create_model(name, options)
    dataset, split = read_dataset(directory), read_split_rule(directory)
    checkpoint = out.with_name(f"{out.name}.checkpoint")
    epochs: list[Epoch] = []
    with progress_bar(f"Fitting {model_name(model)}") as (progress, task):

        def on_step(done: int, total: int, loss: float) -> None:
            note = f"epoch {len(epochs) + 1}, loss {loss:.4f}{_reached(epochs)}"
            progress.update(task, completed=done, total=total, note=note)

        training = Training(
            validation=_validation(directory, dataset),
            checkpoint=checkpoint,
            resume=resume,
            on_step=on_step,
            on_epoch=epochs.append,
        )
        started = time.perf_counter()
        try:
            model.fit(dataset, training)
        except KeyboardInterrupt:
            if checkpoint.exists():
                print(
                    f"Stopped after epoch {len(epochs)}. The same command with --resume goes on.",
                    file=sys.stderr,
                )
            raise
        facts = {"fit_seconds": round(time.perf_counter() - started, 3), **_best(epochs)}
    predictor = Predictor(model, dataset)
    save(predictor, out, {"split": split, "fit": facts}, lambda target: _write_curve(epochs, target))
    shutil.rmtree(checkpoint, ignore_errors=True)
    return predictor, facts


def _reached(epochs: Sequence[Epoch]) -> str:
    """What the validation said after the last epoch, as an addition to a line."""
    if not epochs:
        return ""
    ndcg, loss = epochs[-1].validation_ndcg, epochs[-1].validation_loss
    if ndcg is not None:
        return f"; validation NDCG@10 {ndcg:.4f}"
    return f"; validation loss {loss:.4f}" if loss is not None else ""


def _best(epochs: list[Epoch]) -> dict[str, float]:
    """The epoch that was kept and its figure, of a model that chooses one."""
    if not epochs or epochs[-1].validation_ndcg is None:
        return {}
    number = best_epoch(epochs)
    return {"best_epoch": number, "validation_ndcg": round(epochs[number - 1].validation_ndcg or 0.0, 6)}


def _validation(directory: Path, dataset: Dataset) -> Dataset | None:
    file = directory / "test.csv"
    return dataset.with_interactions(read_interactions(file)) if file.is_file() else None


def _write_curve(epochs: list[Epoch], directory: Path) -> None:
    if not epochs:
        return
    write_epochs(epochs, directory)
    try:
        plot_loss(epochs, directory)
    except MissingExtraError as error:
        (directory / "loss.txt").write_text(f"No picture of the loss: {error}\n", encoding="utf-8")
