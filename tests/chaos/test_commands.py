"""A few commands under all faults and losses of power; `make chaos` runs all of them."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import warm_python
from tests.chaos.commands import COMMANDS
from tests.chaos.tracing import require_strace

SOME_FAULTS = """
from tests.chaos.forks import import_libraries
from tests.chaos.commands import COMMANDS
from tests.chaos.faults import run_with_faults
import json
import_libraries()
print(json.dumps(run_with_faults(COMMANDS["promote"], most=5).facts()))
"""


def run(*arguments: str) -> list[dict[str, Any]]:
    """Run it in a process that has computed nothing, since it forks."""
    require_strace()
    command = [*warm_python.python(), *arguments]
    printed = subprocess.run(
        command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True, check=False
    ).stdout
    return [json.loads(line) for line in printed.splitlines()]


def test_a_promotion_that_is_killed_or_fails_leaves_the_old_version_or_the_new_one() -> None:
    (promote,) = run("-c", SOME_FAULTS)
    assert promote["problems"] == []
    assert promote["runs"] == 5
    assert promote["old"] > 0


def test_a_loss_of_power_leaves_the_old_state_or_the_new_one() -> None:
    for command in run("-m", "tests.chaos", "power-loss", "promote", "convert"):
        assert command["problems"] == []
        assert command["old"] > 0
        assert command["new"] > 0
        assert command["other"] == command["refused"] == 0


@pytest.mark.parametrize(
    "name", ["fit", "split", "convert", "promote", "import", "ingest", "evaluate --save"]
)
def test_the_commands_that_write_are_tried(name: str) -> None:
    assert name in COMMANDS
