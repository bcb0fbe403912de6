"""The course's simplified Funk-SVD, compared with a few lines of numpy."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from nextreel.artifacts import seal
from nextreel.data.dataset import Dataset
from nextreel.errors import ArtifactError, ConfigError, DataError
from nextreel.models.base import Recommender
from nextreel.models.funk_svd import FunkSVD, FunkSVDConfig
from nextreel.models.training.epochs import Epoch, Training, has_stalled
from nextreel.testing.conformance import RecommenderConformance
from tests.frames import catalog, interactions

SMALL = FunkSVDConfig(dimensions=4, learning_rate=0.01, batch_size=2, epochs=4)
TIMESTAMP = np.array([1_000])


def rated() -> Dataset:
    """Seven ratings by three users of four movies, in different seconds; nobody rated the fifth movie."""
    rows = interactions(
        (10, 0, 5, 1), (20, 1, 1, 2), (10, 2, 3, 3), (30, 3, 4, 4), (20, 0, 2, 5), (30, 1, 5, 6), (10, 3, 4, 7)
    )  # fmt: skip
    return Dataset.from_frames(rows, catalog(5))


def held_out() -> Dataset:
    return Dataset.from_frames(interactions((20, 3, 4, 8), (30, 0, 1, 9)))


def scores_of(model: FunkSVD, dataset: Dataset, *user_ids: int) -> npt.NDArray[np.float32]:
    timestamps = np.repeat(TIMESTAMP, len(user_ids))
    return model.score(dataset.histories(np.array(user_ids), timestamps), timestamps)


def losses(history: list[Epoch]) -> list[Epoch]:
    """The epochs without their durations."""
    return [replace(epoch, seconds=0.0) for epoch in history]


def unmoved_factors(config: FunkSVDConfig) -> FunkSVD:
    """The factors that a fit with these options starts from: fitted with steps too small to change a float32."""
    return FunkSVD(config.model_copy(update={"learning_rate": 1e-30, "epochs": 1})).fit(rated())


def descend_naively(n_epochs: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], list[float]]:
    """P, Q and the loss of each epoch in plain numpy, where every step has full gradients and moves every row."""
    start = unmoved_factors(SMALL)
    factors = np.concatenate([start.user_factors_, start.movie_factors_]).astype(np.float64)
    mean, square = np.zeros_like(factors), np.zeros_like(factors)
    rows = rated().interactions()
    users = rows["UserID"].to_numpy() // 10 - 1
    movies = rows["MovieID"].to_numpy() + 3
    targets = (rows["Rating"].to_numpy().astype(np.float64) - 3) / 2
    step, epoch_losses = 0, []
    for _ in range(n_epochs):
        squared_errors = []
        for first in range(0, len(rows), SMALL.batch_size):
            batch = range(first, min(first + SMALL.batch_size, len(rows)))
            gradient = np.zeros_like(factors)
            for row in batch:
                u, i = users[row], movies[row]
                error = factors[u] @ factors[i] - targets[row]
                squared_errors.append(error**2)
                gradient[u] += 2 * error * factors[i] / len(batch)
                gradient[i] += 2 * error * factors[u] / len(batch)
            step += 1
            mean = 0.9 * mean + 0.1 * gradient
            square = 0.999 * square + 0.001 * gradient**2
            rate = SMALL.learning_rate * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            factors = factors - rate * mean / (np.sqrt(square) + 1e-7)
        epoch_losses.append(float(np.mean(squared_errors)))
    return factors[:3], factors[3:], epoch_losses


class TestConformance(RecommenderConformance):
    def make(self) -> Recommender:
        return FunkSVD(FunkSVDConfig(dimensions=8, epochs=2))


@pytest.mark.parametrize("n_epochs", [1, 2, 3, 30])
def test_factors_are_those_of_a_naive_dense_adam(n_epochs: int) -> None:
    model = FunkSVD(SMALL.model_copy(update={"epochs": n_epochs})).fit(rated())
    users, movies, epoch_losses = descend_naively(n_epochs)
    np.testing.assert_allclose(model.user_factors_, users, rtol=0, atol=1e-6)
    np.testing.assert_allclose(model.movie_factors_, movies, rtol=0, atol=1e-6)
    np.testing.assert_allclose([epoch.train_loss for epoch in model.epochs], epoch_losses, rtol=1e-5)


def test_factors_start_from_a_normal_distribution_of_scale_one_twentieth() -> None:
    start = unmoved_factors(FunkSVDConfig(dimensions=4_000))
    assert start.user_factors_.mean() == pytest.approx(0, abs=0.002)
    assert start.user_factors_.std() == pytest.approx(0.05, rel=0.03)
    assert start.movie_factors_.std() == pytest.approx(0.05, rel=0.03)


def test_a_movie_that_nobody_rated_keeps_its_initial_factors() -> None:
    model = FunkSVD(SMALL).fit(rated())
    np.testing.assert_array_equal(model.movie_factors_[4], unmoved_factors(SMALL).movie_factors_[4])


def test_the_loss_falls() -> None:
    history = FunkSVD(SMALL.model_copy(update={"epochs": 60})).fit(rated()).epochs
    assert history[-1].train_loss < 0.1 * history[0].train_loss


def test_validation_loss_is_the_mean_squared_error_of_the_centred_ratings() -> None:
    model = FunkSVD(SMALL).fit(rated(), Training(validation=held_out()))
    errors = [scores_of(model, rated(), 20)[0, 3] - 0.5, scores_of(model, rated(), 30)[0, 0] + 1]
    assert model.epochs[-1].validation_loss == pytest.approx(np.mean(np.square(errors)), rel=1e-5)


def test_validation_rows_of_an_unknown_user_or_movie_are_left_out() -> None:
    rows = interactions((20, 3, 4, 8), (30, 0, 1, 9), (99, 0, 5, 9), (10, 99, 5, 9))
    expected = FunkSVD(SMALL).fit(rated(), Training(validation=held_out())).epochs
    history = FunkSVD(SMALL).fit(rated(), Training(validation=Dataset.from_frames(rows))).epochs
    assert losses(history) == losses(expected)


def test_validation_data_change_no_factor() -> None:
    validated = FunkSVD(SMALL).fit(rated(), Training(validation=held_out()))
    np.testing.assert_array_equal(validated.user_factors_, FunkSVD(SMALL).fit(rated()).user_factors_)


def test_validation_data_of_unknown_users_alone_are_an_error() -> None:
    unknown = Dataset.from_frames(interactions((99, 0, 5, 9)))
    with pytest.raises(
        DataError, match="no validation row has a user and a movie that both occur in the training data"
    ):
        FunkSVD(SMALL).fit(rated(), Training(validation=unknown))


def test_no_interactions_are_an_error() -> None:
    with pytest.raises(DataError, match="no interactions to learn from"):
        FunkSVD(SMALL).fit(Dataset.from_frames(interactions(), catalog(5)))


def test_the_same_seed_gives_the_same_factors() -> None:
    first, second = (FunkSVD(SMALL).fit(rated()) for _ in range(2))
    np.testing.assert_array_equal(first.user_factors_, second.user_factors_)
    np.testing.assert_array_equal(first.movie_factors_, second.movie_factors_)


def test_another_seed_gives_other_factors() -> None:
    other = FunkSVD(SMALL.model_copy(update={"seed": 1})).fit(rated())
    assert not np.isclose(other.user_factors_, FunkSVD(SMALL).fit(rated()).user_factors_).any()


def test_a_score_is_the_dot_product_of_user_and_movie() -> None:
    model = FunkSVD(SMALL).fit(rated())
    expected = model.user_factors_[[2, 0, 2]] @ model.movie_factors_.T
    np.testing.assert_allclose(scores_of(model, rated(), 30, 10, 30), expected, rtol=1e-6)


def test_an_unknown_user_scores_zeros() -> None:
    scores = scores_of(FunkSVD(SMALL).fit(rated()), rated(), 10, 99)
    assert scores[0].any()
    np.testing.assert_array_equal(scores[1], np.zeros(5))


def test_it_knows_the_users_with_interactions_in_training_alone() -> None:
    people = pl.DataFrame({"UserID": [10, 77], "Gender": "F", "Age": 25, "Occupation": 1, "ZipCode": "01234"})
    dataset = Dataset.from_frames(rated().interactions(), catalog(5), people)
    model = FunkSVD(SMALL).fit(dataset)
    histories = dataset.histories(np.array([10, 77, 99]), np.repeat(TIMESTAMP, 3))
    assert model.knows(histories).tolist() == [True, False, False]
    assert model.user_ids_.tolist() == [10, 20, 30]


def test_progress_is_reported_in_rows_up_to_the_end_of_each_epoch() -> None:
    steps: list[tuple[int, int, float]] = []
    model = FunkSVD(SMALL).fit(rated(), Training(on_step=lambda *step: steps.append(step)))
    assert [step[:2] for step in steps] == [(7, 7)] * 4
    assert [step[2] for step in steps] == [epoch.train_loss for epoch in model.epochs]


def test_a_learning_rate_far_too_high_is_an_error_at_once() -> None:
    excessive = SMALL.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(ConfigError, match=r"learning_rate: 1e\+30 is too high.* at row 4 of epoch 1"):
        FunkSVD(excessive).fit(rated())


def test_training_stops_when_the_validation_loss_stalls() -> None:
    options = SMALL.model_copy(update={"epochs": 200, "learning_rate": 0.05, "patience": 3})
    history = FunkSVD(options).fit(rated(), Training(validation=held_out())).epochs
    validation = [epoch.validation_loss for epoch in history if epoch.validation_loss is not None]
    assert len(history) < 200
    assert validation.index(min(validation)) == len(history) - 1 - 3


def test_patience_needs_validation_data() -> None:
    with pytest.raises(ConfigError, match="option patience: early stopping needs validation data"):
        FunkSVD(SMALL.model_copy(update={"patience": 1})).fit(rated())


@pytest.mark.parametrize(
    ("validation_losses", "stalled"),
    [
        ([3.0, 2.0], False),
        ([3.0, 2.0, 2.5, 1.9], False),
        ([3.0, 2.0, 2.5, 2.0], True),
        ([3.0, 2.0, 2.5], False),
    ],
)
def test_patience_of_two_counts_epochs_without_a_new_low(
    validation_losses: list[float], stalled: bool
) -> None:
    history = [Epoch(number, 1.0, loss, 0.0) for number, loss in enumerate(validation_losses, start=1)]
    assert has_stalled(history, patience=2) is stalled


def stop_after(number: int, error: BaseException) -> Training:
    """Training that raises an error after this epoch."""

    def on_epoch(epoch: Epoch) -> None:
        if epoch.number == number:
            raise error

    return Training(validation=held_out(), on_epoch=on_epoch)


def interrupt(checkpoint: Path, after: int = 2) -> None:
    with pytest.raises(KeyboardInterrupt):
        FunkSVD(SMALL).fit(rated(), replace(stop_after(after, KeyboardInterrupt()), checkpoint=checkpoint))


def resumption(checkpoint: Path) -> Training:
    return Training(validation=held_out(), checkpoint=checkpoint, resume=True)


def test_a_resumed_fit_equals_an_unbroken_one_to_the_bit(tmp_path: Path) -> None:
    interrupt(tmp_path / "checkpoint")
    resumed = FunkSVD(SMALL).fit(rated(), resumption(tmp_path / "checkpoint"))
    unbroken = FunkSVD(SMALL).fit(rated(), Training(validation=held_out()))
    np.testing.assert_array_equal(resumed.user_factors_, unbroken.user_factors_)
    np.testing.assert_array_equal(resumed.movie_factors_, unbroken.movie_factors_)
    assert losses(resumed.epochs) == losses(unbroken.epochs)


def test_an_interruption_within_an_epoch_leaves_the_checkpoint_of_the_last_one(tmp_path: Path) -> None:
    checkpoint, steps_done = tmp_path / "checkpoint", []

    def on_step(done: int, total: int, loss: float) -> None:
        steps_done.append(done)
        if len(steps_done) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        FunkSVD(SMALL).fit(rated(), replace(resumption(checkpoint), resume=False, on_step=on_step))
    reported: list[Epoch] = []
    resumed = FunkSVD(SMALL).fit(rated(), replace(resumption(checkpoint), on_epoch=reported.append))
    unbroken = FunkSVD(SMALL).fit(rated())
    np.testing.assert_array_equal(resumed.user_factors_, unbroken.user_factors_)
    assert [epoch.number for epoch in reported] == [1, 2, 3, 4]


def test_resuming_a_finished_fit_returns_it_as_it_was(tmp_path: Path) -> None:
    training = Training(checkpoint=tmp_path / "checkpoint")
    finished = FunkSVD(SMALL).fit(rated(), training)
    again = FunkSVD(SMALL).fit(rated(), replace(training, resume=True))
    np.testing.assert_array_equal(again.user_factors_, finished.user_factors_)
    assert again.epochs == finished.epochs


def test_resuming_with_other_options_names_them(tmp_path: Path) -> None:
    interrupt(tmp_path / "checkpoint")
    other = SMALL.model_copy(update={"dimensions": 5})
    with pytest.raises(ArtifactError, match=r"another fit: option dimensions was 4, now is 5$"):
        FunkSVD(other).fit(rated(), resumption(tmp_path / "checkpoint"))


def test_resuming_on_other_data_says_so(tmp_path: Path) -> None:
    interrupt(tmp_path / "checkpoint")
    rows = pl.concat([rated().interactions(), interactions((10, 4, 5, 8))])
    other = Dataset.from_frames(rows, catalog(5))
    with pytest.raises(
        ArtifactError, match=r"another fit: training data was [0-9a-f]{64}, now is [0-9a-f]{64}$"
    ):
        FunkSVD(SMALL).fit(other, resumption(tmp_path / "checkpoint"))


def test_resuming_from_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="holds no checkpoint to continue from"):
        FunkSVD(SMALL).fit(rated(), resumption(tmp_path / "checkpoint"))


def test_resuming_from_a_saved_model_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").mkdir()
    seal(tmp_path / "checkpoint", {"model": "funk-svd"})
    with pytest.raises(ArtifactError, match="isn't a checkpoint; fit without resuming"):
        FunkSVD(SMALL).fit(rated(), resumption(tmp_path / "checkpoint"))


def test_resuming_needs_a_directory() -> None:
    with pytest.raises(ConfigError, match="name the directory of the checkpoint"):
        Training(resume=True)


@pytest.mark.parametrize("name", ["manifest.json", "arrays.safetensors"])
def test_a_damaged_checkpoint_is_an_error(tmp_path: Path, name: str) -> None:
    interrupt(tmp_path / "checkpoint")
    damaged = tmp_path / "checkpoint" / name
    damaged.write_bytes(damaged.read_bytes()[:-20])
    with pytest.raises(ArtifactError, match=name):
        FunkSVD(SMALL).fit(rated(), resumption(tmp_path / "checkpoint"))


def test_without_torch_it_scores_and_a_fit_says_what_to_install() -> None:
    program = """
import sys
sys.modules["torch"] = None
import numpy as np, polars as pl
from nextreel.data.dataset import Dataset
from nextreel.models.funk_svd import FunkSVD
data = Dataset.from_frames(pl.DataFrame({"UserID": [1], "MovieID": [1], "Rating": [5.0], "Timestamp": [1]}))
model = FunkSVD().restore({"user_ids_": data.user_ids, "user_factors_": np.ones((1, 2), dtype=np.float32),
                           "movie_factors_": np.ones((1, 2), dtype=np.float32)})
print(model.score(data.histories(np.array([1]), np.array([2])), np.array([2])))
try:
    FunkSVD().fit(data)
except Exception as error:
    print(type(error).__name__, error)
"""
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert process.stdout.splitlines() == [
        "[[2.]]",
        "MissingExtraError this needs torch, which isn't installed: in the directory of nextreel's source, run pip install '.[neural]'",
    ]
