"""Options and files of options that nobody would give on purpose: one sentence, no traceback, and nothing written."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nextreel.artifacts import format_manifest
from nextreel.cli import app
from nextreel.errors import NextreelError
from tests.cli.commands import fail, succeed

LONG = "9" * 400
TOO_LONG = "9" * 5000
DEEP = "[" * 20_000


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a small sample, its split and a model."""
    home = tmp_path_factory.mktemp("home")
    succeed("sample", "data", "--users", 60, "--movies", 90, "--ratings", 1800, cwd=home)
    succeed("split", "data", "parts", cwd=home)
    succeed("fit", "parts", "--out", "model", "--model", "popularity", cwd=home)
    return home


def refuse(*arguments: object) -> str:
    """Run a command in this process, which must raise an error for the user; returns its message."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert isinstance(result.exception, NextreelError), result.output
    message = str(result.exception)
    assert "\n" not in message
    assert len(message) < 1000
    return message


@pytest.mark.parametrize(
    ("model", "option", "value", "message"),
    [
        ("als", "factors", LONG, r"expected a whole number from 1, up to 4096"),
        ("als", "factors", TOO_LONG, r"expected a whole number from 1, up to 4096"),
        ("als", "factors", DEEP, r"expected a whole number from 1, up to 4096"),
        ("als", "factors", "[" * 90 + "]" * 90, r"expected a whole number from 1, up to 4096"),
        ("als", "factors", "1000000000", r"is 1000000000; expected a whole number from 1, up to 4096"),
        ("als", "iterations", LONG, r"expected a whole number from 1, up to 10000"),
        ("als", "seed", LONG, r"expected a whole number from 0, up to 9223372036854775807"),
        ("als", DEEP, "1", r"als has no option"),
        ("popularity", "window_days", LONG, r"expected a number above 0"),
        ("popularity", "window_days", TOO_LONG, r"expected a finite number"),
        ("popularity", "window_days", "1e400", r"is Infinity; expected a finite number"),
        ("popularity", "window_days", "NaN", r"expected a finite number"),
        ("funk-svd", "dimensions", "1000000000", r"up to 4096"),
        ("funk-svd", "batch_size", LONG, r"up to 10000000"),
        ("item-knn", "neighbours", LONG, r"up to 10000"),
        ("next-choices", "first", LONG, r"up to 10000"),
        ("sequential-ridge", "dimensions", "1000000000", r"up to 4096"),
        ("sequential-ridge", "hidden", "1000000000", r"up to 16384"),
        ("sequential-ridge", "horizon", LONG, r"up to 10000"),
        ("sequential-ridge", "short_history", LONG, r"up to 10000"),
        ("transformer", "dimensions", "1000000000", r"up to 4096"),
        ("transformer", "window", "1000000000", r"up to 4096"),
        ("transformer", "layers", LONG, r"up to 64"),
        ("blend", "transformer", '{"dimensions": 1000000000}', r"transformer\.dimensions of blend is 1000000000"),
    ],
)  # fmt: skip
def test_an_option_out_of_all_bounds_is_refused_before_the_fit(
    home: Path, model: str, option: str, value: str, message: str
) -> None:
    choice = ["--model", model, "--set", f"{option}={value}"]
    assert re.search(message, refuse("fit", home / "parts", *choice, "--out", home / "none"))
    assert not (home / "none").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'model = "ease"\n[options]\nx = {DEEP}', "it has more than 100 levels of brackets"),
        (f'model = "ease"\n[{".".join("a" * 5000)}]', "it has more than 100 levels of brackets"),
        (f'model = "als"\n[options]\nfactors = {LONG}', "expected a whole number from 1, up to 4096"),
        (f'model = "als"\n[options]\nfactors = {TOO_LONG}', "Exceeds the limit"),
        ('model = "als"\n[options]\nalpha = 1e999', "alpha of als is Infinity; expected a finite number"),
    ],
)  # fmt: skip
def test_a_config_file_out_of_all_bounds_is_refused(
    home: Path, tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "best.toml"
    file.write_text(text)
    error = refuse("fit", home / "parts", "--config", file, "--out", home / "none")
    assert error.startswith(f"{file}: ")
    assert message in error


@pytest.mark.parametrize("device", ["pipe", "/dev/zero"])
@pytest.mark.parametrize(
    "command",
    [
        ("fit", "parts", "--config", "DEVICE", "--out", "none"),
        ("convert", "DEVICE", "none"),
        ("check", "DEVICE"),
        ("ingest", "DEVICE", "none"),
        ("split", "DEVICE", "none"),
        ("evaluate", "model", "DEVICE"),
        ("evaluate", "DEVICE", "parts"),
        ("recommend", "model", "--queries", "DEVICE", "--out", "none"),
        ("recommend", "DEVICE", "--user", "1"),
    ],
    ids=" ".join,
)
def test_a_pipe_or_a_device_in_place_of_a_file_ends_at_once(
    home: Path, tmp_path: Path, command: tuple[str, ...], device: str
) -> None:
    name = tmp_path / "given"
    if device == "pipe":
        os.mkfifo(name)
    else:
        name.symlink_to(device)
    error = fail(*(name if word == "DEVICE" else word for word in command), cwd=home)
    assert "given" in error
    assert error.count("\n") == 1
    assert not (home / "none").exists()


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("model/manifest.json", ("recommend", "model", "--user", "1")),
        ("model/manifest.json", ("evaluate", "model", "parts")),
        ("parts/split.json", ("fit", "parts", "--model", "popularity", "--out", "none")),
        ("tuning/search.json", ("tune", "parts", "--model", "ease", "--trials", "2", "--out", "tuning")),
    ],
)
@pytest.mark.parametrize(
    "text", [DEEP, "[" * 90 + "]" * 90, TOO_LONG, LONG, '{"format": 1, "files": [', "null", "\udcff", '{"format":1,"files":{"a":3}}']
)  # fmt: skip
def test_a_json_file_of_ours_that_was_damaged_is_named(
    home: Path, tmp_path: Path, name: str, command: tuple[str, ...], text: str
) -> None:
    for directory in ("model", "parts"):
        shutil.copytree(home / directory, tmp_path / directory)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text, encoding="utf-8", errors="surrogateescape")
    refuse(*(tmp_path / word if (tmp_path / word).exists() else word for word in command))


def test_a_manifest_with_numbers_out_of_all_bounds_is_damaged(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "model", tmp_path / "model")
    file = tmp_path / "model" / "manifest.json"
    manifest = json.loads(file.read_text())
    for place in ("format", "files"):
        changed = {**manifest, place: int(LONG)}
        file.write_text(format_manifest(changed))
        assert "model" in fail("recommend", "model", "--user", "1", cwd=tmp_path)
    manifest["files"]["model.safetensors"]["bytes"] = int(LONG)
    file.write_text(format_manifest(manifest))
    assert "model.safetensors has" in fail("recommend", "model", "--user", "1", cwd=tmp_path)


def test_a_damaged_study_of_a_search_is_named(home: Path, tmp_path: Path) -> None:
    search = ("tune", home / "parts", "--model", "ease", "--out", tmp_path / "tuning")
    succeed(*search, "--trials", 2)
    (tmp_path / "tuning" / "study.db").write_bytes(b"x" * 5_000)
    assert "study.db can't be read" in refuse(*search, "--trials", 3)


def test_a_message_quotes_a_part_of_an_argument_of_any_length(home: Path) -> None:
    error = fail("recommend", "model", "--user", 1, "--at", "9" * 50_000, cwd=home)
    assert "[...]" in error
    assert len(error) < 2_100


def test_a_sample_beyond_the_memory_is_refused_in_one_sentence(tmp_path: Path) -> None:
    error = fail("sample", tmp_path / "data", "--users", 10**12, "--movies", 90, "--ratings", 10**15)
    assert error.count("\n") == 1
    assert not (tmp_path / "data").exists()
