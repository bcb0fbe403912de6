"""The steps are those of torch's own optimizers, and what these import isn't needed."""

import subprocess
from pathlib import Path

import pytest
import torch

from nextreel.models.training.torch_adam import TorchAdam
from tests import warm_python

DECAYS = (0.9, 0.98)
FIT_AND_LOAD = """
import sys
import nextreel
from nextreel.prediction.saving import save
from nextreel.testing import tiny_dataset

for name in ("funk-svd", "transformer"):
    save(nextreel.fit(tiny_dataset(), name, dimensions=8, epochs=1), name)
    nextreel.load(name)
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


def test_neither_a_fit_nor_a_model_that_is_loaded_imports_torchs_compiler(tmp_path: Path) -> None:
    command = [*warm_python.python(), "-c", FIT_AND_LOAD]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "True False\n"
