"""What `fit` takes besides the data, and the record that it keeps of each epoch.

`Training` names the validation data, the callbacks and the checkpoint of a fit. `Epoch` is the record of one pass over
the training data; a saved model keeps the records in `history.json`.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from nextreel.data.dataset import Dataset
from nextreel.errors import ConfigError
from nextreel.models.training.held_out_users import HeldOut
from nextreel.models.training.replicas import Replicas, RunReplicas
from nextreel.tasks import RunTasks

EPOCHS = "history.json"
"""Name of the file in a saved model's directory that holds the records of its training epochs."""


@dataclass(frozen=True)
class Epoch:
    """Record of one pass over the training data: its losses and its duration."""

    number: int
    """Number of the epoch, counted from 1."""
    train_loss: float
    """Mean loss over the training data; the loss of each batch is taken just before the step on that batch."""
    validation_loss: float | None
    """Mean loss over the validation data after the epoch; None without validation data."""
    seconds: float
    """Duration of the epoch, validation included, in seconds."""
    validation_ndcg: float | None = None
    """Mean NDCG@10 of the validation queries after the epoch; None for a model that doesn't compute it."""


@dataclass(frozen=True)
class Training:
    """Validation data, callbacks and checkpoint of a fit, and where it computes.

    Raises
    ------
    ConfigError
        `resume` is set without a `checkpoint`.
    """

    validation: Dataset | None = None
    """Interactions on which the loss is computed after each epoch; the model never learns from them."""
    held_out: HeldOut | None = None
    """Queries of users whom the caller has already held out; a model that chooses its best epoch by held-out users then
    uses these queries and holds out no other users."""
    checkpoint: Path | None = None
    """Directory of the checkpoint, which is rewritten after each epoch; None writes no checkpoint."""
    resume: bool = False
    """Continue from the checkpoint, which must have been written by a fit with the same options on the same data."""
    on_step: Callable[[int, int, float], None] = field(default=lambda done, total, loss: None)
    """Called every few batches with the progress within the current epoch: how many rows or batches are done, how many
    there are in total, and the mean loss so far."""
    on_epoch: Callable[[Epoch], None] = field(default=lambda epoch: None)
    """Called after each epoch, once its checkpoint is written; a resumed fit first reports the epochs done before."""

    run_tasks: RunTasks | None = None
    """Where the blocks of a fit are computed, of a model that `fits_by_tasks`; None for this process."""
    run_replicas: RunReplicas | None = None
    """Where several processes learn a network together; None for this process alone."""
    replicas: Replicas = field(default_factory=Replicas)
    """This process among those that learn the network together."""

    def __post_init__(self) -> None:
        if self.resume and self.checkpoint is None:
            raise ConfigError("to resume, name the directory of the checkpoint")


def has_stalled(history: Sequence[Epoch], patience: int | None) -> bool:
    """Whether none of the last `patience` epochs has a lower validation loss than the best epoch before them.

    False if `patience` is None, and while there are at most `patience` epochs with a validation loss.
    """
    if patience is None:
        return False
    losses = [epoch.validation_loss for epoch in history if epoch.validation_loss is not None]
    return len(losses) > patience and min(losses[-patience:]) >= min(losses[:-patience])


def best_epoch(history: Sequence[Epoch]) -> int:
    """Return the number of the epoch with the lowest validation loss, or of the last epoch without validation.

    The loss decides and not the NDCG, because NDCG@10 depends only on the few queries whose movie reaches the list, so
    it varies more by chance from one epoch to the next than it improves by learning.
    """
    losses = {epoch.number: epoch.validation_loss for epoch in history if epoch.validation_loss is not None}
    return min(losses, key=losses.__getitem__) if losses else history[-1].number


def losses_by_part(epochs: Sequence[Epoch]) -> dict[str, list[tuple[int, float]]]:
    """Return the learning curves of the parts "train" and "validation" as points (epoch, loss).

    The curve of "validation" is empty for a fit without validation data.
    """
    return {
        "train": [(epoch.number, epoch.train_loss) for epoch in epochs],
        "validation": [
            (epoch.number, epoch.validation_loss) for epoch in epochs if epoch.validation_loss is not None
        ],
    }


def write_epochs(epochs: Sequence[Epoch], directory: Path) -> None:
    """Write the records of a fit's epochs into the directory of the saved model."""
    text = json.dumps([asdict(epoch) for epoch in epochs], indent=2)
    (directory / EPOCHS).write_text(text + "\n", encoding="utf-8")


def read_epochs(directory: Path) -> list[Epoch]:
    """Read the records of a saved model's training epochs; empty for a model that does not train in epochs."""
    file = directory / EPOCHS
    if not file.is_file():
        return []
    return [Epoch(**epoch) for epoch in json.loads(file.read_text(encoding="utf-8"))]
