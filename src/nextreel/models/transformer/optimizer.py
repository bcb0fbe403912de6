"""Muon for the matrices of the layers, AdamW for all else, and an average of the weights over the latest steps.

The learning rate of both rises in a warm-up, and then falls along a cosine.
"""

import copy
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import Tensor, nn

from nextreel.arrays import Arrays
from nextreel.models.training.muon import Muon
from nextreel.models.training.replicas import Replicas
from nextreel.models.training.torch_adam import TorchAdam
from nextreel.models.training.torch_device import has_bfloat16_instructions
from nextreel.models.training.torch_on_cpu import Map
from nextreel.models.transformer.dropout import create_dropout
from nextreel.models.transformer.hyperparameters import TransformerConfig
from nextreel.models.transformer.labels import Part
from nextreel.models.transformer.lazy_rows import FIRST_DECAY, SECOND_DECAY, LazyRows
from nextreel.models.transformer.liking_loss import liking_loss
from nextreel.models.transformer.network import Network
from nextreel.models.transformer.sampled_softmax import StepMovies
from nextreel.models.transformer.softmax_loss import softmax_loss

MATRIX_RATE = 20 / 3
"""Learning rate of Muon relative to that of AdamW: 0.02, as in Muon's source, by default."""
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
MOVIES, BIAS, LIKING_BIAS = "movies.weight", "bias", "liking_bias"
"""Names of the network's tables of movies."""
MOMENT_ESTIMATES = ("exp_avg", "exp_avg_sq")
"""Torch's names for Adam's first and second moment estimates; also the names in a checkpoint."""
MOMENTUM = "momentum"
"""Name of Muon's momentum in a checkpoint."""


