import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydantic import JsonValue

from nextreel.artifacts import MANIFEST, format_manifest, list_files, read_entries, read_manifest
from nextreel.atomic_files import atomic_directory
from nextreel.data.dataset import Dataset
from nextreel.errors import ArtifactError
from nextreel.models.popularity import Popularity, PopularityConfig
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import load, save
from nextreel.testing import tiny_dataset


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    dataset = tiny_dataset()
    save(Predictor(Popularity(PopularityConfig(window_days=9)).fit(dataset), dataset), tmp_path / "model")
    return tmp_path / "model"


def test_a_saved_predictor_comes_back_with_its_config_and_answers(saved: Path) -> None:
    dataset, loaded = tiny_dataset(), load(saved)
    assert loaded.model.config == PopularityConfig(window_days=9)
    original = Predictor(Popularity(PopularityConfig(window_days=9)).fit(dataset), dataset)
    timestamps = np.full(dataset.n_users, 3_000_000)
    expected, actual = (
        predictor.ranker.rank(predictor.dataset.histories(dataset.user_ids, timestamps), timestamps)
        for predictor in (original, loaded)
    )
    np.testing.assert_array_equal(actual.movies, expected.movies)
    np.testing.assert_array_equal(actual.scores, expected.scores)


def test_titles_genres_and_years_come_back(saved: Path) -> None:
    assert load(saved).dataset.movies.equals(tiny_dataset().movies)


def test_the_manifest_states_versions_config_data_and_files(saved: Path) -> None:
    manifest = json.loads((saved / MANIFEST).read_text())
    assert manifest["model"] == "popularity"
    assert manifest["config"] == {"window_days": 9.0}
    assert manifest["data"]["sha256"] == tiny_dataset().fingerprint
    assert {"python", "numpy"} <= manifest["versions"].keys()
    assert manifest["files"].keys() == {
        "model.safetensors",
        "interactions.safetensors",
        "order.safetensors",
        "movies.parquet",
        "users.parquet",
    }


def cut(model: Path) -> None:
    file = model / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-7])


def flip_a_bit(model: Path) -> None:
    content = bytearray((model / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (model / "model.safetensors").write_bytes(content)


def remove_a_file(model: Path) -> None:
    (model / "movies.parquet").unlink()


def remove_the_manifest(model: Path) -> None:
    (model / MANIFEST).unlink()


def break_the_manifest(model: Path) -> None:
    (model / MANIFEST).write_text('{"format": 1,')


def empty_the_manifest(model: Path) -> None:
    (model / MANIFEST).write_text("[]")


def change(key: str, value: object) -> Callable[[Path], None]:
    def edit(model: Path) -> None:
        manifest = json.loads((model / MANIFEST).read_text())
        (model / MANIFEST).write_text(format_manifest({**manifest, key: value}))

    return edit


def drop(key: str) -> Callable[[Path], None]:
    def edit(model: Path) -> None:
        manifest = json.loads((model / MANIFEST).read_text())
        del manifest[key]
        (model / MANIFEST).write_text(format_manifest(manifest))

    return edit


def replace_the_manifest_by_a_directory(model: Path) -> None:
    (model / MANIFEST).unlink()
    (model / MANIFEST).mkdir()


TOO_LONG = "a" * 300


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut, r"model\.safetensors has \d+ bytes, expected \d+: it was truncated or changed"),
        (flip_a_bit, r"model\.safetensors doesn't match its SHA-256"),
        (remove_a_file, r"movies\.parquet is missing; the saved model is incomplete"),
        (remove_the_manifest, r"has no manifest\.json; expected a model saved by"),
        (break_the_manifest, r"manifest\.json is damaged"),
        (empty_the_manifest, r"manifest\.json is damaged: Input should be a valid dictionary$"),
        (replace_the_manifest_by_a_directory, r"manifest\.json can't be read: Is a directory$"),
        (drop("format"), r"model.manifest\.json is damaged: it has no 'format'$"),
        (drop("files"), r"model.manifest\.json is damaged: it has no 'files'$"),
        (
            change("files", {"a": {"bytes": "x", "sha256": ""}}),
            r"model.manifest\.json is damaged: a\.bytes Input should be",
        ),
        (
            change("files", {TOO_LONG: {"bytes": 1, "sha256": ""}}),
            rf"{TOO_LONG} can't be read: File name too long$",
        ),
        (change("format", 2), r"has format 2; this nextreel reads format 1: upgrade or refit"),
        (change("model", "oracle"), r"holds the model 'oracle', which isn't registered here"),
        (change("config", {"window": 3}), r"was saved by another nextreel .*has no option 'window'"),
        (change("files", {"../secret": {"bytes": 1, "sha256": ""}}), r"secret is missing"),
    ],
)
def test_a_damaged_artifact_is_an_error_that_says_what_is_wrong(
    saved: Path, damage: Callable[[Path], None], message: str
) -> None:
    damage(saved)
    with pytest.raises(ArtifactError, match=message):
        load(saved)


@pytest.mark.parametrize("read", [read_entries, read_manifest])
def test_a_model_that_a_killed_run_had_put_aside_comes_back(
    saved: Path, read: Callable[[Path], dict[str, JsonValue]]
) -> None:
    expected = read(saved)
    saved.rename(saved.with_name(".model.4711.replaced"))
    assert read(saved) == expected


def test_the_files_of_a_manifest_are_listed_by_name_without_the_manifest(saved: Path) -> None:
    listed = list_files(read_manifest(saved))
    assert sorted([*listed, MANIFEST]) == sorted(file.name for file in saved.iterdir())


def test_the_form_of_a_manifest_stays_as_it_was() -> None:
    assert format_manifest({"b": (1, 2), "a": "é"}) == (
        '{\n  "b": [\n    1,\n    2\n  ],\n  "a": "\\u00e9",\n'
        '  "manifest_sha256": "e72bd1bfe08db42c7cb48a01fcbbe441a57d28e5e64fcb08dcfab2cffe99f7a2"\n}\n'
    )


def test_a_path_without_a_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="isn't a directory; expected a model saved by"):
        load(tmp_path / "nothing")


def test_saving_over_a_saved_model_replaces_it(saved: Path) -> None:
    dataset = tiny_dataset()
    save(Predictor(Popularity().fit(dataset), dataset), saved)
    assert load(saved).model.config == PopularityConfig()
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


def test_saving_over_anything_else_is_refused_and_leaves_it_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    dataset = tiny_dataset()
    with pytest.raises(ArtifactError, match=r"exists and holds no manifest\.json; nothing was written"):
        save(Predictor(Popularity().fit(dataset), dataset), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_directory_whose_writing_fails_is_not_there(tmp_path: Path) -> None:
    def write() -> None:
        with atomic_directory(tmp_path / "out", MANIFEST) as directory:
            (directory / "half").write_text("…")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert list(tmp_path.iterdir()) == []


def test_an_empty_history_can_be_saved(tmp_path: Path) -> None:
    dataset = Dataset.from_frames(tiny_dataset().interactions().head(1))
    save(Predictor(Popularity().fit(dataset), dataset), tmp_path / "model")
    assert len(load(tmp_path / "model").dataset.timeline) == 1
