"""Versions of a model in one directory: added, promoted, rolled back, and damaged."""

import itertools
import json
import multiprocessing
import os
import shutil
from pathlib import Path

import pytest

from nextreel.artifacts import MANIFEST, format_manifest
from nextreel.atomic_files import unfinished
from nextreel.atomic_files.unfinished import unfinished_directory
from nextreel.errors import ArtifactError, QueryError, StoreError
from nextreel.models.popularity import Popularity, PopularityConfig
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import load, save
from nextreel.serving.storage.model_versions import VersionDirectory
from nextreel.serving.storage.stored_versions import DamagedVersion
from nextreel.testing import tiny_dataset


def saved(path: Path, window_days: float = 30) -> Path:
    dataset = tiny_dataset()
    save(Predictor(Popularity(PopularityConfig(window_days=window_days)).fit(dataset), dataset), path)
    return path


def damage(model: Path) -> None:
    file = model / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def window_days(versions: VersionDirectory) -> float | None:
    config = load(versions.current.path).model.config
    assert isinstance(config, PopularityConfig)
    return config.window_days


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("versions")
    versions = VersionDirectory.create(home / "models")
    for window, name in enumerate("abc", 1):
        versions.add(saved(home / f"saved-{name}", window), name)
    return home


@pytest.fixture
def versions(made_once: Path, tmp_path: Path) -> VersionDirectory:
    """VersionDirectory a, b and c, whose windows are 1, 2 and 3 days; a is current."""
    return VersionDirectory.open(shutil.copytree(made_once / "models", tmp_path / "models"))


def test_what_a_killed_run_left_of_another_version_is_deleted_but_nothing_that_is_being_written(
    model: Path, tmp_path: Path
) -> None:
    versions = VersionDirectory.create(tmp_path / "versions")
    left = versions.directory / "versions" / f".20261127T211321Z-8d2dca7c.{'0' * 16}.writing"
    left.mkdir()
    (left / "interactions.safetensors").write_bytes(b"people")
    with unfinished_directory(versions.directory / "versions" / "b") as living:
        versions.add(model, "a")
        assert living.is_dir()
    assert [path.name for path in (versions.directory / "versions").iterdir()] == ["a"]


def test_the_first_version_is_current_and_a_later_one_waits(versions: VersionDirectory) -> None:
    assert [(version.name, version.current) for version in versions.list() if version.current] == [
        ("a", True)
    ]
    assert sorted(version.name for version in versions.list()) == ["a", "b", "c"]


def test_a_version_states_what_its_manifest_says(versions: VersionDirectory) -> None:
    version = versions.find("b")
    manifest = json.loads((version.path / MANIFEST).read_text())
    assert (version.name, version.model, version.current) == ("b", "popularity", False)
    assert version.created_at == manifest["created_at"]
    assert version.data_until == manifest["data"]["until"]


def test_the_figure_of_held_out_users_is_shown_where_a_fit_left_one(tmp_path: Path) -> None:
    dataset = tiny_dataset()
    facts: dict[str, object] = {"fit": {"validation_ndcg": 0.25}}
    save(Predictor(Popularity().fit(dataset), dataset), tmp_path / "model", facts)
    assert VersionDirectory.open(tmp_path / "model").current.validation_ndcg == 0.25


def test_a_promoted_version_is_what_is_loaded(versions: VersionDirectory) -> None:
    assert versions.promote("b").current
    assert window_days(versions) == 2


def test_another_reader_sees_a_promotion_at_once(versions: VersionDirectory) -> None:
    reader = VersionDirectory.open(versions.directory)
    versions.promote("c")
    assert reader.current.name == "c"


def test_a_rollback_goes_back_one_promotion_at_a_time(versions: VersionDirectory) -> None:
    versions.promote("b")
    versions.promote("c")
    assert versions.rollback().name == "b"
    assert versions.rollback().name == "a"
    with pytest.raises(QueryError, match="no earlier version to go back to"):
        versions.rollback()
    assert versions.current.name == "a"


def test_promoting_the_current_version_again_adds_nothing_to_go_back_to(versions: VersionDirectory) -> None:
    versions.promote("b")
    versions.promote("b")
    assert versions.rollback().name == "a"


