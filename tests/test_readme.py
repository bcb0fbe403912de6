"""The examples of README.md, run as they stand there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(sh|python)\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    line.split("#")[0].strip()
    for kind, block in BLOCKS
    if kind == "sh"
    for line in block.splitlines()
    if "nextreel " in line
]
BASH = re.findall(r"```(bash)\n(.*?)```", README, re.DOTALL)
SCRIPTS = [block for kind, block in BLOCKS if kind == "python"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where README's commands have been run one after another, on a small sample in DIR."""
    home = tmp_path_factory.mktemp("readme")
    run(home, "nextreel sample DIR --users 60 --movies 90 --ratings 1800")
    (home / "queries.csv").write_text("UserID,Timestamp\n5,1700000000\n")
    for command in COMMANDS:
        run(home, command.replace("nextreel fit course", "nextreel fit course --out course-model"))
    return home


def run(home: Path, command: str) -> str:
    """A command as in a shell, with this interpreter's nextreel."""
    done = subprocess.run(
        command.replace("nextreel ", f"{sys.executable} -m nextreel "),
        shell=True,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_commands_leave_what_they_promise(home: Path) -> None:
    assert {"parts", "model", "answers.csv", "course"} <= {path.name for path in home.iterdir()}
    assert (home / "course-model" / "loss.png").stat().st_size > 1_000


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.splitlines()[-1][:40])
def test_a_python_example_runs_and_prints(home: Path, script: str, tmp_path: Path) -> None:
    shutil.copytree(home, tmp_path / "home")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=tmp_path / "home",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_the_server_answers_every_example(home: Path, tmp_path: Path) -> None:
    lines = [line for kind, block in BASH for line in block.splitlines()]
    serve = next(line for line in lines if line.startswith("nextreel serve"))
    examples = [line for line in lines if line.startswith("curl ")]
    assert len(examples) >= 4
    run(tmp_path, f"nextreel fit {home / 'DIR'} --out model")
    command = serve.replace("nextreel", f"{sys.executable} -m nextreel", 1) + " --port 0"
    with subprocess.Popen(command.split(), cwd=tmp_path, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = next(match[0] for line in server.stdout if (match := re.search(r"http://[0-9.:]+", line)))
        try:
            for example in examples:
                done = subprocess.run(
                    example.replace("http://127.0.0.1:8000", address).replace(
                        "curl ", "curl --fail-with-body "
                    ),
                    shell=True,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert done.returncode == 0, f"{example}\n{done.stdout}{done.stderr}"
        finally:
            server.terminate()
