"""A model of one file in another package works with every command of the wheel that users install."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving.servers import LATE, serving

ROOT = Path(__file__).parents[2]
MODEL = '''
"""Movies that the same users rated, weighted against what is popular."""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from pydantic import Field

from nextreel import Recommender
from nextreel.arrays import Float32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Histories
from nextreel.models.base import ModelConfig
from nextreel.models.training.epochs import Training
from nextreel.models.user_vectors import build_interaction_matrix, build_profiles
from nextreel.options import Range


class OftenTogetherConfig(ModelConfig):
    # From no damping to none of the popular movies.
    damping: Annotated[float, Field(ge=0, le=1), Range(0.0, 1.0)] = 0.5
    """Exponent of a movie's number of ratings, by which its score is divided."""


class OftenTogether(Recommender):
    Config = OftenTogetherConfig
    config: OftenTogetherConfig

    together_: Float32Array
    """float32[n_movies, n_movies]: users who rated both movies."""
    n_movies_: int

    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        users = build_interaction_matrix(dataset)
        self.together_ = (users.T @ users).toarray()
        self.n_movies_ = dataset.n_movies
        return self

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        popularity = 1 + np.diag(self.together_)
        scores = build_profiles(histories, self.n_movies_) @ self.together_
        return (scores / popularity**self.config.damping).astype(np.float32)
'''
END = "~~ end of a command ~~"
RUN_COMMANDS = f"""
import sys
from nextreel.cli import main

if __name__ == "__main__":  # and not in the processes in which `compare` fits models
    for command in sys.argv[1:]:
        sys.argv = ["nextreel", *command.split()]
        try:
            main()
        except SystemExit as end:
            if end.code:
                raise
        print({END!r})
"""
ENTRY_POINT = "[nextreel.models]\noften-together = often_together:OftenTogether\n"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the built and installed wheel, as pip leaves it."""
    home = tmp_path_factory.mktemp("wheel")
    run("-m", "build", "--wheel", "--no-isolation", "--outdir", home / "dist", ROOT)
    (file,) = (home / "dist").glob("*.whl")
    run("-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", home / "installed", file)
    return home / "installed"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with another package, which is the file of a model and an entry point."""
    home = tmp_path_factory.mktemp("package")
    (home / "often_together.py").write_text(MODEL)
    (home / "often_together-1.0.dist-info").mkdir()
    (home / "often_together-1.0.dist-info" / "METADATA").write_text("Name: often-together\nVersion: 1.0\n")
    (home / "often_together-1.0.dist-info" / "entry_points.txt").write_text(ENTRY_POINT)
    return home


def run(*arguments: str | Path, check: bool = True) -> str:
    """Return what Python printed."""
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def run_commands(*commands: str) -> list[str]:
    """Run commands of nextreel in one process, and return what each printed."""
    printed = run("-c", RUN_COMMANDS, *commands).split(END)
    assert len(printed) == len(commands) + 1
    return printed[:-1]


def test_a_model_of_one_file_is_fitted_tuned_compared_saved_and_served(
    wheel: Path, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(wheel), str(package)]))
    monkeypatch.chdir(tmp_path)
    assert str(wheel) in run("-c", "import nextreel; print(nextreel.__file__)")
    shown, _, fitted, tuned, compared = run_commands(
        "fit --help",
        "sample films --users 40 --movies 60 --ratings 800",
        "fit films --model often-together --set damping=0.3 --out model",
        "tune films --model often-together --trials 2",
        "compare films --models popularity,often-together --history frozen",
    )
    assert "transformer,often-together." in "".join(shown.split())
    assert "often-together learned from 800 interactions of 40 users" in fitted
    assert "nextreel fit films --config tuning/best.toml" in tuned
    assert 'model = "often-together"' in (tmp_path / "tuning" / "best.toml").read_text()
    assert "often-together" in compared

    load = (
        f"import nextreel; print(nextreel.load('model').recommend([(1, {LATE})], k=3)['MovieID'].to_list())"
    )
    recommended = run("-c", load).strip()
    with serving(tmp_path / "model", "sqlite:///store.db") as server:
        response = server.recommend(1, LATE, k=3)
        assert str([movie["movie_id"] for movie in response["movies"]]) == recommended
        assert response["fallback"] is None


def test_a_saved_model_without_its_package_says_what_is_missing(
    wheel: Path, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(wheel), str(package)]))
    run_commands(
        "sample films --users 20 --movies 60 --ratings 500", "fit films --model often-together --out model"
    )
    monkeypatch.setenv("PYTHONPATH", str(wheel))
    error = run("-c", "import nextreel; nextreel.load('model')", check=False).splitlines()[-1]
    assert error.endswith(
        "ArtifactError: model holds the model 'often-together', which isn't registered here: install the package "
        "that provides it, or register its class with nextreel.register_model"
    )
