"""JSON and TOML that a user gives: wrong ones are a ValueError, and nothing waits for the end of a pipe."""

import os
from pathlib import Path

import pytest

from nextreel.documents import parse_json, read_json_file, read_toml_file

TOO_DEEP = r"it has more than 100 levels of brackets"


@pytest.mark.parametrize("levels", [101, 990, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_deeply_nested_json_is_refused(levels: int, opening: str, closing: str) -> None:
    with pytest.raises(ValueError, match=TOO_DEEP):
        parse_json(opening * levels + "1" + closing * levels)
    with pytest.raises(ValueError, match=TOO_DEEP):
        parse_json("[" * 100_000)


def test_a_hundred_levels_are_not_too_many() -> None:
    assert parse_json("[" * 100 + "1" + "]" * 100)


@pytest.mark.parametrize("levels", [101, 900, 5_000])
def test_deeply_nested_toml_is_refused(tmp_path: Path, levels: int) -> None:
    (tmp_path / "a.toml").write_text("x = " + "[" * levels + "]" * levels)
    with pytest.raises(ValueError, match=TOO_DEEP):
        read_toml_file(tmp_path / "a.toml")
    (tmp_path / "a.toml").write_text("[" + ".".join("a" * levels) + "]\nb = 1")
    with pytest.raises(ValueError, match=TOO_DEEP):
        read_toml_file(tmp_path / "a.toml")


def test_a_number_of_too_many_digits_is_refused(tmp_path: Path) -> None:
    assert parse_json("9" * 400) == int("9" * 400)
    with pytest.raises(ValueError, match="limit"):
        parse_json("9" * 5000)
    (tmp_path / "a.toml").write_text("x = " + "9" * 5000)
    with pytest.raises(ValueError, match="limit"):
        read_toml_file(tmp_path / "a.toml")


@pytest.mark.parametrize("device", ["pipe", "/dev/zero"])
def test_a_pipe_or_a_device_is_refused_at_once(tmp_path: Path, device: str) -> None:
    file = tmp_path / "a.json"
    if device == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to(device)
    for read in (read_json_file, read_toml_file):
        with pytest.raises(OSError, match=r"it is not a regular file: '.*a\.json'"):
            read(file)


def test_bytes_that_are_not_utf_8_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'"\xff"')
    with pytest.raises(ValueError, match="utf-8"):
        read_json_file(tmp_path / "a.json")
