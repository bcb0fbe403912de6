"""Networks that several worker processes of a Ray cluster learn together, by Ray Train and torch's gloo.

Ray Train starts the workers, connects them, and starts them again if one is lost. What the first of them reports goes
to an actor: the steps, the epochs, and the checkpoint after each epoch, from which workers that were started again
continue. So the machines need no common file system; the command writes the checkpoint on its own machine.
"""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from typing import Any

from nextreel.artifacts import MANIFEST
from nextreel.atomic_files import atomic_directory
from nextreel.errors import NextreelError, require
from nextreel.models.training.epochs import Epoch, Training
from nextreel.models.training.replicas import Replicas, Result, Shared
from nextreel.parallel import single_threaded_blas
from nextreel.scale.ray_cluster import prepare_worker
from nextreel.version import __version__

REPLICAS = 2
"""Number of processes that learn together: the number of parts of a training step, so that the model is the same as
that of one process."""
RESTARTS = 3
"""Number of times that the processes are started again because one was lost."""
SECONDS_BETWEEN_REPORTS = 0.5
"""How often the caller is told what was learned since."""

Files = dict[str, bytes]
"""What the files of a directory hold, by name."""


@dataclass(frozen=True)
class RayReplicas:
    """Runs replicas on a cluster, as `nextreel.models.training.replicas.RunReplicas` describes."""

    ray: Any
    """The module, connected to a cluster whose machines have the same nextreel."""

    def __call__(
        self, function: Callable[[Shared, Training], Result], shared: Shared, training: Training
    ) -> Result:
        """Call `function(shared, training)` in each replica, and return what the first one returned.

        Raises
        ------
        NextreelError
            A replica raised it, or processes were lost again and again.
        """
        start = _read_files(training.checkpoint) if training.resume else None
        ledger = self.ray.remote(num_cpus=0)(Ledger).remote(start)
        try:
            self._learn(ledger, function, shared, training)
            error, result = self.ray.get(ledger.outcome.remote())
        finally:
            self.ray.kill(ledger)  # without it, replicas that still learn give up
        if error is not None:
            raise error
        learned: Result = result
        return learned

    def _learn(
        self, ledger: Any, function: Callable[[Shared, Training], Result], shared: Shared, training: Training
    ) -> None:
        """Have the replicas learn, and pass on what they report; NextreelError if they are lost again and again."""
        config = {
            # In a list, so that a worker gets the reference and fetches it itself.
            "shared": [self.ray.put(shared)],
            "function": function,
            "ledger": ledger,
            "version": __version__,
        }
        count = min(REPLICAS, max(1, int(self.ray.cluster_resources().get("CPU", 1))))
        with tempfile.TemporaryDirectory() as storage:
            learning = _Learning(config, count, storage)
            learning.start()
            known, is_finished, is_alive = 0, False, True
            # Ray Train isn't waited for once all is done: where no dashboard runs, it takes ten seconds more.
            while is_alive and not is_finished:
                learning.join(SECONDS_BETWEEN_REPORTS)
                is_alive = learning.is_alive()
                more, is_finished = self._report(ledger, training, known)
                known += more
        if learning.error is not None and not is_finished:
            reason = str(learning.error).strip().partition("\n")[0]
            raise NextreelError(
                f"learning on the Ray cluster failed ({type(learning.error).__name__}: {reason}); the same command "
                "with --resume continues after the last finished epoch"
            ) from learning.error

    def _report(self, ledger: Any, training: Training, known: int) -> tuple[int, bool]:
        """Pass on what is new after the first `known` epochs; return how many there are, and if all is done."""
        step, news, checkpoint, is_finished = self.ray.get(ledger.news.remote(known))
        if news and training.checkpoint is not None:
            with atomic_directory(training.checkpoint, MANIFEST) as temporary:
                _write_files(checkpoint, temporary)
        for epoch in news:
            training.on_epoch(epoch)
        if step is not None:
            training.on_step(*step)
        return len(news), is_finished


