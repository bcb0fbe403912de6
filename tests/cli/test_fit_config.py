import json
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest

from nextreel.data.sources.synthetic_data import make_sample, write_sample
from tests.cli.commands import fail, succeed


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    write_sample(make_sample(users=60, movies=80, ratings=1600), home / "data")
    (home / "ease.toml").write_text('model = "ease"\n[options]\nregularization = 50\nhalf_life = 2.5\n')
    (home / "wrong.toml").write_text('model = "ease"\n[options]\nregularization = -5\n')
    return home


def fitted(home: Path, *arguments: object) -> dict[str, Any]:
    succeed("fit", "data", "--out", "model", *arguments, cwd=home)
    manifest: dict[str, Any] = json.loads((home / "model" / "manifest.json").read_text())
    return manifest


def test_a_file_names_the_model_and_its_options(home: Path) -> None:
    manifest = fitted(home, "--config", "ease.toml")
    assert manifest["model"] == "ease"
    assert manifest["config"] == {
        "regularization": 50,
        "half_life": 2.5,
        "unliked_weight": 0.5,
        "most_movies": 10_000,
    }


def test_an_option_on_the_command_line_overrides_the_file(home: Path) -> None:
    manifest = fitted(home, "--config", "ease.toml", "--model", "ease", "--set", "regularization=70")
    assert (manifest["config"]["regularization"], manifest["config"]["half_life"]) == (70, 2.5)


def test_the_command_that_tune_prints_fits_the_best_options(home: Path) -> None:
    fixed = ("--set", "half_life=null")
    printed = succeed("tune", "data", "-m", "ease", "--trials", 3, *fixed, "--out", "my tuning", cwd=home)
    nextreel, *command = shlex.split(printed.strip().splitlines()[-1])
    assert (nextreel, command[:4]) == ("nextreel", ["fit", "data", "--config", "my tuning/best.toml"])
    succeed(*command, "--out", "model", cwd=home)
    config = json.loads((home / "model" / "manifest.json").read_text())["config"]
    best = tomllib.loads((home / "my tuning" / "best.toml").read_text())["options"]
    assert (
        config
        == {"regularization": 2000, "unliked_weight": 0.5, "half_life": None, "most_movies": 10_000} | best
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--config", "wrong.toml"],
            "wrong.toml: option regularization of ease is -5; expected a number above 0",
        ),
        (["--config", "nothing.toml"], "nothing.toml: can't be read (No such file or directory)"),
        (
            ["--config", "ease.toml", "--model", "als"],
            "ease.toml has options of ease, --model names als: leave one of them out",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_clear_message(home: Path, arguments: list[str], message: str) -> None:
    assert message in fail("fit", "data", "--out", "new", *arguments, cwd=home)
    assert not (home / "new").exists()
