"""Networks that two processes of a Ray cluster learn together: the same model as that of one process."""

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nextreel.data.dataset import Dataset
from nextreel.data.sources.synthetic_data import make_sample
from nextreel.errors import ArtifactError
from nextreel.models.training.epochs import Epoch, Training
from nextreel.models.transformer import Transformer, TransformerConfig
from nextreel.scale.ray_replicas import RayReplicas

CONFIG = TransformerConfig(
    dimensions=16, heads=2, window=32, overlap=8, rows_per_step=512, epochs=3, negatives=40, bfloat16=False
)
LAST_KILLED = 1
"""The epoch after which a process is killed."""


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    sample = make_sample(users=80, movies=120, ratings=4000)
    return Dataset.from_frames(sample.interactions, sample.movies, sample.users)


def kill_a_replica() -> None:
    processes = [path for path in Path("/proc").iterdir() if path.name.isdigit()]
    commands = {path.name: path.joinpath("cmdline").read_bytes() for path in processes if path.exists()}
    replicas = sorted(int(number) for number, command in commands.items() if b"RayTrainWorker" in command)
    os.kill(replicas[-1], signal.SIGKILL)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ray Train uses what Ray Data deprecates
def test_two_processes_learn_what_one_learns_even_if_one_is_killed(
    ray: Any, dataset: Dataset, tmp_path: Path
) -> None:
    here = Transformer(CONFIG).fit(dataset)
    epochs: list[Epoch] = []
    steps: list[tuple[int, int, float]] = []

    def note(epoch: Epoch) -> None:
        epochs.append(epoch)
        if epoch.number == LAST_KILLED:
            kill_a_replica()

    checkpoint = tmp_path / "checkpoint"
    training = Training(
        run_replicas=RayReplicas(ray),
        checkpoint=checkpoint,
        on_epoch=note,
        on_step=lambda *step: steps.append(step),
    )
    there = Transformer(CONFIG).fit(dataset, training)
    assert [epoch.number for epoch in epochs] == [epoch.number for epoch in there.epochs] == [1, 2, 3]
    assert [epoch.train_loss for epoch in there.epochs] == [epoch.train_loss for epoch in here.epochs]
    assert steps
    for name, array in here.state.items():
        np.testing.assert_array_equal(there.state[name], array, err_msg=name)

    # What the command keeps on its own machine is the checkpoint of a fit in one process.
    resumed = Transformer(CONFIG).fit(dataset, Training(checkpoint=checkpoint, resume=True))
    for name, array in here.state.items():
        np.testing.assert_array_equal(resumed.state[name], array, err_msg=name)


def test_a_checkpoint_of_another_fit_is_refused_before_any_process_starts(
    dataset: Dataset, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "checkpoint"
    Transformer(CONFIG.model_copy(update={"epochs": 1})).fit(dataset, Training(checkpoint=checkpoint))
    training = Training(run_replicas=RayReplicas(None), checkpoint=checkpoint, resume=True)
    with pytest.raises(
        ArtifactError, match=f"{checkpoint} is the checkpoint of another fit: option epochs was 1"
    ):
        Transformer(CONFIG).fit(dataset, training)
