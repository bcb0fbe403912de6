"""Data-parallel training: processes that learn the same network together, each from its parts of every batch.

Each process, a replica, computes the gradients of its parts. All of them get the gradients of all parts and sum them in
the order of the parts, so every replica does the same step, and learns what a single process would have learned.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

    from nextreel.models.training.epochs import Training

Shared = TypeVar("Shared")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Replicas:
    """This process among the replicas; those of more than one are connected by torch's default process group."""

    number: int = 0
    """Number of this replica, from 0."""
    count: int = 1
    """How many replicas there are."""

    def share(self, n_parts: int) -> range:
        """Return the numbers of the parts that this replica computes; all, if there are fewer parts than replicas."""
        return range(self.number, n_parts, self.count) if n_parts >= self.count else range(n_parts)

    def sum_parts(self, parts: "Sequence[Tensor]", n_parts: int) -> "Tensor":
        """Return the sum over all parts, in their order, of tensors of one shape.

        Parameters
        ----------
        parts : sequence of Tensor
            Those of this replica's share.
        n_parts : int
            The number of all parts: a multiple of the number of replicas, or smaller than that.
        """
        import torch

        own = torch.stack(list(parts))
        if self.count == 1 or n_parts < self.count:
            return own.sum(0)
        gathered = [torch.empty_like(own) for _ in range(self.count)]
        torch.distributed.all_gather(gathered, own)
        return torch.stack(gathered, 1).flatten(0, 1).sum(0)

    def agree(self, value: float) -> float:
        """Return the first replica's value."""
        if self.count == 1:
            return value
        import torch

        agreed = torch.tensor([value], dtype=torch.float64)
        torch.distributed.broadcast(agreed, 0)
        return float(agreed)


class RunReplicas(Protocol):
    """Calls a function in several processes at once, and returns what the first of them returned.

    The function is one of a module, so that a process elsewhere can import it. It gets what all replicas need, and a
    `Training` that names the process among them. Of the caller's `Training`, the callbacks and the checkpoint stay with
    the caller: the first replica's steps and epochs are passed on to it.
    """

    def __call__(
        self, function: "Callable[[Shared, Training], Result]", shared: Shared, training: "Training"
    ) -> Result:
        """Call `function(shared, training)` in each process."""
