"""Fitting a model: on a dataset in memory, or from a data directory to a saved model."""

import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from nextreel.artifacts import MANIFEST
from nextreel.data.data_format import DataFormat
from nextreel.data.dataset import Dataset, require_dataset
from nextreel.data.reading.table_reader import read_interactions, read_tables
from nextreel.data.splitting.split_directory import read_split_rule
from nextreel.data.splitting.split_rules import describe_rule
from nextreel.errors import ArtifactError
from nextreel.models.base import Recommender
from nextreel.models.registry import DEFAULT_MODEL, create_model, model_name
from nextreel.models.training.epochs import Epoch, Training, best_epoch, write_epochs
from nextreel.models.training.replicas import RunReplicas
from nextreel.prediction.data_origin import read_origin
from nextreel.prediction.manifest import FitFacts, ModelManifest
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import save
from nextreel.tasks import RunTasks
from nextreel.wording import number_of


def fit(dataset: Dataset, model: str = DEFAULT_MODEL, **options: object) -> Predictor:
    """Fit a model by name on a dataset.

    Parameters
    ----------
    dataset : Dataset
        The interactions to learn from; the predictor takes the users' histories from them, too.
    model : str
        Name of a model or a preset.
    **options
        Options of the model's config.

    Raises
    ------
    DataError
        `dataset` is no Dataset.
    ConfigError
        There is no such model, or an option is unknown or out of range.
    TooLargeError
        The fit would need more memory than there is.
    """
    require_dataset(dataset)
    return Predictor(create_model(model, options).require_memory(dataset).fit(dataset), dataset)


def fit_and_save(
    model: Recommender,
    directory: Path,
    out: Path,
    resume: bool = False,
    *,
    replace_other: bool = True,
    on_stage: Callable[[str], None] = lambda stage: None,
    request: DataFormat | None = None,
    on_step: Callable[[int, int, float], None] = lambda done, total, loss: None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    on_interrupt: Callable[[], None] = lambda: None,
    add_files: Callable[[Sequence[Epoch], Path], None] = lambda epochs, target: None,
    run_tasks: RunTasks | None = None,
    run_replicas: RunReplicas | None = None,
) -> tuple[Predictor, FitFacts]:
    """Fit a model on a data directory and save it to `out`.

    Parameters
    ----------
    model : Recommender
        The model to fit.
    directory : Path
        Data directory. If it holds a test.csv, the validation loss of models that have one is computed on it.
    out : Path
        Directory of the saved model; the checkpoints of the fit are kept beside it until it is saved.
    resume : bool
        Continue from the checkpoint of an interrupted fit.
    replace_other : bool
        Whether a saved model of another kind, or one that was fitted on other data, may be replaced.
    on_stage
        Called with what is done next: reading the data, learning, or saving.
    request : DataFormat, optional
        What the caller says of the format of the data: names of columns, and from where on a rating counts as liked.
    on_step, on_epoch
        Called during the fit, as `Training` describes.
    on_interrupt
        Called if the user interrupts the fit and a checkpoint was kept.
    add_files
        Called with the records of the training epochs, if there are any, and the directory of the saved model, to add
        files to it.
    run_tasks : RunTasks, optional
        Where the blocks of a model that `fits_by_tasks` are computed. This process reads the data anyway, since a saved
        model holds the interactions, so tasks get what they need from here and read no files.
    run_replicas : RunReplicas, optional
        Where several processes learn a network together.

    Returns
    -------
    The fitted predictor, and the facts on the fit that its manifest holds.

    Raises
    ------
    ArtifactError
        `out` exists and isn't a saved model, or holds one that may not be replaced.
    DataError
        The data directory can't be read.
    TooLargeError
        The fit would need more memory than there is.
    """
    if out.exists() and not (out / MANIFEST).is_file():
        raise ArtifactError(
            f"{out} exists and isn't a saved model; expected a new directory or a saved model to replace"
        )
    on_stage("reading data")
    dataset = Dataset.from_tables(read_tables(directory, request))
    split = describe_rule(read_split_rule(directory))
    if not replace_other and out.exists():
        _refuse_other_model(out, model_name(model), dataset)
    store = read_origin(directory)
    checkpoint = out.with_name(f"{out.name}.checkpoint")
    epochs: list[Epoch] = []

    def note_epoch(epoch: Epoch) -> None:
        epochs.append(epoch)
        on_epoch(epoch)

    training = Training(
        validation=_read_validation(directory, dataset),
        checkpoint=checkpoint,
        resume=resume,
        on_step=on_step,
        on_epoch=note_epoch,
        run_tasks=run_tasks,
        run_replicas=run_replicas,
    )
    on_stage(f"learning from {number_of(len(dataset.timeline), 'interaction')}")
    started = time.perf_counter()
    try:
        model.require_memory(dataset).fit(dataset, training)
    except KeyboardInterrupt:
        if checkpoint.exists():
            on_interrupt()
        raise
    facts = _state_facts(time.perf_counter() - started, epochs)

    def write_files(target: Path) -> None:
        if epochs:
            write_epochs(epochs, target)
            add_files(epochs, target)

    on_stage("saving")
    predictor = Predictor(model, dataset)
    origin = {} if store is None else {"store": store}
    entries = {**origin, "split": split, "fit": facts.model_dump(exclude_none=True)}
    save(predictor, out, entries, write_files)
    shutil.rmtree(checkpoint, ignore_errors=True)
    return predictor, facts


def measure_peak_memory() -> float | None:
    """Return the largest amount of memory that this process has held so far, in GiB; None where that is unknown."""
    status = Path("/proc/self/status")
    if status.is_file():
        # A child process inherits its parent's ru_maxrss on Linux; VmHWM is the process's own.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 2**20
    try:
        import resource  # here, because Windows lacks it
    except ImportError:
        return None
    unit = 2**30 if sys.platform == "darwin" else 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _refuse_other_model(directory: Path, model: str, dataset: Dataset) -> None:
    """Raise ArtifactError if a saved model is of another kind than `model` or was fitted on another data set."""
    try:
        manifest = ModelManifest.read(directory)
    except ArtifactError as error:
        raise ArtifactError(f"{error}; nothing was written: --force replaces the directory") from None
    if manifest.model == model and manifest.data.sha256 == dataset.fingerprint:
        return
    what = f"a model {manifest.model}" if manifest.model != model else f"{model}, fitted on other data"
    raise ArtifactError(
        f"{directory} holds {what} (until {manifest.data.until[:10]}); nothing was written: name another directory "
        "with --out, or replace it with --force"
    )


def _read_validation(directory: Path, dataset: Dataset) -> Dataset | None:
    file = directory / "test.csv"
    return dataset.with_rows(read_interactions(file, dataset.format)) if file.is_file() else None


def _state_facts(seconds: float, epochs: Sequence[Epoch]) -> FitFacts:
    """Return the duration of a fit and, for a model validated on held-out users, its best epoch and NDCG@10."""
    facts = FitFacts(fit_seconds=round(seconds, 3))
    if not epochs or epochs[-1].validation_ndcg is None:
        return facts
    number = best_epoch(epochs)
    ndcg = round(epochs[number - 1].validation_ndcg or 0.0, 6)
    return facts.model_copy(update={"best_epoch": number, "validation_ndcg": ndcg})
