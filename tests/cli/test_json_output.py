"""`--json` prints JSON to stdout with every command that has it; `--json-file` writes it to a file too."""

import json
from pathlib import Path

import pytest

from nextreel.serving.storage.model_versions import VersionDirectory
from tests.cli.commands import fail, succeed

COMMANDS = {
    "evaluate": ("evaluate", "model", "parts"),
    "compare": ("compare", "parts", "--models", "popularity", "--history", "live", "--k", "5"),
    "audit": ("audit", "parts", "popularity"),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    succeed("sample", "data", "--users", 60, "--movies", 90, "--ratings", 1800, cwd=home)
    succeed("split", "data", "parts", cwd=home)
    succeed("fit", "parts", "--out", "model", "--model", "popularity", cwd=home)
    VersionDirectory.create(home / "versions").add(home / "model", "a")
    return home


@pytest.mark.parametrize(
    "arguments",
    [
        *COMMANDS.values(),
        ("check", "data"),
        ("recommend", "model", "--user", "3"),
        ("models",),
        ("models", "list", "versions"),
        ("keys", "list"),
    ],
    ids=" ".join,
)
def test_json_is_all_that_stdout_gets(home: Path, arguments: tuple[str, ...]) -> None:
    assert json.loads(succeed(*arguments, "--json", cwd=home)) is not None


@pytest.mark.parametrize("command", COMMANDS)
def test_the_file_has_what_is_printed_and_the_table_stays(home: Path, tmp_path: Path, command: str) -> None:
    file = tmp_path / "figures.json"
    table = succeed(*COMMANDS[command], "--json-file", file, cwd=home)
    assert not table.startswith("{")
    printed = succeed(*COMMANDS[command], "--json-file", file, "--json", cwd=home)
    assert json.loads(printed) == json.loads(file.read_text())


@pytest.mark.parametrize("command", COMMANDS)
def test_json_may_stand_before_the_arguments(home: Path, command: str) -> None:
    name, *arguments = COMMANDS[command]
    assert json.loads(succeed(name, "--json", *arguments, cwd=home))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_that_is_not_json_is_replaced_only_by_force(home: Path, tmp_path: Path, command: str) -> None:
    file = tmp_path / "thesis.txt"
    file.write_text("Chapter 1")
    arguments = (*COMMANDS[command], "--json-file", file)
    assert "thesis.txt exists and isn't JSON; nothing was written" in fail(*arguments, cwd=home)
    assert file.read_text() == "Chapter 1"
    succeed(*arguments, "--force", cwd=home)
    succeed(*arguments, cwd=home)
