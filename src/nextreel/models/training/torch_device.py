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


def has_matrix_units(device: "torch.device") -> bool:
    """Return whether a device multiplies bfloat16 matrices by units of its own, so faster than those of float32."""
    import torch

    if device.type == "cpu":
        return torch.cpu._is_amx_tile_supported()
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
