"""AdamW (Loshchilov & Hutter, 2019) by torch's own function; without weight decay it is Adam.

`torch.optim.AdamW` does the same, but imports torch's compiler when it is created, which takes more than a second of
each process that fits a network.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim.adamw import adamw


class TorchAdam:
    """Adam's moment estimates of some parameters, and the steps by them."""

    def __init__(
        self, groups: Sequence[tuple[Sequence[Tensor], float]], decays: tuple[float, float], fused: bool
    ) -> None:
        """`groups` are parameters with their weight decay; `decays` are those of the two moment estimates."""
        self._groups, self._decays, self._fused = groups, decays, fused
        self.state = {
            parameter: {
                "step": torch.tensor(0.0),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
            for parameters, _ in groups
            for parameter in parameters
        }
        """The number of steps and the moment estimates of each parameter, by torch's names for them."""

    @torch.no_grad()
    def step(self, learning_rate: float, epsilon: float = 1e-8) -> None:
        """Change the parameters by one step; each must have a gradient."""
        for parameters, weight_decay in self._groups:
            states = [self.state[parameter] for parameter in parameters]
            adamw(
                list(parameters),
                [parameter.grad for parameter in parameters if parameter.grad is not None],
                [state["exp_avg"] for state in states],
                [state["exp_avg_sq"] for state in states],
                [],
                [state["step"] for state in states],
                fused=self._fused,
                amsgrad=False,
                beta1=self._decays[0],
                beta2=self._decays[1],
                lr=learning_rate,
                weight_decay=weight_decay,
                eps=epsilon,
                maximize=False,
            )
