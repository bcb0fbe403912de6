"""AdamW with a warm-up and a cosine schedule, and the running mean of the weights."""

import copy
import math
from typing import Any

import numpy as np
import torch
from torch import nn

from nextreel.arrays import Arrays
from nextreel.models.transformer.hyperparameters import TransformerConfig
from nextreel.models.transformer.network import Network
from nextreel.models.transformer.softmax_loss import softmax_loss
from nextreel.models.transformer.window_batches import Batch, Labels

AVERAGE_DECAY = 0.998
"""Of the running mean of the weights, by step: about the last epoch's weights count."""


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

    def step(self, batch: Batch, answers: Labels, progress: float) -> float:
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
