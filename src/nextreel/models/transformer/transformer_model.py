"""Fitting the transformer and asking it."""

import copy
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from nextreel.arrays import Arrays, Float32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Histories
from nextreel.data.times import WEEK
from nextreel.errors import DataError, NotFittedError
from nextreel.models.base import Recommender
from nextreel.models.training.checkpoint import identify_fit, read_checkpoint, write_checkpoint
from nextreel.models.training.epochs import Epoch, Training, best_epoch
from nextreel.models.training.held_out_users import HeldOut
from nextreel.models.training.torch_on_cpu import one_quick_thread
from nextreel.models.transformer.hyperparameters import TransformerConfig
from nextreel.models.transformer.network import Network, softmax_loss
from nextreel.models.transformer.training_windows import Answers, Batch, Questions, ask

QUERIES_AT_ONCE = 256
QUERIES_OF_VALIDATION = 3000
"""About how many queries the loss and the NDCG after each epoch are the mean of."""
AVERAGE_DECAY = 0.998
"""Of the running mean of the weights, by step: about the last epoch's weights count."""


class Transformer(Recommender):
    Config = TransformerConfig
    config: TransformerConfig

    history: list[Epoch]
    """The epochs of `fit`; empty on a model that was loaded."""

    def __init__(self, config: TransformerConfig | None = None) -> None:
        super().__init__(config)
        self.history = []
        self._network: Network | None = None

    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        training = training if training is not None else Training()
        config, held_out, known = self.config, training.held_out, dataset
        if held_out is None:
            known, held_out = HeldOut.split(dataset, config.held_out_share, config.seed)
        held_out, questions = held_out.some(QUERIES_OF_VALIDATION), Questions.of(known, config)
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
        self._network, self.history = descent.best.eval(), history
        return self

    def score(self, histories: Histories, at: Int64Array) -> Float32Array:
        if self._network is None:
            raise NotFittedError("Transformer isn't fitted yet: call fit(dataset) first")
        answers = np.zeros((len(at), self._network.n_movies), dtype=np.float32)
        known = np.flatnonzero(histories.lengths > 0)
        known = known[np.argsort(histories.lengths[known], kind="stable")]
        for some in (
            known[start : start + QUERIES_AT_ONCE] for start in range(0, len(known), QUERIES_AT_ONCE)
        ):
            with torch.inference_mode():
                batch = ask(histories[some], at[some], self.config.window)
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
        self, descent: "_Descent", questions: "Questions", number: int, spent: float, training: Training
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
        with one_quick_thread(torch):
            return held_out.judge(self.score)


def _embed_by_succession(dataset: Dataset, config: TransformerConfig) -> Tensor:
    """float32[n_movies, dimensions]: singular vectors of how much likelier than chance two movies meet.

    Two movies meet where a user rated one up to 20 rows after the other; a meeting k rows apart counts 0.9^k.
    """
    timeline, n_movies = dataset.timeline, dataset.n_movies
    meetings = np.zeros(n_movies * n_movies, dtype=np.float32)
    for apart in range(1, min(20, len(timeline) - 1) + 1):
        same = timeline.users[apart:] == timeline.users[:-apart]
        pair = timeline.movies[:-apart][same].astype(np.int64) * n_movies + timeline.movies[apart:][same]
        meetings += np.float32(0.9**apart) * np.bincount(pair, minlength=len(meetings)).astype(np.float32)
    table = meetings.reshape(n_movies, n_movies)
    table += table.T.copy()
    often = table.sum(1) + 20
    likelier = np.log1p(table * (often.sum() / 20) / often[:, None] / often)
    rank = min(config.dimensions, n_movies)
    left, singular, _ = torch.svd_lowrank(torch.from_numpy(likelier), rank, niter=3)
    vectors = functional.normalize(
        functional.pad(left * singular.sqrt(), (0, config.dimensions - rank)), dim=1
    )
    vectors = vectors - vectors.mean(0)
    turn = torch.linalg.qr(torch.randn(config.dimensions, config.dimensions))[0]
    embedding: Tensor = (vectors @ turn) * (0.05 / vectors.std())
    return embedding


