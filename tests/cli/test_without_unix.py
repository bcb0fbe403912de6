"""Imports and commands without the modules, signals and functions that Windows lacks. Nothing else of Windows is tested."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving.servers import LATE, serving

WITHOUT = Path(__file__).parent / "without_unix"
COMMANDS = """
--help
sample data --users 60 --movies 90 --ratings 1800
check data
split data parts
fit parts --model popularity --out model
evaluate model parts
recommend model --user 1
compare parts --models popularity
models add served model
models list served
"""
RUN_COMMANDS = """
import sys
from nextreel.cli import main

if __name__ == "__main__":  # and not in the processes in which `compare` fits models
    for command in sys.argv[1].strip().splitlines():
        sys.argv = ["nextreel", *command.split()]
        print("$", sys.argv[1])
        try:
            main()
        except SystemExit as end:
            if end.code:
                raise
"""


@pytest.fixture(autouse=True)
def without_unix(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run all processes of a test without what only Unix has."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(WITHOUT), os.environ.get("PYTHONPATH", "")]))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def run(*command: str, home: Path) -> str:
    process = subprocess.run(command, capture_output=True, text=True, cwd=home, check=False)
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


def test_what_only_unix_has_is_gone(home: Path) -> None:
    code = (
        "import os, signal, sys; print(sys.modules['fcntl'], hasattr(signal, 'SIGHUP'), hasattr(os, 'fork'))"
    )
    assert run(sys.executable, "-c", code, home=home) == "None False False\n"


def test_every_module_can_be_imported(home: Path) -> None:
    code = (
        "import importlib, pkgutil, nextreel\n"
        "for module in pkgutil.walk_packages(nextreel.__path__, 'nextreel.'):\n"
        "    if module.name != 'nextreel.__main__': importlib.import_module(module.name)\n"
    )
    run(sys.executable, "-c", code, home=home)


def test_commands_and_a_server_run(home: Path) -> None:
    printed = run(sys.executable, "-c", RUN_COMMANDS, COMMANDS, home=home)
    assert "Usage" in printed.partition("$ sample")[0]
    assert "popularity" in printed.partition("$ compare")[2].partition("$ models")[0]
    with serving(home / "model", f"sqlite:///{home}/nextreel.db") as server:
        assert server.recommend(1, LATE)["history_length"] > 0
        server.rate(1, 2, 5.0, LATE - 1)
