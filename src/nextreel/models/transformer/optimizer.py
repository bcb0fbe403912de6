"""AdamW with a warm-up, a cosine schedule, and an average of the weights over the latest steps."""

import copy
import math

import numpy as np
import torch
from torch import nn

from nextreel.arrays import Arrays
from nextreel.models.transformer.hyperparameters import TransformerConfig
from nextreel.models.transformer.network import Network
from nextreel.models.transformer.softmax_loss import softmax_loss
from nextreel.models.transformer.training_windows import Labels
from nextreel.models.transformer.window_batches import Batch

FIRST_DECAY, SECOND_DECAY = 0.9, 0.98
"""Decay rates of Adam's first and second moment estimates, those of "Attention Is All You Need": the second forgets
faster than by torch's default of 0.999, which takes more steps than a short training has to settle."""
WARM_UP_STEPS = 100
"""Number of first steps in which the learning rate rises to its maximum, since Adam's moment estimates are still
inaccurate."""
MAX_GRADIENT_NORM = 1.0
"""Norm to which a gradient with a larger norm is scaled down, so that a single batch can't undo much; the usual value
for transformers."""
AVERAGE_DECAY = 0.998
"""Factor by which the running average of the weights decays in a step: it covers about the last 500 steps. A slower
decay averages out more noise of single batches, but lags further behind what was learned."""
AVERAGE_WARM_UP = 10
"""The c in s / (s + c), the upper bound of the average's decay at step s, which lets the running average forget the
untrained weights quickly."""
MOMENT_ESTIMATES = ("exp_avg", "exp_avg_sq")
"""Torch's names for Adam's first and second moment estimates; also the names in a checkpoint."""


class AveragedAdamW:
    """Trains a network by AdamW, averages its weights (Polyak & Juditsky, 1992), and remembers the best average.

    The average is what is validated and kept: it has less of the noise of the latest batches than the weights of any
    single step.
    """

    def __init__(self, network: Network, config: TransformerConfig) -> None:
        self.network, self.config, self.steps = network, config, 0
        self.averaged, self.best = copy.deepcopy(network), copy.deepcopy(network)
        bfloat16 = torch.cpu._is_amx_tile_supported() if config.bfloat16 is None else config.bfloat16
        self.precision = torch.bfloat16 if bfloat16 else torch.float32
        # As usual, weight decay is for matrices only; the attention biases of relations are biases, too.
        decayed = [p for name, p in network.named_parameters() if p.ndim >= 2 and ".by_" not in name]
        others = [p for name, p in network.named_parameters() if p.ndim < 2 or ".by_" in name]
        self.adam = torch.optim.AdamW(
            decayed,
            config.learning_rate,
            (FIRST_DECAY, SECOND_DECAY),
            weight_decay=config.weight_decay,
            fused=True,
        )
        self.adam.add_param_group({"params": others, "weight_decay": 0.0})

    def step(self, batch: Batch, labels: Labels, progress: float) -> float:
        """Do one step of AdamW on a batch, and return the batch's loss before the step.

        Parameters
        ----------
        batch : Batch
        labels : Labels
        progress : float
            Share of the training that is done after this step; sets the learning rate.
        """
        self.steps += 1
        warm_up = min(1.0, self.steps / WARM_UP_STEPS)
        for group in self.adam.param_groups:
            group["lr"] = (
                self.config.learning_rate * warm_up * (0.5 + 0.5 * math.cos(math.pi * min(1, progress)))
            )
        network = self.network.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.precision is torch.bfloat16):
            inputs = network(batch), network.movies.weight, network.bias
            loss = softmax_loss(*(tensor.to(self.precision) for tensor in inputs), labels)
        self.adam.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), MAX_GRADIENT_NORM)
        self.adam.step()
        self._average()
        return float(loss.detach())

    def keep_best(self) -> None:
        """Remember the current average of the weights as the best one so far."""
        self.best.load_state_dict(self.averaged.state_dict())

    def arrays(self) -> Arrays:
        """Return all arrays that a checkpoint needs, by name.

        They are the weights of the current, the averaged and the best network, Adam's moment estimates, and the number
        of steps.
        """
        arrays = {
            f"{role}.{name}": tensor.numpy()
            for role, network in self._networks().items()
            for name, tensor in network.state_dict().items()
        }
        for name, parameter in self.network.named_parameters():
            for estimate in MOMENT_ESTIMATES:
                arrays[f"{estimate}.{name}"] = self.adam.state[parameter][estimate].numpy()
        return arrays | {"steps": np.array([self.steps])}

    def restore(self, arrays: Arrays) -> None:
        """Restore the state of an interrupted training from what `arrays` returned in it."""
        self.steps = int(arrays["steps"][0])
        for role, network in self._networks().items():
            names = network.state_dict()
            network.load_state_dict({name: torch.from_numpy(arrays[f"{role}.{name}"]) for name in names})
        for name, parameter in self.network.named_parameters():
            estimates = {
                estimate: torch.from_numpy(arrays[f"{estimate}.{name}"]) for estimate in MOMENT_ESTIMATES
            }
            self.adam.state[parameter] = {"step": torch.tensor(float(self.steps)), **estimates}

    def _average(self) -> None:
        decay = min(AVERAGE_DECAY, self.steps / (self.steps + AVERAGE_WARM_UP))
        with torch.no_grad():
            for average, current in zip(self.averaged.parameters(), self.network.parameters(), strict=True):
                average.lerp_(current, 1 - decay)

    def _networks(self) -> dict[str, Network]:
        return {"network": self.network, "averaged": self.averaged, "best": self.best}
