"""Fitting the transformer and asking it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import numpy as np
import torch

from nextreel.arrays import Arrays, Float32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Histories
from nextreel.data.times import WEEK
from nextreel.errors import DataError, NotFittedError
from nextreel.models.base import Recommender
from nextreel.models.training.checkpoint import identify_fit, read_checkpoint, write_checkpoint
from nextreel.models.training.epochs import Epoch, Training, best_epoch
from nextreel.models.training.held_out_users import HeldOut
from nextreel.models.training.torch_on_cpu import fast_small_steps
from nextreel.models.transformer.hyperparameters import TransformerConfig
from nextreel.models.transformer.initial_embeddings import _embed_by_succession
from nextreel.models.transformer.network import Network
from nextreel.models.transformer.optimizer import _Descent
from nextreel.models.transformer.training_windows import TargetBaskets
from nextreel.models.transformer.window_batches import ask

QUERIES_AT_ONCE = 256
QUERIES_OF_VALIDATION = 3000
"""About how many queries the loss and the NDCG after each epoch are the mean of."""


class Transformer(Recommender):
    Config = TransformerConfig
    config: TransformerConfig

    epochs: list[Epoch]
    """The epochs of `fit`; empty on a model that was loaded."""

    def __init__(self, config: TransformerConfig | None = None) -> None:
        super().__init__(config)
        self.epochs = []
        self._network: Network | None = None

    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        training = training if training is not None else Training()
        config, held_out, known = self.config, training.held_out, dataset
        if held_out is None:
            known, held_out = HeldOut.split(dataset, config.held_out_share, config.seed)
        held_out, questions = held_out.subsample(QUERIES_OF_VALIDATION), TargetBaskets.of(known, config)
        if len(questions.cuts) == 0:
            raise DataError("no user rated two movies, so there is nothing to learn from")
        identity = identify_fit("transformer", config, known, None)
        with _quick_steps(config.seed):
            network = Network(dataset.n_movies, config)
            network.movies.weight.data = _embed_by_succession(known, config)
        network.weeks[:] = torch.from_numpy(_weeks_between(known.timeline.timestamps))
        descent, history = _Descent(network, config), list[Epoch]()
        if training.resume and training.checkpoint is not None:
            history, arrays = read_checkpoint(training.checkpoint, identity)
            descent.restore(arrays)
        for epoch in history:
            training.on_epoch(epoch)
        spent = sum(epoch.seconds for epoch in history)
        while len(history) < config.epochs and (config.minutes is None or spent < 60 * config.minutes):
            number, started = len(history) + 1, time.perf_counter()
            loss = self._learn_once(descent, questions, number, spent, training)
            self._network = descent.averaged.eval()
            judged = self._judge(held_out)
            history.append(Epoch(number, loss, judged[0], time.perf_counter() - started, judged[1]))
            if best_epoch(history) == number:
                descent.keep()
            spent += history[-1].seconds
            if training.checkpoint is not None:
                write_checkpoint(training.checkpoint, identity, history, descent.arrays())
            training.on_epoch(history[-1])
        self._network, self.epochs = descent.best.eval(), history
        return self

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        if self._network is None:
            raise NotFittedError("Transformer isn't fitted yet: call fit(dataset) first")
        answers = np.zeros((len(timestamps), self._network.n_movies), dtype=np.float32)
        known = np.flatnonzero(histories.lengths > 0)
        known = known[np.argsort(histories.lengths[known], kind="stable")]
        for some in (
            known[start : start + QUERIES_AT_ONCE] for start in range(0, len(known), QUERIES_AT_ONCE)
        ):
            with torch.inference_mode():
                batch = ask(histories[some], timestamps[some], self.config.window)
                scores = self._network.score(self._network(batch))
            answers[some[batch.order]] = scores.numpy()
        return answers

    @property
    def state(self) -> Arrays:
        if self._network is None:
            raise NotFittedError("Transformer isn't fitted yet: call fit(dataset) first")
        return {name: tensor.numpy() for name, tensor in self._network.state_dict().items()}

    def restore(self, state: Arrays) -> Self:
        network = Network(len(state["bias"]), self.config)
        network.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
        self._network = network.eval()
        return self

    def _learn_once(
        self, descent: "_Descent", questions: "TargetBaskets", number: int, spent: float, training: Training
    ) -> float:
        """Learn from every question once; returns the mean loss of an answer."""
        config, started = self.config, time.perf_counter()
        random = np.random.default_rng([config.seed, number])
        batches = questions.draw(random)
        loss = weight = 0.0
        with _quick_steps(config.seed + number):
            for done, (batch, answers) in enumerate(batches, start=1):
                progress = (number - 1 + done / len(batches)) / config.epochs
                if config.minutes is not None:
                    elapsed = spent + time.perf_counter() - started
                    progress = max(progress, elapsed / (60 * config.minutes))
                if progress >= 1 and done > 1 and config.minutes is not None:
                    break
                mean = descent.step(batch, answers, progress)
                loss, weight = loss + mean * answers.total, weight + answers.total
                training.on_step(done, len(batches), loss / weight)
        return loss / weight

    def _judge(self, held_out: HeldOut) -> tuple[float, float] | tuple[None, None]:
        """Loss and NDCG@10 on the queries held out; None without any."""
        if len(held_out) == 0:
            return None, None
        with fast_small_steps(torch):
            return held_out.evaluate(self.score)


def _weeks_between(timestamps: Int64Array) -> Int64Array:
    return np.array([timestamps.min() // WEEK, timestamps.max() // WEEK])


@contextmanager
def _quick_steps(seed: int) -> Iterator[None]:
    """Chance drawn from the seed, and quick small steps; torch's own settings are put back."""
    with torch.random.fork_rng(devices=[]), fast_small_steps(torch):
        torch.manual_seed(seed)
        yield
