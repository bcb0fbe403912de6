"""Muon, an optimiser for the matrices inside a network (Jordan et al., "Muon: An optimizer for hidden layers", 2024).

A matrix of gradients is mostly of few directions, so that a step along it hardly changes the others. Muon replaces the
momentum M = U S V' by about U V', whose singular values are all near 1. Five steps of a Newton-Schulz iteration compute
that from products of matrices alone.

Torch has a Muon from version 2.9 on; nextreel works with older ones.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

MOMENTUM = 0.95
"""Decay of the running average of the gradients; it and the numbers below are those of the source."""
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""a, b and c of the polynomial a s + b s^3 + c s^5 that each iteration applies to the singular values s."""
ITERATIONS = 5
"""Number of iterations, after which singular values lie between about 0.7 and 1.2."""


class Muon:
    """The momentum of some matrices, and the steps by it."""

    def __init__(self, matrices: Sequence[Tensor], weight_decay: float) -> None:
        self.momentum = {matrix: torch.zeros_like(matrix) for matrix in matrices}
        """The running average of each matrix's gradients."""
        self._weight_decay = weight_decay

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Change the matrices by one step with Nesterov's momentum; each must have a gradient."""
        for matrix, momentum in self.momentum.items():
            assert matrix.grad is not None
            momentum.lerp_(matrix.grad, 1 - MOMENTUM)
            direction = orthogonalize(matrix.grad.lerp(momentum, MOMENTUM))
            size = learning_rate * max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
            matrix.mul_(1 - learning_rate * self._weight_decay).add_(direction, alpha=-size)


def orthogonalize(matrix: Tensor) -> Tensor:
    """Return a matrix with the singular vectors of the given one and singular values near 1, or the zero matrix."""
    a, b, c = COEFFICIENTS
    is_tall = matrix.shape[0] > matrix.shape[1]
    x: Tensor = matrix.T if is_tall else matrix
    x = x / x.norm().clamp_min(torch.finfo(x.dtype).tiny)
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if is_tall else x
