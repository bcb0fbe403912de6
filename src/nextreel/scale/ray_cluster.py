"""Where a job runs: in this process, on a Ray cluster that is started on this machine, or on one that runs already."""

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from logging import CRITICAL
from typing import Any

from nextreel.errors import ConfigError, require
from nextreel.machine import DEVICE_VARIABLE, usable_cores
from nextreel.version import __version__

LOCAL, RAY = "local", "ray"
"""Names of places: this process, and a cluster that lives as long as the job."""
ADDRESS = re.compile(r"[^/\s:]+:[0-9]+")
"""Form of the address of a running cluster that this machine is part of."""
CONNECT_SECONDS = 10.0
"""Longest time until the head of a cluster takes a connection."""
TOKEN_HINT = "; if it requires a token, set RAY_AUTH_MODE=token"
"""What may help if a cluster doesn't answer: Ray's own message doesn't say that a token was missing."""
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # otherwise Ray announces on stderr that the default will change
    "RAY_worker_niceness": "0",  # 15 by default, with which a busy machine gives workers next to nothing
}
"""Environment of a cluster that is started here: it sends nothing home, says nothing, and computes as this process
would."""


def check_place(place: str) -> str:
    """Return the name of a place if it is one.

    Raises
    ------
    ConfigError
        It isn't local, ray or HOST:PORT.
    """
    if place in (LOCAL, RAY) or ADDRESS.fullmatch(place):
        return place
    raise ConfigError(
        f"--on {place!r}: expected local, ray, or HOST:PORT of a cluster that this machine is part of"
    )


@contextmanager
def connect(place: str) -> Iterator[Any]:
    """Connect this process to a cluster and yield the module `ray`; a cluster that starts here ends with the block.

    A process that is connected already stays as it is, with the cluster that it chose.

    Raises
    ------
    ConfigError
        There is no cluster at this address.
    MissingExtraError
        Ray isn't installed.
    """
    ray = require("ray", "scale")
    if ray.is_initialized():
        yield ray
        return
    if place != RAY:
        require_listener(place)
    os.environ |= ENVIRONMENT
    quietly = {"log_to_driver": False, "logging_level": CRITICAL}
    try:
        if place == RAY:
            # Without an address, Ray would join any cluster that it finds on this machine.
            ray.init("local", num_cpus=usable_cores(), include_dashboard=False, **quietly)
        else:
            ray.init(place, **quietly)
    except Exception as error:  # Ray raises this class itself where a cluster isn't up after 30 s
        raise _no_cluster(place, error, TOKEN_HINT if place != RAY else "") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def prepare_worker(version: str, threads: int) -> None:
    """Have this worker process compute on the CPU with so many threads.

    Raises ConfigError unless it has the version of nextreel that submitted the work.
    """
    if version != __version__:
        raise ConfigError(
            f"the Ray cluster has nextreel {__version__}, this machine has {version}: install the same everywhere"
        )
    os.environ |= {"OMP_NUM_THREADS": str(threads), DEVICE_VARIABLE: "cpu"}


def require_listener(address: str) -> None:
    """Raise ConfigError at once if nothing listens at an address; Ray tries for minutes, and writes to the terminal."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:  # a port may be too large a number
        raise _no_cluster(address, error) from error


def _no_cluster(place: str, error: Exception, hint: str = "") -> ConfigError:
    reason = str(error).strip().partition("\n")[0]
    trouble = "Ray doesn't start here" if place == RAY else "no Ray cluster answers there"
    return ConfigError(f"--on {place}: {trouble} ({reason}){hint}")
