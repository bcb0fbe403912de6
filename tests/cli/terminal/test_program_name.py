import subprocess
import sys
from pathlib import Path

import pytest

from nextreel.cli.terminal.program_name import next_command, program_name
from tests.cli.commands import succeed


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with nextreel in its .venv, which isn't on the PATH, as the current directory."""
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("nextreel", "python"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin")
    return tmp_path


def name_program(project: Path, started: str) -> str:
    return program_name([started], str(project / ".venv" / "bin" / "python"))


def test_a_program_on_the_path_has_its_short_name(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(project / ".venv" / "bin"))
    assert name_program(project, str(project / ".venv" / "bin" / "nextreel")) == "nextreel"


@pytest.mark.parametrize("started", [".venv/bin/nextreel", "/elsewhere/nextreel/__main__.py"])
def test_a_program_that_is_not_on_the_path_is_named_from_the_current_directory(
    project: Path, started: str
) -> None:
    assert name_program(project, started) == ".venv/bin/nextreel"


def test_another_nextreel_on_the_path_is_not_this_one(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = project / "other"
    other.mkdir()
    (other / "nextreel").write_text("#!/bin/sh\n")
    (other / "nextreel").chmod(0o755)
    monkeypatch.setenv("PATH", str(other))
    assert name_program(project, ".venv/bin/nextreel") == ".venv/bin/nextreel"


def test_a_module_without_a_script_is_run_by_its_python(project: Path) -> None:
    (project / ".venv" / "bin" / "nextreel").unlink()
    assert name_program(project, "/elsewhere/nextreel/__main__.py") == ".venv/bin/python -m nextreel"


def test_a_name_with_blanks_is_quoted(project: Path) -> None:
    assert next_command("fit", "my data").endswith(" fit 'my data'")


def test_what_the_demo_prints_as_next_works_as_printed(tmp_path: Path) -> None:
    """Run the demo's commands on its own results in a shell whose PATH doesn't have nextreel."""
    succeed("sample", "data", "--users", 200, "--movies", 90, "--ratings", 6000, cwd=tmp_path)
    demo = [sys.executable, "-m", "nextreel", "demo", "--data", "data"]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(demo, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    another = next(line for line in done.stdout.splitlines() if line.startswith("  another user"))
    command = another.removeprefix("  another user").strip()
    shown = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert "should watch next" in shown.stdout
    assert "Nothing was known" not in shown.stdout
    rerun = [line.removeprefix("$ ") for line in done.stdout.splitlines() if line.startswith("$ ")]
    assert len(rerun) == 6
    subprocess.run(["sh", "-ec", rerun[-2]], cwd=tmp_path, env=environment, check=True, capture_output=True)
