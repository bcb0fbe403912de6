"""What a long fit is told besides the data: what to validate on, whom to report to, where to keep checkpoints."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from nextreel.data.dataset import Dataset
from nextreel.errors import ConfigError
from nextreel.models.training.held_out_users import HeldOut

EPOCHS = "history.json"
"""File of a saved model that holds the epochs of its fit."""


@dataclass(frozen=True)
class Epoch:
    """One pass over the training rows."""

    number: int
    """Counted from 1."""
    train_loss: float
    """Mean over the rows, each taken just before its batch was learned from."""
    validation_loss: float | None
    """Mean over the validation rows after the epoch; None without validation data."""
    seconds: float
    validation_ndcg: float | None = None
    """Mean NDCG@10 of the validation queries after the epoch; None where the model isn't judged by its lists."""


@dataclass(frozen=True)
class Training:
    validation: Dataset | None = None
    """Interactions whose loss is computed after each epoch; never learned from."""
    held_out: HeldOut | None = None
    """Queries about users who were held out already; a model that chooses its best epoch then holds out none."""
    checkpoint: Path | None = None
    """Directory of the checkpoint that is rewritten after each epoch; None keeps none."""
    resume: bool = False
    """Go on from the checkpoint, which must be of the same config and data."""
    on_step: Callable[[int, int, float], None] = field(default=lambda done, total, loss: None)
    """Called every few batches with (rows done, rows in all, mean loss so far), each of this epoch."""
    on_epoch: Callable[[Epoch], None] = field(default=lambda epoch: None)
    """Called after each epoch, once its checkpoint is written; on resuming, first with the epochs done before."""

    def __post_init__(self) -> None:
        if self.resume and self.checkpoint is None:
            raise ConfigError("to resume, name the directory of the checkpoint")


def write_epochs(epochs: Sequence[Epoch], directory: Path) -> None:
    """Leave the epochs of a fit with a saved model."""
    text = json.dumps([asdict(epoch) for epoch in epochs], indent=2)
    (directory / EPOCHS).write_text(text + "\n", encoding="utf-8")


def read_epochs(directory: Path) -> list[Epoch]:
    """The epochs that a saved model was fitted in; none for a model that doesn't learn in epochs."""
    file = directory / EPOCHS
    return (
        [Epoch(**epoch) for epoch in json.loads(file.read_text(encoding="utf-8"))] if file.is_file() else []
    )


def losses_by_part(epochs: Sequence[Epoch]) -> dict[str, list[tuple[int, float]]]:
    """Points (epoch, loss) of `train` and `validation`; the latter may be empty."""
    return {
        "train": [(epoch.number, epoch.train_loss) for epoch in epochs],
        "validation": [
            (epoch.number, epoch.validation_loss) for epoch in epochs if epoch.validation_loss is not None
        ],
    }


def has_stalled(history: list[Epoch], patience: int | None) -> bool:
    """Whether the last `patience` epochs all failed to go below the validation loss reached before them."""
    if patience is None:
        return False
    losses = [epoch.validation_loss for epoch in history if epoch.validation_loss is not None]
    return len(losses) > patience and min(losses[-patience:]) >= min(losses[:-patience])


def best_epoch(history: Sequence[Epoch]) -> int:
    """Number of the epoch with the lowest validation loss; of the last one where there is none.

    Not the highest NDCG: it counts only the few movies that reach the list, so chance moves it more from epoch to epoch
    than learning does.
    """
    judged = [epoch for epoch in history if epoch.validation_loss is not None]
    return (
        min(judged, key=lambda epoch: epoch.validation_loss or 0.0).number if judged else history[-1].number
    )