def test_a_rollback_passes_over_a_version_that_was_removed(versions: VersionDirectory) -> None:
    versions.promote("b")
    versions.promote("c")
    versions.find("b").path.rename(versions.directory / "b")
    assert versions.rollback().name == "a"


def test_a_damaged_version_is_refused_and_the_old_one_stays(versions: VersionDirectory) -> None:
    damage(versions.find("b").path)
    with pytest.raises(
        ArtifactError, match=r"b can't become current; a stays current: .*doesn't match its SHA-256"
    ):
        versions.promote("b")
    assert window_days(versions) == 1


def test_a_version_of_another_nextreel_is_refused_though_its_files_are_whole(
    versions: VersionDirectory,
) -> None:
    manifest = versions.find("b").path / MANIFEST
    manifest.write_text(format_manifest({**json.loads(manifest.read_text()), "model": "oracle"}))
    with pytest.raises(
        ArtifactError, match=r"a stays current: .*holds the model .oracle., which isn.t registered here"
    ):
        versions.promote("b")
    assert versions.current.name == "a"


def test_a_rollback_to_a_damaged_version_is_refused(versions: VersionDirectory) -> None:
    versions.promote("b")
    damage(versions.find("a").path)
    with pytest.raises(ArtifactError, match="b stays current"):
        versions.rollback()
    assert versions.current.name == "b"


def test_promoting_the_current_version_verifies_it(versions: VersionDirectory) -> None:
    damage(versions.find("a").path)
    with pytest.raises(ArtifactError, match="SHA-256"):
        versions.promote("a")


def test_a_damaged_model_is_not_added(tmp_path: Path) -> None:
    damage(saved(tmp_path / "model"))
    versions = VersionDirectory.create(tmp_path / "models")
    with pytest.raises(ArtifactError, match="SHA-256"):
        versions.add(tmp_path / "model")
    assert list(versions.list()) == []
    assert [path.name for path in (tmp_path / "models" / "versions").iterdir()] == []


def test_a_version_with_a_damaged_manifest_is_listed_as_such_beside_the_others(
    versions: VersionDirectory,
) -> None:
    (versions.find("b").path / MANIFEST).write_text("{")
    *undamaged, damaged = versions.list()
    assert {version.name for version in undamaged} == {"a", "c"}
    assert isinstance(damaged, DamagedVersion)
    assert "is damaged" in damaged.problem


@pytest.mark.parametrize("name", ["../a", "a/../b", "", ".", ".hidden", "versions/a", "a\n", "x" * 101])
def test_a_name_that_would_leave_the_directory_or_hide_is_unknown_to_promote_and_refused_by_add(
    versions: VersionDirectory, name: str
) -> None:
    with pytest.raises(QueryError, match="has no version"):
        versions.promote(name)
    with pytest.raises(QueryError, match="can't be the name of a version"):
        versions.add(versions.find("a").path, name)


def test_an_unknown_version_is_an_error_that_names_the_known_ones(versions: VersionDirectory) -> None:
    with pytest.raises(QueryError, match="has no version 'd'; it has a, b, c"):
        versions.promote("d")


def test_without_a_name_a_version_is_named_by_its_moment_and_content(tmp_path: Path) -> None:
    versions = VersionDirectory.create(tmp_path / "models")
    created_at = json.loads((saved(tmp_path / "model") / MANIFEST).read_text())["created_at"]
    moment = created_at.replace("-", "").replace(":", "").removesuffix("+0000")
    name = versions.add(tmp_path / "model").name
    assert name.startswith(f"{moment}Z-")
    assert len(name) == len("20261125T005100Z-1f0c3a9b")


def test_adding_the_same_model_again_changes_nothing(tmp_path: Path) -> None:
    versions = VersionDirectory.create(tmp_path / "models")
    model = saved(tmp_path / "model")
    assert versions.add(model) == versions.add(model)
    assert len(versions.list()) == 1


def test_the_name_of_another_model_is_refused(versions: VersionDirectory, made_once: Path) -> None:
    with pytest.raises(QueryError, match="already has another version b"):
        versions.add(made_once / "saved-c", "b")


def test_a_version_holds_the_files_of_the_manifest_and_no_others(tmp_path: Path) -> None:
    model = saved(tmp_path / "model")
    (model / "notes.txt").write_text("mine")
    version = VersionDirectory.create(tmp_path / "models").add(model)
    assert {path.name for path in version.path.iterdir()} == {
        path.name for path in model.iterdir() if path.name != "notes.txt"
    }


def test_what_is_still_being_written_is_no_version(versions: VersionDirectory) -> None:
    (versions.directory / "versions" / ".d.123.writing").mkdir()
    assert sorted(version.name for version in versions.list()) == ["a", "b", "c"]


def test_a_saved_model_is_one_version_that_is_current(tmp_path: Path) -> None:
    versions = VersionDirectory.open(saved(tmp_path / "model"))
    assert list(versions.list()) == [versions.current]
    assert versions.current.path == tmp_path / "model"
    assert versions.promote(versions.current.name) == versions.current


def test_a_saved_model_has_the_name_that_it_would_be_added_by(tmp_path: Path) -> None:
    single = VersionDirectory.open(saved(tmp_path / "model")).current
    assert VersionDirectory.create(tmp_path / "models").add(tmp_path / "model").name == single.name


def test_a_saved_model_that_is_fitted_again_has_another_name(tmp_path: Path) -> None:
    versions = VersionDirectory.open(saved(tmp_path / "model", 1))
    before = versions.current.name
    dataset = tiny_dataset().with_interactions(tiny_dataset().interactions().head(3))
    save(Predictor(Popularity().fit(dataset), dataset), tmp_path / "model")
    assert versions.current.name != before


def test_a_saved_model_has_nothing_to_go_back_to_and_takes_no_versions(tmp_path: Path) -> None:
    versions = VersionDirectory.open(saved(tmp_path / "model"))
    before = sorted((tmp_path / "model").iterdir())
    with pytest.raises(QueryError, match="no earlier version"):
        versions.rollback()
    with pytest.raises(QueryError, match="name another directory for the versions"):
        VersionDirectory.create(tmp_path / "model").add(tmp_path / "model")
    with pytest.raises(QueryError, match="has no version 'b'"):
        versions.promote("b")
    assert sorted((tmp_path / "model").iterdir()) == before


def test_a_damaged_saved_model_is_refused(tmp_path: Path) -> None:
    versions = VersionDirectory.open(saved(tmp_path / "model"))
    damage(tmp_path / "model")
    with pytest.raises(ArtifactError, match="SHA-256"):
        versions.promote(versions.current.name)


@pytest.mark.parametrize("there", [True, False])
def test_a_directory_without_models_is_an_error_that_says_what_to_do(tmp_path: Path, there: bool) -> None:
    if there:
        (tmp_path / "models").mkdir()
    with pytest.raises(
        ArtifactError, match="holds no saved model and no versions of one: create some by `nextreel fit --out"
    ):
        VersionDirectory.open(tmp_path / "models")


def test_a_directory_with_other_things_in_it_is_not_made_one_of_versions(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(ArtifactError, match="holds no saved model"):
        VersionDirectory.create(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("content", [None, "", "../../elsewhere\n"])
def test_without_a_pointer_nothing_is_current_until_a_version_is_promoted(
    versions: VersionDirectory, content: str | None
) -> None:
    pointer = versions.directory / "current"
    pointer.unlink() if content is None else pointer.write_text(content)
    with pytest.raises(ArtifactError, match=r"no version in .* is current: nextreel models promote"):
        _ = versions.current
    assert versions.promote("c") == versions.current


def test_a_current_version_that_was_removed_is_an_error(versions: VersionDirectory) -> None:
    versions.find("a").path.rename(versions.directory / "a")
    with pytest.raises(ArtifactError, match=r"has no manifest\.json"):
        _ = versions.current


def test_old_versions_are_all_but_the_latest_the_current_one_and_the_one_to_roll_back_to(
    versions: VersionDirectory, made_once: Path
) -> None:
    for name in "de":
        versions.add(made_once / "saved-c", name)
    order = [version.name for version in versions.list()]
    assert [version.name for version in versions.list_old(2)] == [name for name in order[2:] if name != "a"]
    for name in "bcb":
        versions.promote(name)
    damage(versions.find("a").path)
    assert {version.name for version in versions.list_old(0)} == {"a", "d", "e"}
    assert versions.list_old(5) == []


def test_of_versions_saved_in_the_same_second_the_later_directory_comes_first(
    versions: VersionDirectory, made_once: Path
) -> None:
    for time, name in enumerate("edf"):
        os.utime(versions.add(made_once / "saved-c", name).path, ns=(time, time))
    assert [version.name for version in versions.list() if version.name in "def"] == ["f", "d", "e"]


def test_a_deleted_version_is_gone_and_those_that_are_needed_stay(versions: VersionDirectory) -> None:
    versions.promote("b")
    versions.delete(["c"])
    for name in "ab":
        with pytest.raises(QueryError, match=f"{name} is the current version or the one to roll back to"):
            versions.delete([name])
    home = versions.directory / "versions"
    assert sorted(path.name for path in home.iterdir()) == ["a", "b"]
    assert versions.rollback().name == "a"


def test_a_saved_model_of_its_own_is_never_old(tmp_path: Path) -> None:
    assert VersionDirectory.open(saved(tmp_path / "model")).list_old(1) == []


def test_what_is_left_of_a_version_whose_deletion_was_killed_is_no_version_and_the_next_run_deletes_it(
    versions: VersionDirectory, made_once: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def be_killed(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(unfinished, "remove", be_killed)
        with pytest.raises(KeyboardInterrupt):
            versions.delete(["c"])
    assert sorted(version.name for version in versions.list()) == ["a", "b"]
    assert len(list((versions.directory / "versions").iterdir())) == 3
    versions.add(made_once / "saved-c", "d")
    assert sorted(path.name for path in (versions.directory / "versions").iterdir()) == ["a", "b", "d"]


def promote_often(directory: Path, names: str) -> None:
    versions = VersionDirectory.open(directory)
    for name in names:
        versions.promote(name)


def test_processes_that_promote_at_the_same_time_leave_a_history_without_gaps(
    versions: VersionDirectory,
) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=promote_often, args=(versions.directory, order * 8)) for order in ("bc", "ca")
    ]
    for process in processes:
        process.start()
    seen = {
        versions.current.name for _ in iter(lambda: any(process.is_alive() for process in processes), False)
    }
    for process in processes:
        process.join()
        assert process.exitcode == 0
    promoted = (versions.directory / "current").read_text().split()
    assert seen <= {"a", "b", "c"}
    assert all(later != earlier for later, earlier in itertools.pairwise(promoted))
    assert (promoted.count("b"), promoted[-1]) == (8, "a")
    assert sorted(path.name for path in versions.directory.iterdir()) == [".lock", "current", "versions"]


def test_what_depends_on_the_current_version_is_done_only_while_it_is_that(
    versions: VersionDirectory,
) -> None:
    called: list[str] = []
    versions.call_if_current("a", lambda: called.append("a"))
    versions.call_if_current("b", lambda: called.append("b"))
    versions.promote("b", announce=lambda name: called.append(f"{name} is announced"))
    versions.call_if_current("a", lambda: called.append("a"))
    versions.call_if_current("b", lambda: called.append("b"))
    assert called == ["a", "b is announced", "b"]


def test_a_promotion_that_cannot_be_announced_does_not_happen(versions: VersionDirectory) -> None:
    def refuse(name: str) -> None:
        raise StoreError("the store is away")

    with pytest.raises(StoreError):
        versions.promote("b", announce=refuse)
    assert versions.current.name == "a"


def test_a_directory_that_is_gone_holds_no_versions_any_more(versions: VersionDirectory) -> None:
    shutil.rmtree(versions.directory)
    with pytest.raises(ArtifactError, match="holds no versions of a model any more: it was deleted or moved"):
        versions.promote("a")


def test_nothing_is_called_once_another_version_is_current(versions: VersionDirectory) -> None:
    versions.promote("a")
    versions.promote("b")
    versions.call_if_current("a", lambda: pytest.fail("a isn't current"))