class AveragedOptimizer:
    """Trains a network, averages its weights (Polyak & Juditsky, 1992), and remembers the best average.

    The average is what is validated and kept: it has less of the noise of the latest batches than the weights of any
    single step. If the softmax is sampled, a step touches only the rows of its movies in the tables of movies.
    """

    def __init__(
        self,
        network: Network,
        config: TransformerConfig,
        samples: bool = False,
        replicas: Replicas | None = None,
    ) -> None:
        """`samples` says whether the softmax is sampled, `replicas` which process this is among those that learn."""
        self.network, self.config, self.steps, self.replicas = network, config, 0, replicas or Replicas()
        self.averaged, self.best = copy.deepcopy(network), copy.deepcopy(network)
        self.device = network.bias.device
        bfloat16 = has_bfloat16_instructions(self.device) if config.bfloat16 is None else config.bfloat16
        self.precision = torch.bfloat16 if bfloat16 else torch.float32
        self.lazy: dict[str, LazyRows] = {}
        if samples:
            for name, weight_decay in ((MOVIES, config.weight_decay), (BIAS, 0.0), (LIKING_BIAS, 0.0)):
                weights, averaged = (net.get_parameter(name) for net in (network, self.averaged))
                self.lazy[name] = LazyRows(weights.requires_grad_(False), averaged, weight_decay)
        self.dense = {name: p for name, p in network.named_parameters() if name not in self.lazy}
        self.muon = Muon([p for p in network.layers.parameters() if p.ndim == 2], config.weight_decay)
        others = {name: p for name, p in self.dense.items() if p not in self.muon.momentum}
        # As usual, weight decay is for matrices only; the attention biases of relations are biases, too.
        decayed = [p for name, p in others.items() if p.ndim >= 2 and ".by_" not in name]
        undecayed = [p for name, p in others.items() if p.ndim < 2 or ".by_" in name]
        self.adam = TorchAdam(
            [(decayed, config.weight_decay), (undecayed, 0.0)],
            (FIRST_DECAY, SECOND_DECAY),
            fused=self.device.type == "cpu",
        )

    def step(
        self,
        parts: Sequence[Part | None],
        total: float,
        progress: float,
        touched: StepMovies | None = None,
        run: Map = map,
    ) -> Tensor:
        """Do one step on a batch, and return the batch's loss before the step, a tensor of no dimension.

        Parameters
        ----------
        parts : sequence of Part or None
            The batch; the gradients of its parts are computed independently and summed. None is a part that is in the
            share of another replica.
        total : float
            Sum of the weights of all labels of the batch.
        progress : float
            Share of the training that is done after this step; sets the learning rate.
        touched : StepMovies, optional
            If the softmax is sampled: the movies by whose numbers `parts` name them.
        run : Map
            Applies a function to all parts, on several threads where there are.
        """
        self.steps += 1
        warm_up = min(1.0, self.steps / WARM_UP_STEPS)
        rate = self.config.learning_rate * warm_up * (0.5 + 0.5 * math.cos(math.pi * min(1, progress)))
        rows = self._take_rows(touched)
        learned = [*self.dense.values(), *rows.values()]

        def differentiate(number: int) -> Tensor:
            part = parts[number]
            assert part is not None
            loss = self._compute_loss(part, number, rows, touched, total)
            gradients = torch.autograd.grad(loss, learned)
            return torch.cat([loss.detach()[None], *(gradient.flatten() for gradient in gradients)])

        computed = list(run(differentiate, self.replicas.share(len(parts))))
        sizes = [1, *(tensor.numel() for tensor in learned)]
        loss, *gradients = torch.split(self.replicas.sum_parts(computed, len(parts)), sizes)
        for tensor, gradient in zip(learned, gradients, strict=True):
            tensor.grad = gradient.view_as(tensor)
        nn.utils.clip_grad_norm_(learned, MAX_GRADIENT_NORM)
        self.adam.step(rate)
        self.muon.step(MATRIX_RATE * rate)
        decay = min(AVERAGE_DECAY, self.steps / (self.steps + AVERAGE_WARM_UP))
        self._average(decay)
        if touched is not None:
            for name, lazy in self.lazy.items():
                lazy.step(touched.movies, _gradient(rows[name]), rate, self.steps, decay)
        return loss.squeeze()

    def settle(self) -> None:
        """Bring the average up to the latest step, for the rows of movies that it didn't touch."""
        for lazy in self.lazy.values():
            lazy.settle()

    def keep_best(self) -> None:
        """Remember the current average of the weights as the best one so far."""
        self.best.load_state_dict(self.averaged.state_dict())

    def arrays(self) -> Arrays:
        """Return all arrays that a checkpoint needs, by name.

        They are the weights of the current, the averaged and the best network, Adam's moment estimates, Muon's
        momentum, and the number of steps.
        """
        arrays = {
            f"{role}.{name}": tensor.cpu().numpy()
            for role, network in self._networks().items()
            for name, tensor in network.state_dict().items()
        }
        for name, parameter in self.network.named_parameters():
            for estimate, tensor in self._estimates(name, parameter).items():
                arrays[f"{estimate}.{name}"] = tensor.cpu().numpy()
        return arrays | {"steps": np.array([self.steps])}

    def restore(self, arrays: Arrays) -> None:
        """Restore the state of an interrupted training from what `arrays` returned in it."""
        self.steps = int(arrays["steps"][0])
        for role, network in self._networks().items():
            names = network.state_dict()
            network.load_state_dict({name: torch.from_numpy(arrays[f"{role}.{name}"]) for name in names})
        for state in self.adam.state.values():
            state["step"].fill_(self.steps)
        for name, parameter in self.network.named_parameters():
            for estimate, tensor in self._estimates(name, parameter).items():
                tensor.copy_(torch.from_numpy(arrays[f"{estimate}.{name}"]))

    def _compute_loss(
        self, part: Part, number: int, rows: dict[str, Tensor], touched: StepMovies | None, total: float
    ) -> Tensor:
        """Return the weighted sum of the loss over the labels of one part of a step, divided by `total`."""
        (batch, labels), network = part, self.network
        seed = np.random.SeedSequence([self.config.seed, self.steps, number]).generate_state(1, np.uint64)
        drop = create_dropout(self.config.dropout, int(seed[0]), self.device)
        movies, bias, liking_bias = (
            rows.get(name, network.get_parameter(name)) for name in (MOVIES, BIAS, LIKING_BIAS)
        )
        with self._precision_context():
            vectors = network(batch, movies, drop)
        liking = liking_loss(network.liking(vectors.float()), movies, liking_bias, labels, total)
        log_probability = None
        if touched is not None:
            log_probability = touched.log_probability.to(self.precision)
            movies, bias = touched.pad_candidates(movies), touched.pad_candidates(bias)
        inputs = [tensor.to(self.precision) for tensor in (vectors, movies, bias)]
        return softmax_loss(*inputs, log_probability, labels, total) + liking

    def _precision_context(self) -> AbstractContextManager[object]:
        if self.precision is torch.bfloat16:
            return torch.autocast(self.device.type, torch.bfloat16)
        return nullcontext()

    def _take_rows(self, touched: StepMovies | None) -> dict[str, Tensor]:
        """Return the touched rows of the tables of movies as tensors of their own that get gradients, by name."""
        if touched is None:
            return {}
        return {name: lazy.weights[touched.movies].requires_grad_() for name, lazy in self.lazy.items()}

    def _estimates(self, name: str, parameter: Tensor) -> dict[str, Tensor]:
        """Return what the optimiser remembers of a parameter's gradients, by its name in a checkpoint."""
        if parameter in self.muon.momentum:
            return {MOMENTUM: self.muon.momentum[parameter]}
        state = vars(self.lazy[name]) if name in self.lazy else self.adam.state[parameter]
        return {estimate: state[estimate] for estimate in MOMENT_ESTIMATES}

    def _average(self, decay: float) -> None:
        with torch.no_grad():
            for name, parameter in self.dense.items():
                self.averaged.get_parameter(name).lerp_(parameter, 1 - decay)

    def _networks(self) -> dict[str, Network]:
        return {"network": self.network, "averaged": self.averaged, "best": self.best}


def _gradient(tensor: Tensor) -> Tensor:
    """Return the gradient of a tensor that has one."""
    assert tensor.grad is not None
    return tensor.grad
