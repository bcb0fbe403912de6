"""A saved model that was changed and sealed again is refused, or answers as any model does; it never crashes."""

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import nextreel
from nextreel.arrays import read_arrays, write_arrays
from nextreel.errors import ArtifactError
from nextreel.models.registry import built_in_names, create_model
from nextreel.prediction.saved_dataset import INTERACTIONS_FILE, MOVIES_FILE, ORDER_FILE, USERS_FILE
from nextreel.prediction.saving import MODEL_FILE
from nextreel.testing import tiny_dataset
from nextreel.testing.damaged_states import damage_each_array, with_not_finite_numbers
from tests.resealing import change_arrays, change_columns, reseal


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("crafted")
    for name in ("ease", "popularity"):
        nextreel.save(nextreel.fit(tiny_dataset(), name), directory / name)
    return directory


@pytest.fixture
def ease(made_once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made_once / "ease", tmp_path / "ease"))


def refused(model: Path) -> str:
    with pytest.raises(ArtifactError) as caught:
        nextreel.load(model)
    return str(caught.value)


@pytest.mark.parametrize("name", built_in_names())
def test_every_model_of_nextreel_says_what_its_arrays_must_be_like(name: str) -> None:
    assert create_model(name).array_specs()


def test_the_message_names_the_file_the_array_and_what_was_expected(ease: Path) -> None:
    file = ease / MODEL_FILE
    weights = read_arrays(file)["weights_"]
    change_arrays(file, weights_=weights[:, :40])
    message = refused(ease)
    assert f"{file} doesn't hold a ease model of these options" in message
    assert "the array 'weights_' has the shape (60, 40); expected (60, 60) (n_learned, n_learned)" in message


def test_the_options_must_fit_the_arrays(made_once: Path, tmp_path: Path) -> None:
    nextreel.save(nextreel.fit(tiny_dataset(), "als", factors=8), tmp_path / "als")
    reseal(tmp_path / "als", config={"factors": 4000})
    assert "has the shape (60, 8); expected (60, 4000)" in refused(tmp_path / "als")


def count_refused_damages(model: Path, file: Path, users: list[int]) -> int:
    """Damage a file of arrays in many ways; return how often the model is refused, where it isn't it recommends."""
    whole = read_arrays(file)
    n_refused = 0
    for case in (*with_not_finite_numbers(whole), *damage_each_array(whole)):
        write_arrays(case.state, file)
        reseal(model)
        try:
            predictor = nextreel.load(model)
        except ArtifactError:
            n_refused += 1
            continue
        assert not case.is_impossible, case.damage
        assert len(predictor.recommend(users, k=3, at=3_000_000)) == 3 * len(users), case.damage
    return n_refused


def test_no_array_of_the_interactions_leads_to_a_crash(ease: Path) -> None:
    assert count_refused_damages(ease, ease / INTERACTIONS_FILE, [0, 7, 14, 9_999]) > 50


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"offsets": np.array([0, 5] + [4] * 39)}, "'offsets' aren't in ascending order"),
        ({"offsets": np.array([0] * 40 + [10**9])}, "'offsets' doesn't divide"),
        ({"offsets": np.array([-5] + [9] * 40)}, "'offsets' holds -5; expected at least 0"),
        ({"user_ids": np.arange(40)[::-1]}, "'user_ids' aren't in ascending order, each only once"),
        ({"user_ids": None}, "'user_ids' is missing"),
        ({"movie_ids": np.zeros(60, dtype=np.int64)}, "'movie_ids' aren't in ascending order"),
        ({"movie_ids": np.arange(60) * 3 + 1}, "MovieIDs aren't those of the interactions"),
        ({"user_ids": np.arange(40) * 7 + 1}, "UserIDs aren't those of the interactions"),
    ],
)
def test_interactions_that_do_not_belong_together_are_refused(
    ease: Path, arrays: dict[str, object], message: str
) -> None:
    change_arrays(ease / INTERACTIONS_FILE, **arrays)
    assert message in refused(ease)


def test_no_array_of_the_order_leads_to_a_crash(ease: Path) -> None:
    assert count_refused_damages(ease, ease / ORDER_FILE, [0, 9_999]) > 10


def test_a_model_without_the_order_of_its_interactions_opens(ease: Path) -> None:
    expected = nextreel.load(ease).recommend([0, 9_999], at=3_000_000)
    (ease / ORDER_FILE).unlink()
    reseal(ease)
    assert nextreel.load(ease).recommend([0, 9_999], at=3_000_000).equals(expected)


def test_timestamps_out_of_order_and_ratings_off_the_scale_are_refused(ease: Path) -> None:
    file = ease / INTERACTIONS_FILE
    whole = read_arrays(file)
    change_arrays(file, timestamps=whole["timestamps"][::-1])
    assert "the timestamps of a user aren't in ascending order" in refused(ease)
    change_arrays(file, timestamps=whole["timestamps"], ratings=np.add(whole["ratings"], np.float32(1)))
    assert "a rating isn't one from 0.5 to 5" in refused(ease)


@pytest.mark.parametrize(
    ("file", "columns"),
    [
        (MOVIES_FILE, {"Title": pl.lit(1)}),
        (MOVIES_FILE, {"Genres": pl.lit("Drama")}),
        (MOVIES_FILE, {"MovieID": pl.col("MovieID").cast(pl.String)}),
        (MOVIES_FILE, {"MovieID": pl.lit(None, dtype=pl.Int64)}),
        (MOVIES_FILE, {"Secret": pl.lit(1)}),
        (USERS_FILE, {"Age": pl.lit("old")}),
        (USERS_FILE, {"UserID": pl.col("UserID").reverse()}),
    ],
)
def test_users_and_movies_of_another_form_are_refused(
    ease: Path, file: str, columns: dict[str, pl.Expr]
) -> None:
    change_columns(ease / file, **columns)
    assert str(ease / file) in refused(ease)


@pytest.mark.parametrize("file", [MODEL_FILE, INTERACTIONS_FILE, ORDER_FILE, MOVIES_FILE, USERS_FILE])
@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" * 9, b"\xff" * 64, b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_file_that_holds_something_else_is_refused(ease: Path, file: str, content: bytes) -> None:
    (ease / file).write_bytes(content)
    reseal(ease)
    assert str(ease / file) in refused(ease)


def test_a_manifest_that_lists_fewer_files_is_refused(ease: Path) -> None:
    (ease / USERS_FILE).unlink()
    reseal(ease)
    assert f"lists no {USERS_FILE}; the saved model is incomplete" in refused(ease)
