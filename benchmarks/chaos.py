"""Chaos: what is found after commands were killed, after their writes failed, and after a loss of power?

`tests.chaos` says how. The config names the way (faults or power-loss) and the commands.
"""

from benchmarks.run import Config, Result
from tests.chaos.commands import COMMANDS
from tests.chaos.faults import run_with_faults
from tests.chaos.forks import import_libraries
from tests.chaos.power_loss import lose_power


def measure(config: Config, data: object) -> Result:
    """Return what came of each of the config's commands; `data` isn't used."""
    import_libraries()
    found = []
    for name in config["commands"]:
        command = COMMANDS[name]
        if config["way"] == "faults":
            report = run_with_faults(command, config["most"], config["seed"])
        else:
            report = lose_power(command, config["most"], config["seed"])
        found.append(report.facts())
        print(found[-1], flush=True)
    return {"commands": found}
