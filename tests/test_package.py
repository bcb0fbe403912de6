import subprocess
import sys

import pytest

import nextreel


@pytest.mark.parametrize("name", nextreel.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert getattr(nextreel, name).__doc__


def test_the_public_names_are_these() -> None:
    assert nextreel.__all__ == [
        "Dataset",
        "NextreelError",
        "Predictor",
        "Recommender",
        "SplitRule",
        "create_model",
        "evaluate",
        "fit",
        "load",
        "read_dataset",
        "read_interactions",
        "register_model",
        "save",
        "split_interactions",
    ]


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'recommend_everything'"):
        nextreel.recommend_everything  # noqa: B018


def test_importing_the_package_loads_no_library() -> None:
    code = "import sys, nextreel; print([n for n in ('polars', 'numpy', 'torch', 'pydantic') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
