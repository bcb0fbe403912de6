"""All faults, or losses of power, of commands; see `make chaos`.

python -m tests.chaos faults|power-loss [COMMAND …]
"""

import json
import sys
from collections.abc import Callable
from functools import partial

from tests.chaos.commands import COMMANDS, Command
from tests.chaos.faults import Report, run_with_faults
from tests.chaos.forks import import_libraries
from tests.chaos.power_loss import lose_power

WAYS: dict[str, Callable[[Command], Report]] = {
    "faults": run_with_faults,
    "power-loss": partial(lose_power, most=1_000),
}


def main(way: str, *names: str) -> int:
    """Print a line of JSON for each command, and return how much didn't hold."""
    import_libraries()
    problems = 0
    for name in names or COMMANDS:
        report = WAYS[way](COMMANDS[name])
        print(json.dumps(report.facts()), flush=True)
        problems += len(report.problems)
    return problems


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) > 0)
