"""What helps to find a command, a model or an option: groups in the help, the list of models, completion."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nextreel.models.registry import model_class, model_names
from tests import warm_python
from tests.cli.commands import fail, make_environment, succeed


def test_the_help_lists_commands_in_groups() -> None:
    lines = succeed("--help").splitlines()
    headings = [line.removesuffix(":") for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert headings == ["Options", "Start here", "Data", "Models", "Evaluation", "Serving"]
    groups = {heading: lines.index(f"{heading}:") for heading in headings}
    assert (
        groups["Data"]
        < lines.index(next(line for line in lines if line.startswith("  split ")))
        < groups["Models"]
    )


def test_the_list_of_models_has_each_model_with_its_options() -> None:
    printed = succeed("models")
    for name in model_names():
        assert f"\n{name}" in f"\n{printed}"
        for option in model_class(name).Config.model_fields:
            assert f"--set {option}" in printed
    assert "popularity  (preset simple)\n  Popularity as of the query's timestamp." in "\n".join(
        line.rstrip() for line in printed.splitlines()
    )
    assert "--set window_days=null" in printed


def test_the_list_of_models_as_json_has_values_that_set_accepts(tmp_path: Path) -> None:
    models = {model["name"]: model for model in json.loads(succeed("models", "--json"))}
    assert list(models) == model_names()
    assert models["sequential-ridge"]["is_default"]
    options = [
        f"--set={option['name']}={json.dumps(option['default'])}" for option in models["item-knn"]["options"]
    ]
    succeed("sample", "data", "--users", 60, "--movies", 90, "--ratings", 1800, cwd=tmp_path)
    succeed("fit", "data", "--model", "item-knn", *options, cwd=tmp_path)


def test_a_model_without_its_package_is_listed_with_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('No module named torch', name='torch')\n")
    source = str(Path(__file__).parents[2] / "src")
    done = subprocess.run(
        [sys.executable, "-m", "nextreel", "models"],
        capture_output=True,
        text=True,
        env=make_environment(PYTHONPATH=f"{tmp_path}:{source}"),
        check=True,
    )
    assert "transformer needs torch, which isn't installed" in done.stdout
    assert "--set window_days=null" in done.stdout


def test_an_unknown_command_on_versions_is_an_error() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nextreel", "models", "oracle"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "No such command 'oracle'" in done.stderr


def test_fit_still_needs_a_directory() -> None:
    assert "no-such-directory" in fail("fit", "no-such-directory")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_of_a_shell_can_be_shown(shell: str) -> None:
    assert "_NEXTREEL_COMPLETE" in complete(f"source_{shell}")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("nextreel com", ["compare"]),
        ("nextreel models pro", ["promote"]),
        ("nextreel evaluate model parts --json", ["--json", "--json-file"]),
        ("nextreel fit data --model se", ["sequential-ridge"]),
        ("nextreel tune data --model b", ["best", "baseline", "blend"]),
    ],
)
def test_commands_options_and_models_are_completed(words: str, expected: list[str]) -> None:
    completed = complete("complete_bash", COMP_WORDS=words, COMP_CWORD=str(len(words.split()) - 1))
    assert completed.split() == expected


def complete(instruction: str, **variables: str) -> str:
    code = "import sys; sys.argv[0] = 'nextreel'; from nextreel.cli import main; main()"
    environment = make_environment(_NEXTREEL_COMPLETE=instruction, **variables)
    done = subprocess.run(
        [*warm_python.python(), "-c", code], capture_output=True, text=True, env=environment, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout
