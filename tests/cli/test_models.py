import json
from pathlib import Path

import pytest

from nextreel.artifacts import MANIFEST
from nextreel.models.popularity import Popularity
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import save
from nextreel.serving.storage.model_versions import VersionDirectory
from nextreel.testing import tiny_dataset
from tests.cli.commands import fail, succeed


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Directory with a saved model and two versions of it, a and b; a is the current one."""
    dataset = tiny_dataset()
    save(Predictor(Popularity().fit(dataset), dataset), tmp_path / "saved")
    versions = VersionDirectory.create(tmp_path / "models")
    versions.add(tmp_path / "saved", "a")
    versions.add(tmp_path / "saved", "b")
    return tmp_path


def test_a_first_version_can_be_served_and_a_later_one_promoted(home: Path) -> None:
    printed = succeed("models", "add", "new", "saved", "--name", "a", cwd=home)
    assert printed == "a is in new and is current. Next: nextreel serve new\n"
    printed = succeed("models", "add", "new", "saved", "--name", "b", cwd=home)
    assert printed == "b is in new. Next: nextreel models promote new b\n"


def test_promote_and_rollback_move_the_current_version(home: Path) -> None:
    assert succeed("models", "promote", "models", "b", cwd=home).startswith("b (popularity, data until 1970-")
    assert VersionDirectory.open(home / "models").current.name == "b"
    assert succeed("models", "rollback", "models", cwd=home).startswith("a (popularity, data until 1970-")
    assert VersionDirectory.open(home / "models").current.name == "a"


def test_the_list_shows_each_version_and_which_is_current(home: Path) -> None:
    (home / "models" / "versions" / "b" / MANIFEST).write_text("{")
    printed = succeed("models", "list", "models", cwd=home)
    rows = [line.replace("│", " ").split() for line in printed.splitlines()]
    assert ["current", "a", "popularity"] in [row[:3] for row in rows]
    assert ["b", "damaged"] in rows
    assert "b: models/versions/b/manifest.json is damaged: " in printed
    assert "Expecting property name enclosed in double quotes" in printed


def test_a_damaged_version_cannot_be_promoted(home: Path) -> None:
    (home / "models" / "versions" / "b" / "model.safetensors").write_bytes(b"")
    message = fail("models", "promote", "models", "b", cwd=home)
    assert message.startswith("nextreel: b can't become current; a stays current: ")
    assert VersionDirectory.open(home / "models").current.name == "a"


def test_old_versions_are_listed_and_deleted_only_with_yes(home: Path) -> None:
    versions = VersionDirectory.open(home / "models")
    versions.add(home / "saved", "c")
    versions.promote("c")
    assert succeed("models", "prune", "models", cwd=home) == "Nothing to delete: models has 3 versions.\n"
    command = "nextreel models prune models --keep 1 --yes"
    shown = succeed("models", "prune", "models", "--keep", 1, cwd=home)
    assert shown == f"Would delete b; 2 versions would be left. To delete: {command}\n"
    assert len(versions.list()) == 3
    assert succeed(*command.split()[1:], cwd=home) == "Deleted b; 2 versions left.\n"
    assert succeed("models", "rollback", "models", cwd=home).startswith("a (popularity")


def test_a_saved_model_is_listed_as_one_version(home: Path) -> None:
    (version,) = json.loads(succeed("models", "list", "saved", "--json", cwd=home))
    assert (version["model"], version["current"]) == ("popularity", True)


@pytest.mark.parametrize("command", ["list", "add", "promote", "rollback", "prune", "data"])
def test_every_command_on_versions_has_a_help_text(command: str) -> None:
    assert f"nextreel models {command} [OPTIONS]" in succeed("models", command, "--help")
