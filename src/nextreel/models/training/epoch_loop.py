"""The training loop that all models fitted in epochs share: resume, learn, validate, checkpoint, report, stop."""

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nextreel.arrays import Arrays
from nextreel.errors import ArtifactError
from nextreel.models.training.checkpoint import FitIdentity, read_checkpoint, write_checkpoint
from nextreel.models.training.epochs import Epoch, Training, best_epoch, has_stalled


@dataclass(frozen=True)
class StoppingRule:
    """Limits on epochs, stalled epochs and minutes; training ends as soon as one of them is reached."""

    epochs: int
    """Maximum number of epochs, those before a resumption included."""
    patience: int | None = None
    """Number of epochs in a row without a lower validation loss after which training ends; None sets no limit."""
    minutes: float | None = None
    """Training time in minutes, summed over all parts of a resumed fit; None sets no limit. The loop checks it between
    epochs; an `EpochLearner` may end an epoch early to keep it."""

    def allows_another_epoch(self, history: Sequence[Epoch]) -> bool:
        """Whether none of the limits is reached after the epochs in `history`."""
        return (
            len(history) < self.epochs
            and not has_stalled(history, self.patience)
            and (self.minutes is None or _seconds_of(history) < 60 * self.minutes)
        )


@dataclass(frozen=True)
class Validation:
    """Figures of a model on its validation data after an epoch; None where the model does not compute them."""

    loss: float | None = None
    """Mean loss over the validation data, lower is better."""
    ndcg: float | None = None
    """Mean NDCG@10 of the validation queries, higher is better."""


class EpochLearner(ABC):
    """The part of a training loop that differs between models: how to learn, to validate, and to save and restore."""

    @abstractmethod
    def learn_epoch(self, number: int, seconds_before: float) -> float:
        """Do one pass over the training data.

        Parameters
        ----------
        number : int
            Number of the epoch, counted from 1.
        seconds_before : float
            Total duration of all earlier epochs, those before a resumption included.

        Returns
        -------
        Mean training loss; that of each batch is taken just before the step on that batch.
        """

    @abstractmethod
    def validate(self, number: int) -> Validation:
        """Evaluate the model's parameters after epoch `number` on the validation data, if there are any."""

    @abstractmethod
    def arrays(self) -> Mapping[str, npt.NDArray[np.generic]]:
        """Return all arrays that a checkpoint needs for the training to continue from it, by name."""

    @abstractmethod
    def restore(self, arrays: Arrays) -> None:
        """Restore the state of an interrupted fit from what `arrays` returned in it."""

    def agree(self, seconds: float) -> float:
        """Return the duration of an epoch that all processes which learn together go by."""
        return seconds

    @abstractmethod
    def keep_best(self) -> None:
        """Remember the current parameters as the best so far, unless the model is to keep those of its last epoch."""


def run_epochs(
    learner: EpochLearner, fit: FitIdentity, stopping_rule: StoppingRule, training: Training
) -> list[Epoch]:
    """Train until the stopping rule ends it, and return the records of all epochs, before a resumption included.

    After each epoch the checkpoint is written first and `training.on_epoch` called second, so an exception raised by
    the callback never loses a finished epoch.

    Raises
    ------
    ArtifactError
        `training.resume` is set and the checkpoint is missing, damaged, or of another fit or version.
    """
    history: list[Epoch] = []
    if training.resume and training.checkpoint is not None:
        history, arrays = read_checkpoint(training.checkpoint, fit)
        if arrays.keys() != learner.arrays().keys():
            raise ArtifactError(
                f"{training.checkpoint} was written by another version of nextreel; fit without resuming"
            )
        learner.restore(arrays)
    for epoch in history:
        training.on_epoch(epoch)

    while stopping_rule.allows_another_epoch(history):
        number, started = len(history) + 1, time.perf_counter()
        train_loss = learner.learn_epoch(number, _seconds_of(history))
        validation = learner.validate(number)
        seconds = learner.agree(time.perf_counter() - started)
        history.append(Epoch(number, train_loss, validation.loss, seconds, validation.ndcg))
        if best_epoch(history) == number:
            learner.keep_best()
        if training.checkpoint is not None:
            write_checkpoint(training.checkpoint, fit, history, learner.arrays())
        training.on_epoch(history[-1])
    return history


def _seconds_of(history: Sequence[Epoch]) -> float:
    return sum(epoch.seconds for epoch in history)