def _weeks_between(timestamps: Int64Array) -> Int64Array:
    return np.array([timestamps.min() // WEEK, timestamps.max() // WEEK])


class _Descent:
    """AdamW with a warm-up and a cosine to zero, and the running mean of the weights on the way.

    The mean (Polyak & Juditsky, 1992) is what is judged and kept: it is better than the weights at any step.
    """

    def __init__(self, network: Network, config: TransformerConfig) -> None:
        self.network, self.config, self.steps = network, config, 0
        self.averaged, self.best = copy.deepcopy(network), copy.deepcopy(network)
        self.precision = torch.bfloat16 if config.bfloat16 else torch.float32
        plain = [p for name, p in network.named_parameters() if p.ndim < 2 or ".by_" in name]
        decayed = [p for name, p in network.named_parameters() if not (p.ndim < 2 or ".by_" in name)]
        groups: list[dict[str, Any]] = [{"params": decayed}, {"params": plain, "weight_decay": 0.0}]
        rate, decay = config.learning_rate, config.weight_decay
        self.adam = torch.optim.AdamW(groups, rate, (0.9, 0.98), weight_decay=decay, fused=True)

    def step(self, batch: Batch, answers: Answers, progress: float) -> float:
        """One step; `progress` is the share of the training that is over after it. Returns the loss before."""
        self.steps += 1
        warm = min(1.0, self.steps / 100)
        for group in self.adam.param_groups:
            group["lr"] = (
                self.config.learning_rate * warm * (0.5 + 0.5 * math.cos(math.pi * min(1, progress)))
            )
        network = self.network.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.config.bfloat16):
            asked, movies, bias = network(batch), network.movies.weight, network.bias
            loss = softmax_loss(*(x.to(self.precision) for x in (asked, movies, bias)), answers)
        self.adam.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        self.adam.step()
        share = 1 - min(AVERAGE_DECAY, self.steps / (self.steps + 10))
        with torch.no_grad():
            for mean, current in zip(self.averaged.parameters(), network.parameters(), strict=True):
                mean.lerp_(current, share)
        return float(loss.detach())

    def keep(self) -> None:
        """Take the mean of the weights as it is now for the best."""
        self.best.load_state_dict(self.averaged.state_dict())

    def arrays(self) -> Arrays:
        """The networks and the optimiser's moments by name, as for a checkpoint."""
        arrays = {
            f"{role}.{name}": tensor.numpy()
            for role, network in self._networks().items()
            for name, tensor in network.state_dict().items()
        }
        for name, parameter in self.network.named_parameters():
            for moment in ("exp_avg", "exp_avg_sq"):
                arrays[f"{moment}.{name}"] = self.adam.state[parameter][moment].numpy()
        return arrays | {"steps": np.array([self.steps])}

    def restore(self, arrays: Arrays) -> None:
        """Take up where `arrays` were written."""
        self.steps = int(arrays["steps"][0])
        for role, network in self._networks().items():
            names = network.state_dict()
            network.load_state_dict({name: torch.from_numpy(arrays[f"{role}.{name}"]) for name in names})
        for name, parameter in self.network.named_parameters():
            self.adam.state[parameter] = {
                "step": torch.tensor(float(self.steps)),
                "exp_avg": torch.from_numpy(arrays[f"exp_avg.{name}"]),
                "exp_avg_sq": torch.from_numpy(arrays[f"exp_avg_sq.{name}"]),
            }

    def _networks(self) -> dict[str, Network]:
        return {"network": self.network, "averaged": self.averaged, "best": self.best}


@contextmanager
def _quick_steps(seed: int) -> Iterator[None]:
    """Chance drawn from the seed, and quick small steps; torch's own settings are put back."""
    with torch.random.fork_rng(devices=[]), one_quick_thread(torch):
        torch.manual_seed(seed)
        yield
