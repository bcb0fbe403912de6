from pathlib import Path

import pytest

from nextreel.errors import ConfigError, NextreelError
from nextreel.models.registry import read_toml


def write(directory: Path, text: str) -> Path:
    (directory / "best.toml").write_text(text, encoding="utf-8")
    return directory / "best.toml"


def test_a_file_names_a_model_and_its_options(tmp_path: Path) -> None:
    file = write(tmp_path, 'model = "ease"\n[options]\nregularization = 50\nhalf_life = 2.5\n')
    assert read_toml(file) == ("ease", {"regularization": 50, "half_life": 2.5})


def test_a_file_without_options_leaves_the_defaults(tmp_path: Path) -> None:
    assert read_toml(write(tmp_path, 'model = "best"')) == ("best", {})


def test_an_option_may_be_a_table_of_options(tmp_path: Path) -> None:
    file = write(tmp_path, 'model = "best"\n[options.ridge]\nhidden = 64\n')
    assert read_toml(file) == ("best", {"ridge": {"hidden": 64}})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model = ease", "best.toml: Invalid value (at line 1, column 9)"),
        (
            "[options]\nregularization = 5",
            'best.toml: expected model = "NAME" and a table [options], and nothing else',
        ),
        ("model = 5", 'best.toml: expected model = "NAME" and a table [options], and nothing else'),
        (
            'model = "ease"\nregularization = 5',
            'best.toml: expected model = "NAME" and a table [options], and nothing else',
        ),
        (
            'model = "ease"\noptions = 5',
            'best.toml: expected model = "NAME" and a table [options], and nothing else',
        ),
        ('model = "oracle"', "best.toml: model 'oracle' is unknown; expected one of fast, best"),
        (
            'model = "ease"\n[options]\nregularization = -5',
            "best.toml: option regularization of ease is -5; expected a number above 0",
        ),
        (
            'model = "ease"\n[options]\ndepth = "deep"',
            "best.toml: ease has no option 'depth'; its options: regularization, most_movies, half_life, unliked_weight",
        ),
        (
            'model = "best"\n[options.ridge]\nregularization = 0',
            "best.toml: option ridge.regularization of blend is 0; expected a number above 0",
        ),
    ],
)
def test_a_mistake_in_a_file_names_the_file_and_what_was_expected(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read_toml(write(tmp_path, text))
    assert message in str(caught.value)


def test_a_file_that_is_no_text_or_not_there_is_an_error_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff")
    for name in ("picture.png", "nothing.toml"):
        with pytest.raises(NextreelError, match=name):
            read_toml(tmp_path / name)
