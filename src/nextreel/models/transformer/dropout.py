"""Dropout (Srivastava et al., JMLR 2014) with a random generator of its own for each part of a training step.

The parts of a step run on several threads at once. Torch's dropout would draw for all of them from one generator, so
that the result would depend on which thread comes first.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

Drop = Callable[[Tensor], Tensor]
"""A function that sets activations to 0 at random and scales the others up, so that their expected sum stays."""
LEVELS = 256
"""The probability is rounded to a multiple of 1 / LEVELS, so that a random byte decides on each activation: numbers
from a generator take longer than all else of a dropout."""


def keep_all(x: Tensor) -> Tensor:
    """Return the activations as they are: in scoring nothing is dropped."""
    return x


def create_dropout(rate: float, seed: int, device: torch.device) -> Drop:
    """Return a function that drops activations with probability `rate`.

    Parameters
    ----------
    rate : float
    seed : int
        Seed of the random numbers on a CPU; on another device, where nothing runs at the same time, they are torch's.
    device : torch.device
        The device of the activations.
    """
    if rate == 0:
        return keep_all
    if device.type != "cpu":
        return lambda x: functional.dropout(x, rate)
    level = min(round(rate * LEVELS), LEVELS - 1)
    scale, generator = LEVELS / (LEVELS - level), torch.Generator().manual_seed(seed)

    def drop(x: Tensor) -> Tensor:
        words = torch.empty(-(-x.numel() // 8), dtype=torch.int64)
        random_bytes = words.random_(-(2**63), None, generator=generator).view(torch.uint8)[: x.numel()]
        kept = (random_bytes >= level).view_as(x)
        return x * kept.to(x.dtype).mul_(scale)

    return drop
