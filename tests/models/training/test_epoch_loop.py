from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nextreel.arrays import Arrays, Int64Array
from nextreel.errors import ArtifactError
from nextreel.models.training.checkpoint import read_checkpoint, write_checkpoint
from nextreel.models.training.epoch_loop import EpochLearner, StoppingRule, Validation, run_epochs
from nextreel.models.training.epochs import Epoch, Training

FIT: dict[str, str | int | float | None] = {"model": "counter"}


class Counter(EpochLearner):
    """Counts its epochs, and has the validation losses that it is given."""

    def __init__(self, *validation_losses: float) -> None:
        self.validation_losses = validation_losses
        self.n_epochs = np.zeros(1, dtype=np.int64)
        self.best: list[int] = []
        self.seconds_before: list[float] = []

    def learn_epoch(self, number: int, seconds_before: float) -> float:
        self.n_epochs = self.n_epochs + 1
        self.seconds_before.append(seconds_before)
        return 1.0

    def validate(self, number: int) -> Validation:
        return Validation(self.validation_losses[number - 1]) if self.validation_losses else Validation()

    def arrays(self) -> dict[str, Int64Array]:
        return {"n_epochs": self.n_epochs}

    def restore(self, arrays: Arrays) -> None:
        self.n_epochs = arrays["n_epochs"].astype(np.int64)

    def keep_best(self) -> None:
        self.best.append(int(self.n_epochs[0]))


def stop_after(number: int) -> Callable[[Epoch], None]:
    def on_epoch(epoch: Epoch) -> None:
        if epoch.number == number:
            raise KeyboardInterrupt

    return on_epoch


def test_the_best_parameters_are_kept_whenever_the_validation_loss_is_the_lowest_so_far() -> None:
    learner = Counter(3.0, 2.0, 2.5, 1.0)
    run_epochs(learner, FIT, StoppingRule(epochs=4), Training())
    assert learner.best == [1, 2, 4]


def test_without_validation_the_last_epoch_is_the_best() -> None:
    learner = Counter()
    run_epochs(learner, FIT, StoppingRule(epochs=3), Training())
    assert learner.best == [1, 2, 3]


def test_patience_ends_the_training() -> None:
    assert (
        len(run_epochs(Counter(3.0, 2.0, 2.5, 2.0, 1.0), FIT, StoppingRule(5, patience=2), Training())) == 4
    )


def test_the_checkpoint_is_written_before_the_epoch_is_reported(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_epochs(
            Counter(), FIT, StoppingRule(3), Training(checkpoint=tmp_path / "c", on_epoch=stop_after(2))
        )
    history, arrays = read_checkpoint(tmp_path / "c", FIT)
    assert [epoch.number for epoch in history] == [1, 2]
    assert arrays["n_epochs"].tolist() == [2]


def test_a_resumed_fit_reports_the_epochs_before_and_continues_after_them(tmp_path: Path) -> None:
    training = Training(checkpoint=tmp_path / "c")
    with pytest.raises(KeyboardInterrupt):
        run_epochs(Counter(), FIT, StoppingRule(3), replace(training, on_epoch=stop_after(2)))
    learner, reported = Counter(), list[Epoch]()
    resumed = run_epochs(
        learner, FIT, StoppingRule(3), replace(training, resume=True, on_epoch=reported.append)
    )
    assert [epoch.number for epoch in reported] == [1, 2, 3]
    assert reported == resumed
    assert learner.n_epochs.tolist() == [3]
    assert learner.seconds_before == [sum(epoch.seconds for epoch in resumed[:2])]


def test_a_checkpoint_with_other_arrays_is_of_another_version(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "c", FIT, [], {"n_batches": np.zeros(1)})
    with pytest.raises(ArtifactError, match="another version of nextreel; fit without resuming"):
        run_epochs(Counter(), FIT, StoppingRule(epochs=3), Training(checkpoint=tmp_path / "c", resume=True))


@pytest.mark.parametrize(("minutes", "continues"), [(None, True), (1.01, True), (1.0, False)])
def test_the_time_of_all_earlier_epochs_counts(minutes: float | None, continues: bool) -> None:
    history = [Epoch(1, 1.0, None, seconds=20.0), Epoch(2, 1.0, None, seconds=40.0)]
    assert StoppingRule(epochs=9, minutes=minutes).allows_another_epoch(history) is continues
