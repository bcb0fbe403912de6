"""The steps are those of torch's own optimizers, and a fit doesn't import what these do."""

import subprocess

import pytest
import torch

from nextreel.models.training.torch_adam import TorchAdam
from tests import warm_python

DECAYS = (0.9, 0.98)
FIT = """
import sys
import nextreel
from nextreel.testing import tiny_dataset

for name in ("funk-svd", "transformer"):
    nextreel.fit(tiny_dataset(), name, dimensions=8, epochs=1)
print("torch" in sys.modules, "torch._dynamo" in sys.modules)
"""


def parameters() -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    return [torch.randn(*shape, generator=random).requires_grad_() for shape in ((7, 3), (5,), (4,))]


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("weight_decay", [0.1, 0.0])
def test_the_steps_are_those_of_torchs_own_optimizers(fused: bool, weight_decay: float) -> None:
    ours, theirs = parameters(), parameters()
    adam = TorchAdam([(ours[:2], weight_decay), (ours[2:], 0.0)], DECAYS, fused)
    own_class = torch.optim.AdamW if weight_decay else torch.optim.Adam
    own = own_class(theirs[:2], betas=DECAYS, weight_decay=weight_decay, fused=fused)
    own.add_param_group({"params": theirs[2:], "weight_decay": 0.0})
    random = torch.Generator().manual_seed(1)
    for step in range(5):
        rate, epsilon = 0.01 / (1 + step), 1e-8 * (1 + step)
        for group in own.param_groups:
            group |= {"lr": rate, "eps": epsilon}
        for our, their in zip(ours, theirs, strict=True):
            our.grad = their.grad = torch.randn(our.shape, generator=random)
        adam.step(rate, epsilon)
        own.step()
    for our, their in zip(ours, theirs, strict=True):
        assert torch.equal(our, their)
        for name in ("step", "exp_avg", "exp_avg_sq"):
            assert torch.equal(adam.state[our][name], own.state[their][name])


def test_a_fit_does_not_import_torchs_compiler() -> None:
    command = [*warm_python.python(), "-c", FIT]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "True False\n"