class Ledger:
    """An actor that holds what the first replica has reported."""

    def __init__(self, checkpoint: Files | None) -> None:
        """`checkpoint` is where the replicas start, None for a new fit."""
        self._checkpoint = checkpoint
        self._epochs: dict[int, Epoch] = {}
        self._step: tuple[int, int, float] | None = None
        self._outcome: tuple[NextreelError | None, Any] | None = None

    def checkpoint(self) -> Files | None:
        """Return the latest checkpoint."""
        return self._checkpoint

    def note_step(self, done: int, total: int, loss: float) -> None:
        """Note how far the current epoch is."""
        self._step = done, total, loss

    def note_epoch(self, epoch: Epoch, checkpoint: Files) -> None:
        """Note an epoch, and the checkpoint after it."""
        self._epochs[epoch.number], self._checkpoint, self._step = epoch, checkpoint, None

    def news(self, known: int) -> tuple[tuple[int, int, float] | None, list[Epoch], Files | None, bool]:
        """Return the latest step, the epochs after the first `known`, the latest checkpoint if there are any, and
        whether the fit has ended.
        """
        epochs = [epoch for number, epoch in sorted(self._epochs.items()) if number > known]
        return self._step, epochs, self._checkpoint if epochs else None, self._outcome is not None

    def finish(self, error: NextreelError | None, result: Any) -> None:
        """Note how the fit ended."""
        self._outcome = error, result

    def outcome(self) -> tuple[NextreelError | None, Any]:
        """Return how the fit ended: an error that retrying doesn't help, or what the first replica returned."""
        return self._outcome or (None, None)


class _Learning(Thread):
    """Waits for Ray Train, so that the thread of the caller can report progress and be interrupted."""

    def __init__(self, config: dict[str, Any], count: int, storage: str) -> None:
        super().__init__(daemon=True)
        self.config, self.count, self.storage = config, count, storage
        self.error: Exception | None = None

    def run(self) -> None:
        from ray import train
        from ray.train.torch import TorchConfig, TorchTrainer

        trainer = TorchTrainer(
            run_replica,
            train_loop_config=self.config,
            torch_config=TorchConfig(backend="gloo"),
            scaling_config=train.ScalingConfig(num_workers=self.count, resources_per_worker={"CPU": 1}),
            run_config=train.RunConfig(
                storage_path=self.storage, failure_config=train.FailureConfig(max_failures=RESTARTS)
            ),
        )
        try:
            trainer.fit()
        except Exception as error:
            self.error = error


def run_replica(config: dict[str, Any]) -> None:
    """Call the config's function in a worker process, which is one of the replicas."""
    ray = require("ray", "scale")
    ledger, context = config["ledger"], ray.train.get_context()
    replicas = Replicas(context.get_world_rank(), context.get_world_size())
    error, result = None, None
    with tempfile.TemporaryDirectory() as directory:
        try:
            prepare_worker(config["version"], threads=1)
            training = _create_training(replicas, ledger, Path(directory) / "checkpoint")
            with single_threaded_blas():
                result = config["function"](ray.get(config["shared"][0]), training)
        except NextreelError as raised:
            error = raised
    if replicas.number == 0:
        # Once the ledger has the result, it may end before its answer comes.
        with suppress(ray.exceptions.RayActorError):
            ray.get(ledger.finish.remote(error, result))


def _create_training(replicas: Replicas, ledger: Any, checkpoint: Path) -> Training:
    """Return where a replica starts, from the ledger's checkpoint; the first one also reports to the ledger."""
    ray = require("ray", "scale")
    files = ray.get(ledger.checkpoint.remote())
    if files is not None:
        checkpoint.mkdir()
        _write_files(files, checkpoint)
    training = Training(checkpoint=checkpoint, resume=files is not None, replicas=replicas)
    if replicas.number > 0:
        return training
    return replace(
        training,
        on_step=ledger.note_step.remote,
        on_epoch=lambda epoch: ray.get(ledger.note_epoch.remote(epoch, _read_files(checkpoint))),
    )


def _read_files(directory: Path | None) -> Files | None:
    if directory is None or not directory.is_dir():
        return None
    return {file.name: file.read_bytes() for file in directory.iterdir()}


def _write_files(files: Files, directory: Path) -> None:
    for name, content in files.items():
        (directory / name).write_bytes(content)
