"""A run that is killed at any moment leaves the old state or the new one, and nothing else after the next run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nextreel.atomic_files import atomic_directory
from nextreel.atomic_files.unfinished import is_unfinished, recover_directory, unfinished_directory
from nextreel.errors import ArtifactError
from tests.atomic_files.killed_writers import FILES, MARKER, write


def state(path: Path) -> set[str]:
    assert {file.name for file in path.iterdir()} == set(FILES)
    return {file.read_text() for file in path.iterdir()}


@pytest.mark.parametrize("arguments", [("directory",), ("directory", "--no-exchange"), ("file",)])
def test_a_reader_finds_the_old_state_or_the_new_one_whenever_the_writer_is_killed(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    command = [sys.executable, "-m", "tests.atomic_files.killed_writers", str(tmp_path), *arguments]
    printed = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    states, name = printed["states"], "result.json" if arguments == ("file",) else "model"
    assert set(states) == {"old", "new"}
    assert states == sorted(states, reverse=True), "once the new state is there, it stays"
    assert printed["beside"] == [[name]] * len(states), "the next run deletes what was left over"


def test_the_work_of_a_living_run_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "model"
    with atomic_directory(path, MARKER) as slow:
        write(path, "quick")
        (slow / MARKER).write_text("slow")
    assert (path / MARKER).read_text() == "slow"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]


def test_two_runs_with_the_same_process_id_write_under_different_names(tmp_path: Path) -> None:
    with unfinished_directory(tmp_path / "model") as one, unfinished_directory(tmp_path / "model") as other:
        assert one != other
        assert str(os.getpid()) not in one.name
        assert is_unfinished(one)


def test_what_an_earlier_nextreel_left_between_two_renames_comes_back(tmp_path: Path) -> None:
    write(tmp_path / "model", "old")
    (tmp_path / "model").rename(tmp_path / ".model.4711.replaced")
    recover_directory(tmp_path / "model")
    assert state(tmp_path / "model") == {"old"}


def test_a_directory_that_holds_only_leftovers_counts_as_empty(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".search.json.0123456789abcdef.tmp").write_text("")
    write(tmp_path / "out", "new")
    assert state(tmp_path / "out") == {"new"}


def test_a_link_to_a_directory_is_replaced_and_its_target_stays(tmp_path: Path) -> None:
    write(tmp_path / "first", "old")
    (tmp_path / "current").symlink_to(tmp_path / "first")
    write(tmp_path / "current", "new")
    assert state(tmp_path / "first") == {"old"}
    assert state(tmp_path / "current") == {"new"}
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["current", "first"]


def test_a_name_of_the_greatest_length_can_be_written(tmp_path: Path) -> None:
    write(tmp_path / ("m" * 255), "new")
    assert state(tmp_path / ("m" * 255)) == {"new"}


def test_a_directory_that_somebody_else_made_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    def write_beside_another() -> None:
        with atomic_directory(tmp_path / "model", MARKER) as directory:
            (directory / MARKER).write_text("ours")
            (tmp_path / "model").mkdir()
            (tmp_path / "model" / "letter").write_text("dear")

    with pytest.raises(ArtifactError, match="model"):
        write_beside_another()
    assert (tmp_path / "model" / "letter").read_text() == "dear"
