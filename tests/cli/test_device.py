"""The option --device: networks compute where it says, for all commands that have it."""

from pathlib import Path

import pytest

from nextreel.data.sources.synthetic_data import make_sample, write_sample
from tests.cli.commands import fail, nextreel, succeed

torch = pytest.importorskip("torch")
SMALL = ("--set", "dimensions=8", "--set", "layers=1", "--set", "epochs=1", "--set", "held_out_share=0.2")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("films")
    write_sample(make_sample(users=30, movies=60, ratings=900), directory)
    return directory


def test_a_network_is_fitted_and_asked_on_the_device_that_is_named(data: Path, tmp_path: Path) -> None:
    succeed("fit", data, "--model", "transformer", *SMALL, "--device", "cpu", "--out", "model", cwd=tmp_path)
    answers = succeed("recommend", "model", "--user", "5", "--device", "cpu", "--json", cwd=tmp_path)
    assert '"movie_id"' in answers or "MovieID" in answers


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_one_sentence(data: Path, tmp_path: Path) -> None:
    message = fail("fit", data, "--model", "transformer", *SMALL, "--device", "cuda", cwd=tmp_path)
    assert "device cuda: torch finds none on this machine; expected auto or cpu" in message


def test_an_unknown_device_is_refused_before_the_data_are_read(tmp_path: Path) -> None:
    done = nextreel("fit", "nowhere", "--device", "tpu", cwd=tmp_path)
    assert (done.returncode, "'tpu' is not one of" in done.stderr) == (2, True), done.stderr
