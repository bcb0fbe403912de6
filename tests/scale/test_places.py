"""What `--on` says where a place can't be used: one sentence, before any data are read."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import fail

COMMANDS = {
    "backtest": ("data",),
    "compare": ("data",),
    "fit": ("data", "--model", "ease"),
    "recommend": ("model", "--queries", "queries.csv", "--out", "lists"),
    "tune": ("data",),
}
every_command = pytest.mark.parametrize("command", COMMANDS)


@every_command
def test_what_is_no_place_is_refused(command: str, tmp_path: Path) -> None:
    message = fail(command, *COMMANDS[command], "--on", "ray://head:10001", cwd=tmp_path)
    assert message == (
        "nextreel: --on 'ray://head:10001': expected local, ray, or HOST:PORT of a cluster that this machine is part of\n"
    )


@every_command
def test_an_address_where_nobody_answers_is_refused_at_once(command: str, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{unused.getsockname()[1]}"
        message = fail(command, *COMMANDS[command], "--on", place, cwd=tmp_path)
    assert message.startswith(f"nextreel: --on {place}: no Ray cluster answers there (")
    assert message.count("\n") == 1


def test_without_the_token_that_a_cluster_requires_the_variable_for_it_is_named(address: str) -> None:
    program = f"from nextreel.scale.ray_cluster import connect\nwith connect({address!r}): pass"
    once = {**os.environ, "RAY_AUTH_MODE": "disabled", "RAY_NUM_REDIS_GET_RETRIES": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=once, capture_output=True, text=True, check=False
    )
    message = done.stderr.splitlines()[-1]
    assert message.startswith(f"nextreel.errors.ConfigError: --on {address}: no Ray cluster answers there (")
    assert message.endswith("); if it requires a token, set RAY_AUTH_MODE=token")


@every_command
def test_without_ray_a_sentence_names_the_extra(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    message = fail(command, *COMMANDS[command], "--on", "ray", cwd=tmp_path)
    assert message.startswith("nextreel: this needs ray, which isn't installed")
    assert message.count("\n") == 1
    assert ".[scale]" in message


@every_command
def test_a_gpu_is_refused(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXTREEL_DEVICE", "cuda")
    message = fail(command, *COMMANDS[command], "--on", "ray", cwd=tmp_path)
    assert message == "nextreel: device cuda: a Ray cluster computes on CPUs here; expected auto or cpu\n"
