"""What a long fit is told besides the data: what to validate on, whom to report to, where to keep checkpoints."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from nextreel.data.dataset import Dataset


@dataclass(frozen=True)
class Epoch:
    """One pass over the training rows."""

    number: int
    """Counted from 1."""
    train_loss: float
    validation_loss: float | None
    seconds: float


@dataclass(frozen=True)
class Training:
    validation: Dataset | None = None
    """Interactions whose loss is computed after each epoch; never learned from."""
    checkpoint: Path | None = None
    """Directory of the checkpoint that is rewritten after each epoch; None keeps none."""
    resume: bool = False
    """Go on from the checkpoint, which must be of the same config and data."""
    on_step: Callable[[int, int, float], None] = field(default=lambda done, total, loss: None)
    """Called every few batches with (rows done, rows in all, loss so far)."""
    on_epoch: Callable[[Epoch], None] = field(default=lambda epoch: None)
    """Called after each epoch, the resumed ones included."""
