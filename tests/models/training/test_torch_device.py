import pytest
import torch

from nextreel.errors import ConfigError
from nextreel.machine import DEVICE_VARIABLE
from nextreel.models.training.torch_device import choose_device


def test_the_device_is_the_cpu_where_it_is_asked_for_or_there_is_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(DEVICE_VARIABLE, "cpu")
    assert choose_device().type == "cpu"
    monkeypatch.delenv(DEVICE_VARIABLE)
    has_gpu = torch.cuda.is_available() or torch.backends.mps.is_available()
    assert (choose_device().type == "cpu") != has_gpu


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tpu", "NEXTREEL_DEVICE is 'tpu'; expected one of auto, cpu, cuda, mps"),
        pytest.param(
            "cuda",
            "device cuda: torch finds none on this machine; expected auto or cpu",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU"),
        ),
    ],
)
def test_a_device_that_is_not_there_is_an_error(
    name: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DEVICE_VARIABLE, name)
    with pytest.raises(ConfigError, match=message):
        choose_device()
