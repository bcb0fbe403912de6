"""The device on which torch's models learn and score: a GPU if there is one, else the CPU."""

import os
from typing import TYPE_CHECKING

from nextreel.errors import ConfigError
from nextreel.machine import DEVICE_VARIABLE, DEVICES

if TYPE_CHECKING:
    import torch


def choose_device() -> "torch.device":
    """Return the device that the environment variable names.

    Raises
    ------
    ConfigError
        The name is unknown, or this machine has no such device.
    """
    import torch

    name = os.environ.get(DEVICE_VARIABLE, "auto")
    if name not in DEVICES:
        raise ConfigError(f"{DEVICE_VARIABLE} is {name!r}; expected one of {', '.join(DEVICES)}")
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(device for device, is_present in present.items() if is_present)
    if not present[name]:
        raise ConfigError(f"device {name}: torch finds none on this machine; expected auto or cpu")
    return torch.device(name)


def has_bfloat16_instructions(device: "torch.device") -> bool:
    """Return whether a device has instructions for products of bfloat16 matrices, so is faster than in float32."""
    import torch

    if device.type == "cpu":  # AMX is in Intel's server processors, AVX-512 BF16 also in AMD's since Zen 4
        return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
