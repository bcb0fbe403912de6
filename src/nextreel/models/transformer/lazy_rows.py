"""AdamW for the rows of tables that a step touches, and the average of all rows over the latest steps.

In a step of the sampled softmax only some movies have a gradient. As in lazy Adam, the others keep their weights and
moment estimates, and aren't decayed, so a step takes no longer in a larger catalog. Their average over the latest steps
goes on, but since their weights stay the same, that can be made up for when they are touched next: after steps whose
average had the decays d_1, d_2, ..., an average a of constant weights w has become w + d_1 d_2 ... (a - w).
"""

import math

import torch
from torch import Tensor

FIRST_DECAY, SECOND_DECAY = 0.9, 0.98
"""Decay rates of Adam's first and second moment estimates, those of "Attention Is All You Need": the second forgets
faster than by torch's default of 0.999, which takes more steps than a short training has to settle."""
EPSILON = 1e-8
"""Term that prevents a division by 0, torch's default."""


class LazyRows:
    """The rows of one table: weights, Adam's moment estimates, and the average of the weights."""

    def __init__(self, weights: Tensor, averaged: Tensor, weight_decay: float) -> None:
        """`weights` and `averaged`, [n_rows, ...], are changed in place."""
        self.weights, self.averaged, self.weight_decay = weights, averaged, weight_decay
        self.exp_avg, self.exp_avg_sq = torch.zeros_like(weights), torch.zeros_like(weights)
        self.log_decay = 0.0
        """Sum over all steps of the log of the average's decay."""
        self.averaged_until = torch.zeros(len(weights), device=weights.device)
        """float32[n_rows]: the `log_decay` up to which each row's average has been computed."""

    @torch.no_grad()
    def step(self, rows: Tensor, gradient: Tensor, learning_rate: float, number: int, decay: float) -> None:
        """Do one step of AdamW on some rows.

        Parameters
        ----------
        rows : int64[n]
            The rows, all different.
        gradient : [n, ...]
            Their gradient.
        learning_rate : float
        number : int
            Number of the step, counted from 1.
        decay : float
            Factor by which the average decays in this step.
        """
        old = self.weights[rows]
        first = self.exp_avg[rows].lerp_(gradient, 1 - FIRST_DECAY)
        second = self.exp_avg_sq[rows].mul_(SECOND_DECAY).addcmul_(gradient, gradient, value=1 - SECOND_DECAY)
        scale = (second / (1 - SECOND_DECAY**number)).sqrt_().add_(EPSILON)
        size = learning_rate / (1 - FIRST_DECAY**number)
        new = (old * (1 - learning_rate * self.weight_decay)).addcdiv_(first, scale, value=-size)
        average = self._average(rows, old)
        self.log_decay += math.log(decay)
        for table, values in (
            (self.weights, new),
            (self.exp_avg, first),
            (self.exp_avg_sq, second),
            (self.averaged, average.lerp_(new, 1 - decay)),
        ):
            table.index_copy_(0, rows, values)
        self.averaged_until.index_fill_(0, rows, self.log_decay)

    @torch.no_grad()
    def settle(self) -> None:
        """Bring the averages of all rows up to the latest step."""
        self.averaged.copy_(self._average(slice(None), self.weights))
        self.averaged_until.zero_()
        self.log_decay = 0.0

    def _average(self, rows: Tensor | slice, weights: Tensor) -> Tensor:
        """Return the averages of rows up to the latest step, since whose own latest one `weights` have stayed."""
        kept = (self.log_decay - self.averaged_until[rows]).exp_()
        kept = kept.view(-1, *[1] * (weights.ndim - 1))
        return weights + kept * (self.averaged[rows] - weights)
